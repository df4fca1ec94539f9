/* SPDX-License-Identifier: MIT */
/* The table of what is served, and the short answers. */
#include "lib/base/clock.h"
#include "manager/dialect/agent.h"
#include "manager/dialect/execute.h"
#include "manager/dialect/jobe.h"
#include "manager/dialect/sessions.h"
#include "manager/metrics.h"
#include "manager/openapi.h"
#include "manager/pages.h"
#include "manager/server.h"

#include <sodium.h>
#include <string.h>

#define HEALTH_AGE_MS 1000
#define BASIC_SIZE 512
/* Where clients of Jobe look for it. */
#define JOBE "/jobe/"

static void health_status(struct cuv_server *s, struct cuv_health_state *ret, bool *ret_serving)
{
	cuv_health_get(&s->health, HEALTH_AGE_MS, ret);
	*ret_serving = cuv_health_is_serving(ret) && !atomic_load(&s->draining);
}

static void reply_health(struct cuv_http *h, bool serving, json_t *body)
{
	if (body)
		cuv_http_reply_json(h, serving ? 200 : 503, serving ? NULL : "Retry-After: 5\r\n", body);
	json_decref(body);
}

static void get_health(struct cuv_server *s, struct cuv_http *h, _unused_ const struct cuv_client *client)
{
	struct cuv_health_state state;
	bool serving;

	health_status(s, &state, &serving);
	reply_health(
		h, serving,
		json_pack("{s:s, s:s, s:s, s:b, s:o}", "status", serving ? "healthy" : "unhealthy", "docker",
			  state.layers_error.code == CUV_E_NONE ? "connected" : "unreachable", "version", CUV_VERSION,
			  "draining", atomic_load(&s->draining), "components",
			  cuv_health_components(&state, s->settings->sharing, atomic_load(&s->runs), s->runs_max)));
}

static void get_root(struct cuv_server *s, struct cuv_http *h, _unused_ const struct cuv_client *client)
{
	struct cuv_health_state state;
	bool serving;

	if (cuv_pages_wanted(h)) {
		cuv_route_playground(h);
		return;
	}
	health_status(s, &state, &serving);
	reply_health(h, serving,
		     json_pack("{s:s, s:s, s:s, s:s, s:s}", "service", "cuvette", "status",
			       serving ? "healthy" : "unhealthy", "version", CUV_VERSION, "health", "/health", "run",
			       "/api/v1/run"));
}

static void get_health_v1(struct cuv_server *s, struct cuv_http *h, _unused_ const struct cuv_client *client)
{
	struct cuv_health_state state;
	char now[CUV_RFC3339_SIZE];
	bool serving;

	health_status(s, &state, &serving);
	cuv_format_rfc3339(cuv_wall_s(), now);
	reply_health(h, serving,
		     json_pack("{s:s, s:s}", "status", serving ? "healthy" : "unhealthy", "timestamp", now));
}

static void get_openapi(_unused_ struct cuv_server *s, struct cuv_http *h, _unused_ const struct cuv_client *client)
{
	size_t len;
	const char *text = cuv_openapi_served(&len);

	cuv_http_reply(h, 200, NULL, "application/json", text, len);
}

/* With a scope: the handler looks who may come, because the body says how they are told. */
#define SCOPE_LATE 0x80000000u

/* Made of the documents in manager/openapi/, whose README says how a route is added. */
static const struct route {
	const char *method;
	const char *path; /* a template (path_template.h) */
	unsigned scope;	  /* that the key must have; 0: no key is needed */
	const struct cuv_http_errors *errors;
	void (*handle)(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
} routes[] = {
#define ROUTE(operation, ...) {__VA_ARGS__},
#include "manager/openapi_routes.h"
#undef ROUTE
};
_Static_assert(ARRAY_SIZE(routes) <= CUV_METRICS_OPERATIONS_MAX, "all operations are counted");

const char *const cuv_route_operations[] = {
#define ROUTE(operation, ...) operation,
#include "manager/openapi_routes.h"
#undef ROUTE
	NULL};

/* "GET, HEAD"; "" when nothing is at this path. Who asks for it is told in the words of the path. */
static void methods_of(struct cuv_http *h, char *ret, size_t size)
{
	_cleanup_buf_ struct cuv_buf list = CUV_BUF_INIT(size - 1);
	char param[CUV_PATH_PARAM_SIZE];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(routes); i++) {
		if (!cuv_path_match(routes[i].path, h->head.path, param))
			continue;
		h->errors = routes[i].errors;
		cuv_buf_addf(&list, "%s%s", list.len ? ", " : "", routes[i].method);
		if (strcmp(routes[i].method, "GET") == 0)
			cuv_buf_add_str(&list, ", HEAD");
	}
	memcpy(ret, cuv_buf_str(&list), list.len + 1);
}

/* HEAD is what GET is, where it has no row of its own. */
static bool takes(const struct route *route, const struct cuv_http *h)
{
	return strcmp(route->method, h->head.method) == 0 || (h->head.is_head && strcmp(route->method, "GET") == 0);
}

