/* SPDX-License-Identifier: MIT */
#include "nixenv/pylock_upload.h"

#include "nixenv/marker_eval.h"
#include "nixenv/pep440_compare.h"
#include "nixenv/pep508.h"
#include "nixenv/pylock_reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_MAX 80

int cuv_pylock_fail(struct cuv_pylock_reader *r, const json_t *at, enum cuv_error_code code, const char *fmt, ...)
{
	char message[sizeof(r->err->message)];
	const char *line_text;
	uint32_t line, column;
	size_t line_len;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (!at)
		return cuv_error_set(r->err, code, "%s", message);
	cuv_toml_locate(r->text, r->len, cuv_toml_offset(&r->doc, at), &line, &column, &line_text, &line_len);
	return cuv_error_set_at(r->err, code, line, column, line_text, line_len, "%s", message);
}

int cuv_pylock_text(struct cuv_pylock_reader *r, const json_t *table, const char *key, const char **ret)
{
	const json_t *value = json_object_get(table, key);

	*ret = json_string_value(value);
	return value && !*ret ? cuv_pylock_fail(r, value, CUV_E_LOCK_INVALID, "`%s` must be a text", key) : 0;
}

/* A parser's failure inside a text of the file. */
static int scan_failed(struct cuv_pylock_reader *r, const json_t *at, const struct cuv_scan *s)
{
	return cuv_pylock_fail(r, at, s->code == CUV_E_TOO_LARGE ? CUV_E_LOCK_UNSUPPORTED : CUV_E_LOCK_INVALID,
			       "`%.*s`: %s (at its character %zu)", (int)CUV_MIN(s->len, (size_t)SHOWN_MAX), s->text,
			       s->message, s->fail_pos + 1);
}

/* --- what the file is for --- */

static int check_python(struct cuv_pylock_reader *r, const json_t *table, const char *what)
{
	const char *text;
	struct cuv_version v;
	struct cuv_scan s;
	bool fits;

	if (cuv_pylock_text(r, table, "requires-python", &text) < 0)
		return -EINVAL;
	if (!text)
		return 0;
	s = CUV_SCAN_INIT(text, strlen(text));
	if (cuv_version_parse(r->o->python->full, strlen(r->o->python->full), &v) != CUV_VERSION_OK)
		return cuv_error_set(r->err, CUV_E_INTERNAL, "the image's Python has no version");
	if (cuv_specifiers_take(&s, &v, &fits) < 0)
		return scan_failed(r, json_object_get(table, "requires-python"), &s);
	if (fits)
		return 0;
	return cuv_pylock_fail(r, json_object_get(table, "requires-python"), CUV_E_LOCK_MISMATCH,
			       "%s is for Python %.100s, and this is %s; lock it for %s", what, text,
			       r->o->python->full, r->lock.python);
}

static int eval_marker(struct cuv_pylock_reader *r, const json_t *value, bool *ret)
{
	const char *text = json_string_value(value);
	struct cuv_marker_env env = {.python_full = r->o->python->full, .extras = &r->extras, .groups = &r->groups};
	struct cuv_scan s;

	if (!text)
		return cuv_pylock_fail(r, value, CUV_E_LOCK_INVALID, "a marker must be a text");
	s = CUV_SCAN_INIT(text, strlen(text));
	return cuv_marker_eval(&s, &env, ret) < 0 ? scan_failed(r, value, &s) : 0;
}

/* An array of the root; NULL in *ret when it is not there. */
static int get_array(struct cuv_pylock_reader *r, const char *key, size_t max, json_t **ret)
{
	json_t *list = json_object_get(r->doc.root, key);

	*ret = list;
	if (!list)
		return 0;
	if (!json_is_array(list))
		return cuv_pylock_fail(r, list, CUV_E_LOCK_INVALID, "`%s` must be an array", key);
	if (json_array_size(list) > max)
		return cuv_pylock_fail(r, list, CUV_E_LOCK_UNSUPPORTED, "`%s` may have at most %zu entries", key, max);
	return 0;
}

static int check_environments(struct cuv_pylock_reader *r)
{
	json_t *list, *item;
	bool one = false;
	size_t i;

	if (get_array(r, "environments", CUV_UPLOADED_NAMES_MAX, &list) < 0)
		return -EINVAL;
	json_array_foreach(list, i, item)
	{
		bool fits;

		if (eval_marker(r, item, &fits) < 0)
			return -EINVAL;
		one = one || fits;
	}
	if (json_array_size(list) == 0 || one)
		return 0;
	return cuv_pylock_fail(
		r, list, CUV_E_LOCK_MISMATCH,
		"none of the lock's environments is CPython %s on x86_64 Linux; lock it for that one too",
		r->o->python->full);
}

