/* SPDX-License-Identifier: MIT */
#include "nixenv/requires.h"

#include "nixenv/marker_eval.h"
#include "nixenv/pep508.h"
#include "nixenv/python.h"

#include <errno.h>
#include <string.h>

#define LINES_MAX 2000
#define EXTRAS_MAX 64	 /* that a package may provide */
#define MARKERS_MAX 4096 /* evaluations for one package */

static const char condition[] = " ; extra == \"";

struct reading {
	const struct cuv_lock *lock;
	const char *python_full;
	struct cuv_strv extras; /* that the package provides, in normal form */
	size_t n_markers;
	struct cuv_strv *ret;
};

static bool is_locked(const struct cuv_lock *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->packages[i].name, name) == 0)
			return true;
	return false;
}

/* Whether a marker holds where the package was asked for with this extra. */
static bool holds(struct reading *r, const char *marker, const char *extra)
{
	const struct cuv_marker_env env = {.python_full = r->python_full, .extra = extra};
	struct cuv_scan s = CUV_SCAN_INIT(marker, strlen(marker));
	bool ret = true;

	if (s.len == 0)
		return true;
	if (++r->n_markers > MARKERS_MAX)
		return false;
	return cuv_marker_eval(&s, &env, &ret) < 0 || ret;
}

static int add(struct reading *r, const struct cuv_requirement *req, const char *extra)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(4096);

	cuv_buf_add_str(&text, req->name);
	for (size_t i = 0; i < req->extras.n; i++)
		cuv_buf_addf(&text, "%c%s", i ? ',' : '[', req->extras.items[i]);
	if (req->extras.n)
		cuv_buf_add_char(&text, ']');
	if (extra)
		cuv_buf_addf(&text, "%s%s\"", condition, extra);
	if (cuv_buf_err(&text))
		return cuv_buf_err(&text);
	if (cuv_strv_has(r->ret, cuv_buf_str(&text)))
		return 0;
	return r->ret->n < CUV_REQUIRES_MAX ? cuv_strv_add(r->ret, cuv_buf_str(&text)) : -E2BIG;
}

static int add_requirement(struct reading *r, const char *text, size_t len)
{
	struct cuv_scan s = CUV_SCAN_INIT(text, len);
	struct cuv_requirement req = {0};
	int e = cuv_pep508_parse(&s, &req);

	if (e == 0 && is_locked(r->lock, req.name)) {
		if (holds(r, req.marker, ""))
			e = add(r, &req, NULL);
		else
			for (size_t i = 0; e == 0 && i < r->extras.n && strstr(req.marker, "extra"); i++)
				if (holds(r, req.marker, r->extras.items[i]))
					e = add(r, &req, r->extras.items[i]);
	}
	cuv_requirement_done(&req);
	return e == -EINVAL ? 0 : e;
}

static int add_extra(struct reading *r, const char *text, size_t len)
{
	_cleanup_buf_ struct cuv_buf name = CUV_BUF_INIT(CUV_NAME_LEN_MAX);

	if (r->extras.n == EXTRAS_MAX || cuv_name_normalize(text, len, &name) != 0 ||
	    cuv_strv_has(&r->extras, cuv_buf_str(&name)))
		return 0;
	return cuv_strv_add(&r->extras, cuv_buf_str(&name));
}

/* Calls take with the value of each header of this name, on one line as all tools
 * write it; the headers end with an empty line. */
static int each(struct reading *r, const char *metadata, size_t len, const char *header,
		int (*take)(struct reading *r, const char *text, size_t len))
{
	size_t n = strlen(header), start = 0;
	int e = 0;

	for (size_t lines = 0; e == 0 && start < len && lines < LINES_MAX; lines++) {
		const char *line = metadata + start, *end = memchr(line, '\n', len - start);
		size_t line_len = end ? (size_t)(end - line) : len - start, at = n;

		start += line_len + 1;
		if (line_len && line[line_len - 1] == '\r')
			line_len--;
		if (line_len == 0)
			break;
		if (line_len <= n || strncasecmp(line, header, n) != 0)
			continue;
		while (at < line_len && cuv_is_blank(line[at]))
			at++;
		while (line_len > at && cuv_is_blank(line[line_len - 1]))
			line_len--;
		e = take(r, line + at, line_len - at);
	}
	return e;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int cuv_requires_read(const char *metadata, size_t len, const struct cuv_lock *l, struct cuv_strv *ret)
{
	const struct cuv_python *python = cuv_python_find(l->python);
	struct reading r = {.lock = l, .python_full = python ? python->full : "", .ret = ret};
	int e;

	len = CUV_MIN(len, CUV_METADATA_BYTES_MAX);
	e = each(&r, metadata, len, "Provides-Extra:", add_extra);
	if (e == 0)
		e = each(&r, metadata, len, "Requires-Dist:", add_requirement);
	cuv_strv_done(&r.extras);
	if (e == 0 && ret->n > 1)
		qsort(ret->items, ret->n, sizeof(ret->items[0]), compare);
	return e;
}

static size_t name_len(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
}

int cuv_requires_split(const char *text, struct cuv_required *ret)
{
	const char *at = text + name_len(text);

	*ret = (struct cuv_required){.name = text, .name_len = name_len(text)};
	if (ret->name_len == 0 || strlen(text) > CUV_NAME_LEN_MAX * (CUV_EXTRAS_MAX + 2))
		return -EINVAL;
	if (*at == '[') {
		ret->extras = ++at;
		ret->extras_len = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789-,");
		at += ret->extras_len;
		if (ret->extras_len == 0 || *at++ != ']')
			return -EINVAL;
	}
	if (*at == '\0')
		return 0;
	if (strncmp(at, condition, strlen(condition)) != 0)
		return -EINVAL;
	ret->when = at + strlen(condition);
	ret->when_len = name_len(ret->when);
	return ret->when_len > 0 && strcmp(ret->when + ret->when_len, "\"") == 0 ? 0 : -EINVAL;
}

bool cuv_requires_valid(const char *text)
{
	struct cuv_required parts;

	return cuv_requires_split(text, &parts) == 0;
}
