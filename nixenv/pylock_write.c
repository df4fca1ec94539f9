/* SPDX-License-Identifier: MIT */
#include "nixenv/pylock_write.h"

#include "lib/base/clock.h"

#include <inttypes.h>
#include <string.h>

/* A basic string. All that a sealed lock holds is printable ASCII, but for
 * subdirectories, which may have other characters; none is a control character. */
static void add_string(struct cuv_buf *out, const char *text, size_t len)
{
	cuv_buf_add_char(out, '"');
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"' || text[i] == '\\')
			cuv_buf_add_char(out, '\\');
		cuv_buf_add_char(out, text[i]);
	}
	cuv_buf_add_char(out, '"');
}

static void add_text(struct cuv_buf *out, const char *before, const char *text)
{
	cuv_buf_add_str(out, before);
	add_string(out, text, strlen(text));
}

/* Without what stands before an '@' in its authority, and a user's query. */
static void add_url(struct cuv_buf *out, const char *before, const char *url, bool by_user)
{
	size_t len = by_user ? strcspn(url, "?") : strlen(url);
	const char *slashes = strstr(url, "://");
	size_t scheme = slashes ? (size_t)(slashes - url) + 3 : 0, authority = strcspn(url + scheme, "/?#"), user = 0;

	for (size_t i = 0; slashes && i < authority; i++)
		if (url[scheme + i] == '@')
			user = i + 1;
	cuv_buf_add_str(out, before);
	if (user) {
		struct cuv_buf plain = CUV_BUF_INIT(CUV_URL_MAX);

		cuv_buf_add(&plain, url, scheme);
		cuv_buf_add(&plain, url + scheme + user, len - scheme - user);
		add_string(out, cuv_buf_str(&plain), plain.len);
		cuv_buf_done(&plain);
	} else {
		add_string(out, url, len);
	}
}

static void add_hashes(struct cuv_buf *out, const struct cuv_sha256 *hash)
{
	char hex[CUV_SHA256_HEX_SIZE];

	cuv_hex(hash->bytes, sizeof(hash->bytes), hex);
	cuv_buf_addf(out, ", hashes = { sha256 = \"%s\" } }", hex);
}

/* { name = …, url = …, size = …, hashes = … } */
static void add_wheel(struct cuv_buf *out, const struct cuv_locked *p)
{
	add_text(out, "{ name = ", p->file);
	if (p->origin.kind == CUV_ORIGIN_WHEELHOUSE)
		add_text(out, ", path = ", p->file);
	if (p->url)
		add_url(out, ", url = ", p->url, p->origin.kind == CUV_ORIGIN_URL);
	if (p->size_bytes)
		cuv_buf_addf(out, ", size = %" PRIu64, p->size_bytes);
	add_hashes(out, &p->sha256);
}

static void add_source(struct cuv_buf *out, const struct cuv_locked *p)
{
	const struct cuv_origin *o = &p->origin;

	if (o->commit) {
		add_url(out, "vcs = { type = \"git\", url = ", o->url, o->user_url);
		add_text(out, ", commit-id = ", o->commit);
		if (o->subdirectory)
			add_text(out, ", subdirectory = ", o->subdirectory);
		cuv_buf_add_str(out, " }\n");
		return;
	}
	/* Only an archive may have a subdirectory, or no version. */
	if ((o->subdirectory || !p->version[0]) && (o->url || o->wheelhouse)) {
		if (o->wheelhouse)
			add_text(out, "archive = { path = ", o->file);
		else
			add_url(out, "archive = { url = ", o->url, o->user_url);
		if (o->subdirectory)
			add_text(out, ", subdirectory = ", o->subdirectory);
	} else {
		add_text(out, "sdist = { name = ", o->file);
		if (o->wheelhouse)
			add_text(out, ", path = ", o->file);
		if (o->url)
			add_url(out, ", url = ", o->url, o->user_url);
	}
	add_hashes(out, &o->sha256);
	cuv_buf_add_char(out, '\n');
}

/* As of which date its build requirements were chosen, which is needed to do it again;
 * and whether that gave the same bytes. */
static void add_build(struct cuv_buf *out, const struct cuv_origin *o)
{
	char date[CUV_RFC3339_SIZE];

	if (o->as_of_s) {
		cuv_format_rfc3339(o->as_of_s, date);
		cuv_buf_addf(out, "as-of = %s\n", date);
	}
	if (o->rebuilt)
		cuv_buf_addf(out, "rebuilt = \"%s\"\n", cuv_rebuilt_name(o->rebuilt));
}

static void add_requires(struct cuv_buf *out, const struct cuv_locked *p)
{
	if (!p->requires_known)
		return;
	cuv_buf_add_str(out, "requires = [");
	for (size_t i = 0; i < p->requires.n; i++)
		add_text(out, i ? ", " : "", p->requires.items[i]);
	cuv_buf_add_str(out, "]\n");
}

#define BUILT_TABLE "\n[packages.tool.cuvette]\nwheel = "
#define PACKAGE_TABLE "\n[[packages]]\nname = "

static void add_package(struct cuv_buf *out, const struct cuv_locked *p)
{
	add_text(out, PACKAGE_TABLE, p->name);
	if (p->version[0])
		add_text(out, "\nversion = ", p->version);
	cuv_buf_add_char(out, '\n');
	if (p->origin.kind == CUV_ORIGIN_BUILT) {
		add_source(out, p);
		if (!p->file)
			return;
		cuv_buf_add_str(out, BUILT_TABLE);
		add_wheel(out, p);
		cuv_buf_add_char(out, '\n');
		add_build(out, &p->origin);
		add_requires(out, p);
		return;
	}
	cuv_buf_add_str(out, "wheels = [");
	add_wheel(out, p);
	cuv_buf_add_str(out, "]\n");
	if (p->requires_known)
		cuv_buf_add_str(out, "\n[packages.tool.cuvette]\n");
	add_requires(out, p);
}

int cuv_pylock_write(const struct cuv_lock *l, struct cuv_buf *out)
{
	cuv_buf_addf(out,
		     "lock-version = \"1.0\"\n"
		     "environments = [\"sys_platform == 'linux' and platform_machine == 'x86_64'\"]\n"
		     "requires-python = \"==%s.*\"\n"
		     "created-by = \"cuvette\"\n",
		     l->python);
	if (l->n == 0)
		cuv_buf_add_str(out, "packages = []\n");
	for (size_t i = 0; i < l->n; i++)
		add_package(out, &l->packages[i]);
	return cuv_buf_err(out);
}

/* Where what is after the last one of these begins, before end; NULL. */
static const char *after_last(const char *begin, const char *end, const char *what)
{
	const size_t len = strlen(what);
	const char *found = NULL;

	for (const char *at = begin; (at = memmem(at, (size_t)(end - at), what, len)); at = found)
		found = at + len;
	return found;
}

int cuv_pylock_built(const char *text, size_t len, struct cuv_strv *ret)
{
	const char *end = text + len, *from = text, *mark;

	while ((mark = memmem(from, (size_t)(end - from), BUILT_TABLE, strlen(BUILT_TABLE)))) {
		const char *name = after_last(from, mark, PACKAGE_TABLE "\""),
			   *quote = name ? memchr(name, '"', (size_t)(mark - name)) : NULL;
		int r = quote ? cuv_strv_add_len(ret, name, (size_t)(quote - name)) : 0;

		if (r < 0)
			return r;
		from = mark + strlen(BUILT_TABLE);
	}
	return 0;
}