/* Names of the root's array, in normal form. */
static int read_names(struct cuv_pylock_reader *r, const char *key, struct cuv_strv *ret)
{
	json_t *list, *item;
	size_t i;

	if (get_array(r, key, CUV_UPLOADED_NAMES_MAX, &list) < 0)
		return -EINVAL;
	json_array_foreach(list, i, item)
	{
		_cleanup_buf_ struct cuv_buf name = CUV_BUF_INIT(CUV_NAME_LEN_MAX);

		if (!json_is_string(item) ||
		    cuv_name_normalize(json_string_value(item), json_string_length(item), &name) != 0)
			return cuv_pylock_fail(r, item, CUV_E_LOCK_INVALID, "`%s` must hold names", key);
		if (cuv_strv_add(ret, cuv_buf_str(&name)) < 0)
			return cuv_error_set(r->err, CUV_E_INTERNAL, "out of memory");
	}
	return 0;
}

/* Which of the names under this key are asked for: all of wanted must be there. */
static int choose(struct cuv_pylock_reader *r, const char *key, const struct cuv_strv *wanted, struct cuv_strv *ret)
{
	_cleanup_strv_ struct cuv_strv there = CUV_STRV_INIT;
	_cleanup_buf_ struct cuv_buf names = CUV_BUF_INIT(160);

	if (read_names(r, key, &there) < 0)
		return -EINVAL;
	for (size_t i = 0; i < there.n; i++)
		cuv_buf_addf(&names, "%s%s", i ? ", " : "", there.items[i]);
	for (size_t i = 0; i < wanted->n; i++) {
		if (!cuv_strv_has(&there, wanted->items[i]))
			return cuv_error_set(r->err, CUV_E_FIELD_INVALID, "the lock's `%s` have no `%s`; there are %s",
					     key, wanted->items[i],
					     cuv_buf_err(&names) ? "others"
					     : there.n		 ? cuv_buf_str(&names)
								 : "none");
		if (cuv_strv_add(ret, wanted->items[i]) < 0)
			return cuv_error_set(r->err, CUV_E_INTERNAL, "out of memory");
	}
	return 0;
}

/* What `extras` and `dependency_groups` of markers are: as asked for, else none and the default ones. */
static int choose_sets(struct cuv_pylock_reader *r)
{
	static const struct cuv_strv none = CUV_STRV_INIT;
	const struct cuv_pylock_options *o = r->o;

	if (choose(r, "extras", o->extras ? o->extras : &none, &r->extras) < 0)
		return -EINVAL;
	return o->groups ? choose(r, "dependency-groups", o->groups, &r->groups)
			 : read_names(r, "default-groups", &r->groups);
}

static int check_version(struct cuv_pylock_reader *r)
{
	const json_t *root = r->doc.root;
	const char *version;

	if (json_object_get(root, "package"))
		return cuv_pylock_fail(
			r, json_object_get(root, "package"), CUV_E_LOCK_UNSUPPORTED,
			"this is a tool's own lock file, not a pylock.toml (PEP 751); let the tool write "
			"one, as in `uv export --format pylock.toml` or `pdm export -f pylock`");
	if (cuv_pylock_text(r, root, "lock-version", &version) < 0)
		return -EINVAL;
	if (!version)
		return cuv_pylock_fail(r, NULL, CUV_E_LOCK_INVALID,
				       "`lock-version` is missing: a pylock.toml (PEP 751) begins with lock-version = "
				       "\"1.0\"");
	/* A later minor version only adds what can be left out. */
	if (strncmp(version, "1.", 2) != 0 || version[2] == '\0' || version[2 + strspn(version + 2, "0123456789")])
		return cuv_pylock_fail(r, json_object_get(root, "lock-version"), CUV_E_LOCK_UNSUPPORTED,
				       "locks of version %.40s can't be read; 1.0 is what there is", version);
	return 0;
}

/* --- packages --- */