static const struct route *find(struct cuv_http *h)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(routes); i++)
		if (takes(&routes[i], h) && cuv_path_match(routes[i].path, h->head.path, h->param))
			return &routes[i];
	return NULL;
}

/* The password in what follows Authorization: Basic; it lies in buf. NULL: none. */
static const char *basic_password(const char *basic, char *buf, size_t size)
{
	size_t len = 0;
	char *colon;

	if (!basic || sodium_base642bin((unsigned char *)buf, size - 1, basic, strlen(basic), NULL, &len, NULL,
					sodium_base64_VARIANT_ORIGINAL) != 0)
		return NULL;
	buf[len] = '\0';
	colon = strchr(buf, ':');
	return colon ? colon + 1 : NULL;
}

/* Nix knows no other way than a password, so a key is taken as one here, and here only:
 * a browser would send it by itself, with whatever a page has it ask for. */
static int check_share_access(const struct cuv_server *s, const struct cuv_http *h, struct cuv_error *err)
{
	struct cuv_client client;
	char buf[BASIC_SIZE];
	const char *given = h->head.api_key ? h->head.api_key : basic_password(h->head.basic, buf, sizeof(buf));

	if (!given)
		return cuv_error_set(err, CUV_E_UNAUTHORIZED,
				     "an API key is needed, as a password (netrc), X-API-Key or Authorization: Bearer");
	return cuv_clients_check(s->clients, given, CUV_SCOPE_ENVIRONMENTS, &client, err);
}

static __attribute__((noinline)) void serve_share(struct cuv_server *s, struct cuv_http *h)
{
	struct cuv_error err = CUV_ERROR_INIT;

	h->basic = true;
	if (!h->head.is_head && strcmp(h->head.method, "GET") != 0)
		cuv_error_set(&err, CUV_E_METHOD_NOT_ALLOWED, "%s takes GET, HEAD", h->head.path);
	else if (check_share_access(s, h, &err) == 0) {
		cuv_route_share(s, h);
		return;
	}
	cuv_http_reply_error(h, &err, "GET, HEAD");
}

int cuv_route_check_access(const struct cuv_server *s, const struct cuv_http *h, unsigned scope, struct cuv_client *ret,
			   struct cuv_error *err)
{
	/* An open service trusts whoever is on this machine, but not the pages
	 * that their browser shows, whatever name leads there. */
	if (h->head.origin && !cuv_http_origin_is_local(h->head.origin, h->head.host) &&
	    cuv_clients_is_open(s->clients))
		return cuv_error_set(err, CUV_E_ORIGIN_REFUSED,
				     "pages of other sites may not use a service without API key");
	return cuv_clients_check(s->clients, h->head.api_key, (enum cuv_scope)scope, ret, err);
}

/* Some of Jobe's clients end a path in a slash, some do not. */
static void drop_slash(char *path)
{
	const size_t len = strlen(path);

	if (strncmp(path, JOBE, strlen(JOBE)) == 0 && path[len - 1] == '/')
		path[len - 1] = '\0';
}

/* The handler's own frame, and no more, is on the stack while a client waits: errors are
 * large, and there may be a thousand who wait. */
static __attribute__((noinline)) bool may(struct cuv_server *s, struct cuv_http *h, const struct route *route,
					  struct cuv_client *ret)
{
	struct cuv_error err = CUV_ERROR_INIT;

	if (!route->scope || route->scope & SCOPE_LATE || cuv_route_check_access(s, h, route->scope, ret, &err) == 0)
		return true;
	cuv_http_reply_error(h, &err, NULL);
	return false;
}

void cuv_route_words(struct cuv_http *h, const char *path)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(routes); i++)
		if (cuv_path_begins(routes[i].path, path))
			h->errors = routes[i].errors;
}

static __attribute__((noinline)) void refuse(struct cuv_http *h)
{
	struct cuv_error err = CUV_ERROR_INIT;
	char allow[64];

	methods_of(h, allow, sizeof(allow));
	if (allow[0]) {
		cuv_error_set(&err, CUV_E_METHOD_NOT_ALLOWED, "%s takes %s", h->head.path, allow);
	} else {
		/* What can't stand in a path's braces, for it is too long, is refused as what can. */
		cuv_route_words(h, h->head.path);
		cuv_error_set(&err, CUV_E_NOT_FOUND, "there is nothing at %s", h->head.path);
	}
	cuv_http_reply_error(h, &err, allow);
}

void cuv_route(struct cuv_server *s, struct cuv_http *h)
{
	const struct route *route;
	struct cuv_client client = {0};

	drop_slash(h->head.path);
	route = find(h);
	if (cuv_route_is_share(s, h->head.path)) {
		serve_share(s, h);
	} else if (!route) {
		refuse(h);
	} else {
		h->errors = route->errors;
		h->operation = (unsigned)(route - routes) + 1;
		if (may(s, h, route, &client))
			route->handle(s, h, &client);
	}
}
