/* SPDX-License-Identifier: MIT */
#include "manager/pages.h"

#include "lib/base/embed.h"
#include "lib/base/fd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Both pages make style elements, images of data, and Redoc a worker of itself. */
#define HEADERS                                                                                                        \
	"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "           \
	"img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; "         \
	"form-action 'none'; frame-ancestors 'none'\r\n"                                                               \
	"Referrer-Policy: no-referrer\r\n"

/* Addresses are relative: a proxy may have us below a folder of its own. */
static const char docs_page[] =
	"<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Cuvette</title>\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<link rel=\"icon\" href=\"data:,\">\n<link rel=\"stylesheet\" href=\"docs/swagger-ui.css\">\n</head>\n"
	"<body>\n<div id=\"page\"></div>\n<script src=\"docs/swagger-ui-bundle.js\"></script>\n"
	"<script src=\"docs/start.js\"></script>\n</body>\n</html>\n";
static const char redoc_page[] =
	"<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Cuvette</title>\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<link rel=\"icon\" href=\"data:,\">\n</head>\n<body>\n<div id=\"page\"></div>\n"
	"<script src=\"docs/redoc.standalone.js\"></script>\n<script src=\"docs/start.js\"></script>\n"
	"</body>\n</html>\n";
/* A script of its own: none that stands in a page is run. */
static const char start_script[] =
	"if (window.Redoc)\n"
	"  Redoc.init('openapi.json', {hideLoading: true}, document.getElementById('page'));\n"
	"else\n"
	"  SwaggerUIBundle({url: 'openapi.json', dom_id: '#page', validatorUrl: null, deepLinking: true});\n";

enum file { FILE_SWAGGER, FILE_STYLE, FILE_REDOC, _FILE_MAX };
static struct {
	const char *name;
	const char *type;
	int fd; /* -1: there is none; to the end of the process */
	uint64_t size;
} files[_FILE_MAX] = {
	[FILE_SWAGGER] = {"swagger-ui-bundle.js", "text/javascript; charset=utf-8", -1, 0},
	[FILE_STYLE] = {"swagger-ui.css", "text/css; charset=utf-8", -1, 0},
	[FILE_REDOC] = {"redoc.standalone.js", "text/javascript; charset=utf-8", -1, 0},
};

extern const struct cuv_embedded cuv_playground_files[]; /* manager/playground/ */

void cuv_pages_open(const char *folder)
{
	_cleanup_close_ int dir = folder ? open(folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;

	for (size_t i = 0; dir >= 0 && i < _FILE_MAX; i++) {
		struct stat st;
		int fd = openat(dir, files[i].name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

		if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
			fd = cuv_close(fd);
		files[i].fd = fd;
		files[i].size = fd >= 0 ? (uint64_t)st.st_size : 0;
	}
}

static void not_there(struct cuv_http *h)
{
	struct cuv_error err = CUV_ERROR_INIT;

	cuv_error_set(&err, CUV_E_UNAVAILABLE,
		      "the page's scripts are not in the state folder: run `make store`, then start the service "
		      "again; the document itself is at /openapi.json");
	cuv_http_reply_error(h, &err, NULL);
}

static void page(struct cuv_http *h, enum file needed, const char *text)
{
	if (files[needed].fd < 0)
		not_there(h);
	else
		cuv_http_reply(h, 200, HEADERS, "text/html; charset=utf-8", text, strlen(text));
}

/* Who takes JSON gets it, whatever else they take. */
bool cuv_pages_wanted(const struct cuv_http *h)
{
	const char *accept = h->head.accept ? h->head.accept : "";

	return strstr(accept, "text/html") && !strstr(accept, "application/json");
}

static const struct cuv_embedded *find_embedded(const char *name)
{
	const struct cuv_embedded *f = cuv_playground_files;

	while (f->name && strcmp(f->name, name) != 0)
		f++;
	return f->name ? f : NULL;
}

void cuv_route_playground(struct cuv_http *h)
{
	const struct cuv_embedded *f = find_embedded("playground.html");

	cuv_assert(f);
	cuv_http_reply(h, 200, HEADERS "Vary: Accept\r\n", "text/html; charset=utf-8", (const char *)f->data, f->len);
}

/* A script or a style sheet of that page. False: there is none of this name. */
static bool reply_embedded(struct cuv_http *h, const char *name)
{
	const struct cuv_embedded *f = find_embedded(name);
	const size_t len = strlen(name);
	const bool is_style = len > 4 && strcmp(name + len - 4, ".css") == 0;

	if (!f || strcmp(name, "playground.html") == 0)
		return false;
	cuv_http_reply(h, 200, HEADERS, files[is_style ? FILE_STYLE : FILE_REDOC].type, (const char *)f->data, f->len);
	return true;
}

void cuv_route_docs(_unused_ struct cuv_server *s, struct cuv_http *h, _unused_ const struct cuv_client *client)
{
	page(h, FILE_SWAGGER, docs_page);
}

void cuv_route_redoc(_unused_ struct cuv_server *s, struct cuv_http *h, _unused_ const struct cuv_client *client)
{
	page(h, FILE_REDOC, redoc_page);
}

void cuv_route_docs_file(_unused_ struct cuv_server *s, struct cuv_http *h, _unused_ const struct cuv_client *client)
{
	struct cuv_error err = CUV_ERROR_INIT;

	if (strcmp(h->param, "start.js") == 0) {
		cuv_http_reply(h, 200, HEADERS, files[FILE_REDOC].type, start_script, strlen(start_script));
		return;
	}
	if (reply_embedded(h, h->param))
		return;
	for (size_t i = 0; i < _FILE_MAX; i++) {
		if (strcmp(h->param, files[i].name) != 0)
			continue;
		if (files[i].fd < 0)
			not_there(h);
		else
			cuv_http_reply_file(h, 200, HEADERS, files[i].type, files[i].fd, 0, files[i].size);
		return;
	}
	cuv_error_set(&err, CUV_E_NOT_FOUND, "there is nothing at %s", h->head.path);
	cuv_http_reply_error(h, &err, NULL);
}