/* Appends the normal form; the version may be missing (*ret stays empty). */
static int read_version(struct cuv_pylock_reader *r, const json_t *package, struct cuv_buf *ret)
{
	const char *text;
	struct cuv_version v;

	if (cuv_pylock_text(r, package, "version", &text) < 0)
		return -EINVAL;
	if (text &&
	    (cuv_version_parse(text, strlen(text), &v) != CUV_VERSION_OK || cuv_version_format(&v, false, ret) < 0))
		return cuv_pylock_fail(r, json_object_get(package, "version"), CUV_E_LOCK_INVALID,
				       "`%.100s` is not a version (PEP 440) of at most 64 characters", text);
	return 0;
}

static int read_package(struct cuv_pylock_reader *r, const json_t *package)
{
	_cleanup_buf_ struct cuv_buf name = CUV_BUF_INIT(CUV_NAME_LEN_MAX), version = CUV_BUF_INIT(64);
	const json_t *marker = json_object_get(package, "marker");
	const char *text;
	char what[200];
	bool wanted = true;

	if (!json_is_object(package))
		return cuv_pylock_fail(r, package, CUV_E_LOCK_INVALID, "a package must be a table");
	if (cuv_pylock_text(r, package, "name", &text) < 0)
		return -EINVAL;
	if (!text || cuv_name_normalize(text, strlen(text), &name) != 0)
		return cuv_pylock_fail(r, cuv_pylock_place(package, "name"), CUV_E_LOCK_INVALID,
				       "a package needs a `name` of letters, digits, . _ and -");
	if (marker && eval_marker(r, marker, &wanted) < 0)
		return -EINVAL;
	if (!wanted)
		return 0;
	(void)snprintf(what, sizeof(what), "the package %s", cuv_buf_str(&name));
	if (check_python(r, package, what) < 0 || read_version(r, package, &version) < 0)
		return -EINVAL;
	for (size_t i = 0; i < r->lock.n; i++)
		if (strcmp(r->lock.packages[i].name, cuv_buf_str(&name)) == 0)
			return cuv_pylock_fail(r, cuv_pylock_place(package, "name"), CUV_E_LOCK_INVALID,
					       "%s stands twice for this platform: it can't be told which one is meant",
					       cuv_buf_str(&name));
	return cuv_pylock_source(r, package, cuv_buf_str(&name), version.len ? cuv_buf_str(&version) : NULL);
}

static int read_packages(struct cuv_pylock_reader *r)
{
	json_t *list, *package;
	size_t i;

	if (get_array(r, "packages", CUV_UPLOADED_PACKAGES_MAX, &list) < 0)
		return -EINVAL;
	json_array_foreach(list, i, package)
	{
		if (read_package(r, package) < 0)
			return -EINVAL;
	}
	if (cuv_lock_seal(&r->lock, r->err) == 0)
		return 0;
	/* A name or a version that can't stand in a store path. */
	if (r->err && r->err->code == CUV_E_INTERNAL)
		r->err->code = CUV_E_LOCK_INVALID;
	return -EINVAL;
}

static int read_document(struct cuv_pylock_reader *r)
{
	(void)snprintf(r->lock.python, sizeof(r->lock.python), "%s", r->o->python->version);
	if (check_version(r) < 0 || check_python(r, r->doc.root, "the lock") < 0 || choose_sets(r) < 0 ||
	    check_environments(r) < 0)
		return -EINVAL;
	return read_packages(r);
}

int cuv_pylock_upload(const char *text, size_t len, const struct cuv_pylock_options *o, struct cuv_lock *ret,
		      struct cuv_error *err)
{
	struct cuv_pylock_reader r = {.text = text, .len = len, .o = o, .err = err};
	struct cuv_toml_error where;
	const char *line_text;
	size_t line_len;
	int e;

	if (len > CUV_UPLOADED_LOCK_BYTES_MAX)
		return cuv_error_set(err, CUV_E_TOO_LARGE, "the lock is larger than %u MiB",
				     CUV_UPLOADED_LOCK_BYTES_MAX >> 20);
	e = cuv_toml_read(text, len, &r.doc, &where);
	if (e == -ENOMEM)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	if (e < 0) {
		cuv_toml_locate(text, len, where.offset, &where.line, &where.column, &line_text, &line_len);
		return cuv_error_set_at(err, CUV_E_LOCK_INVALID, where.line, where.column, line_text, line_len,
					"the lock has %s; a pylock.toml (PEP 751) is TOML 1.0", where.reason);
	}
	e = read_document(&r);
	cuv_toml_done(&r.doc);
	cuv_strv_done(&r.extras);
	cuv_strv_done(&r.groups);
	if (e == 0)
		*ret = r.lock;
	else
		cuv_lock_done(&r.lock);
	return e;
}
