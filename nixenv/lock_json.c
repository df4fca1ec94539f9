/* SPDX-License-Identifier: MIT */
/* The two JSON forms of a lock. */
#include "nixenv/lock.h"

#include "nixenv/requires.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#define LOCK_FORMAT 1

static const char *const origin_names[_CUV_ORIGIN_MAX] = {
#define X(suffix, name, text) [CUV_ORIGIN_##suffix] = name,
	CUV_ORIGIN_TABLE(X)
#undef X
};

/* --- writing --- */

static int set_text(json_t *j, const char *key, const char *text)
{
	return text ? json_object_set_new(j, key, json_string(text)) : 0;
}

static int set_hash(json_t *j, const char *key, const struct cuv_sha256 *hash)
{
	char hex[CUV_SHA256_HEX_SIZE];

	cuv_hex(hash->bytes, sizeof(hash->bytes), hex);
	return json_object_set_new(j, key, json_string(hex));
}

static json_t *origin_to_json(const struct cuv_origin *o)
{
	json_auto_t *j = json_object();

	if (set_text(j, "kind", origin_names[o->kind]) < 0 || set_text(j, "file", o->file) < 0 ||
	    (o->file && set_hash(j, "sha256", &o->sha256) < 0) || set_text(j, "url", o->url) < 0 ||
	    set_text(j, "commit", o->commit) < 0 || set_text(j, "subdirectory", o->subdirectory) < 0 ||
	    (o->user_url && json_object_set_new(j, "user_url", json_true()) < 0) ||
	    (o->wheelhouse && json_object_set_new(j, "wheelhouse", json_true()) < 0) ||
	    (o->as_of_s && json_object_set_new(j, "as_of", json_integer(o->as_of_s)) < 0) ||
	    (o->rebuilt && set_text(j, "rebuilt", cuv_rebuilt_name(o->rebuilt)) < 0))
		return NULL;
	return json_incref(j);
}

static json_t *requires_to_json(const struct cuv_locked *p)
{
	json_auto_t *list = json_array();

	for (size_t i = 0; i < p->requires.n; i++)
		if (json_array_append_new(list, json_string(p->requires.items[i])) < 0)
			return NULL;
	return json_incref(list);
}

static json_t *package_to_json(const struct cuv_locked *p, bool complete)
{
	json_auto_t *j = json_object();

	if (set_text(j, "name", p->name) < 0 || set_text(j, "version", p->version) < 0 ||
	    set_text(j, "file", p->file) < 0 || (p->file && set_hash(j, "sha256", &p->sha256) < 0))
		return NULL;
	if (complete &&
	    ((p->size_bytes && json_object_set_new(j, "size", json_integer((json_int_t)p->size_bytes)) < 0) ||
	     set_text(j, "url", p->url) < 0 ||
	     (p->origin.kind != CUV_ORIGIN_INDEX && json_object_set_new(j, "origin", origin_to_json(&p->origin)) < 0) ||
	     (p->requires_known && json_object_set_new(j, "requires", requires_to_json(p)) < 0)))
		return NULL;
	return json_incref(j);
}

static int lock_to_json(const struct cuv_lock *l, bool complete, struct cuv_buf *out)
{
	json_auto_t *packages = json_array(), *root = NULL;
	_cleanup_free_ char *text = NULL;

	for (size_t i = 0; i < l->n; i++)
		if (json_array_append_new(packages, package_to_json(&l->packages[i], complete)) < 0)
			return -ENOMEM;
	root = json_pack("{s:i, s:O, s:s, s:s}", "format", LOCK_FORMAT, "packages", packages, "platform", CUV_PLATFORM,
			 "python", l->python);
	text = root ? json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	if (!text)
		return -ENOMEM;
	return cuv_buf_add_str(out, text);
}

int cuv_lock_canonical(const struct cuv_lock *l, struct cuv_buf *out)
{
	if (cuv_lock_pending(l) > 0)
		return -EINVAL;
	return lock_to_json(l, false, out);
}

int cuv_lock_complete(const struct cuv_lock *l, struct cuv_buf *out)
{
	return lock_to_json(l, true, out);
}

int cuv_lock_digest(const struct cuv_lock *l, char ret[CUV_LOCK_DIGEST_SIZE])
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(CUV_LOCK_BYTES_MAX);
	struct cuv_sha256 hash;
	int r = cuv_lock_canonical(l, &b);

	if (r < 0)
		return r;
	cuv_sha256(b.data, b.len, &hash);
	memcpy(ret, "sha256:", 7);
	cuv_hex(hash.bytes, sizeof(hash.bytes), ret + 7);
	return 0;
}

static const char *const rebuilt_names[_CUV_REBUILT_MAX] = {
#define X(suffix, name) [CUV_REBUILT_##suffix] = name,
	CUV_REBUILT_TABLE(X)
#undef X
};

const char *cuv_rebuilt_name(enum cuv_rebuilt r)
{
	cuv_assert((unsigned)r < _CUV_REBUILT_MAX);
	return rebuilt_names[r];
}

enum cuv_rebuilt cuv_rebuilt_find(const char *name)
{
	enum cuv_rebuilt r = CUV_REBUILT_UNKNOWN;

	while (r < _CUV_REBUILT_MAX && strcmp(rebuilt_names[r], name) != 0)
		r++;
	return r;
}

/* --- reading --- */

static int parse_hash(const char *hex, struct cuv_sha256 *ret)
{
	return hex ? cuv_unhex(hex, sizeof(ret->bytes), ret->bytes) : 0;
}

/* The strings are the JSON's: a copy is made by cuv_lock_set_origin. */
static int parse_origin(json_t *j, struct cuv_locked *p)
{
	const char *kind, *hex = NULL, *file = NULL, *url = NULL, *commit = NULL, *subdirectory = NULL,
			  *rebuilt = "unknown";
	struct cuv_origin o = {.kind = CUV_ORIGIN_INDEX};
	json_int_t as_of = 0;
	int user_url = 0, wheelhouse = 0;

	if (json_unpack(j, "{s:s, s?s, s?s, s?s, s?s, s?s, s?b, s?b, s?I, s?s !}", "kind", &kind, "file", &file,
			"sha256", &hex, "url", &url, "commit", &commit, "subdirectory", &subdirectory, "user_url",
			&user_url, "wheelhouse", &wheelhouse, "as_of", &as_of, "rebuilt", &rebuilt) < 0 ||
	    !file != !hex || parse_hash(hex, &o.sha256) < 0)
		return -EINVAL;
	while (o.kind < _CUV_ORIGIN_MAX && strcmp(origin_names[o.kind], kind) != 0)
		o.kind++;
	if (o.kind == _CUV_ORIGIN_MAX)
		return -EINVAL;
	o.rebuilt = cuv_rebuilt_find(rebuilt);
	if (as_of < 0 || o.rebuilt == _CUV_REBUILT_MAX)
		return -EINVAL;
	o.as_of_s = as_of;
	o.user_url = user_url;
	o.wheelhouse = wheelhouse;
	o.file = (char *)(uintptr_t)file;
	o.url = (char *)(uintptr_t)url;
	o.commit = (char *)(uintptr_t)commit;
	o.subdirectory = (char *)(uintptr_t)subdirectory;
	return cuv_lock_set_origin(p, &o);
}

static int parse_requires(json_t *list, struct cuv_locked *p)
{
	json_t *item;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > CUV_REQUIRES_MAX)
		return -EINVAL;
	json_array_foreach(list, i, item)
	{
		if (!json_is_string(item) || !cuv_requires_valid(json_string_value(item)))
			return -EINVAL;
		if (cuv_strv_add(&p->requires, json_string_value(item)) < 0)
			return -ENOMEM;
	}
	p->requires_known = true;
	return 0;
}

static int parse_package(json_t *j, struct cuv_lock *l, struct cuv_error *err)
{
	const char *name, *version, *file = NULL, *hex = NULL, *url = NULL;
	struct cuv_sha256 hash = {0};
	json_t *origin = NULL, *requires = NULL;
	json_int_t size = 0;
	int r;

	if (json_unpack(j, "{s:s, s:s, s?s, s?s, s?I, s?s, s?o, s?o !}", "name", &name, "version", &version, "file",
			&file, "sha256", &hex, "size", &size, "url", &url, "origin", &origin, "requires",
			&requires) < 0 ||
	    size < 0 || !file != !hex || parse_hash(hex, &hash) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "package %zu of the lock is not well-formed", l->n + 1);
	r = cuv_lock_add(l, name, version, file, url, &hash, (uint64_t)size);
	if (r == -E2BIG)
		return cuv_error_set(err, CUV_E_ENVIRONMENT_TOO_LARGE, "the lock has more than %d packages",
				     CUV_PACKAGES_MAX);
	if (r == 0 && origin)
		r = parse_origin(origin, &l->packages[l->n - 1]);
	if (r == -EINVAL)
		return cuv_error_set(err, CUV_E_INTERNAL, "package %zu of the lock has an origin that is not one",
				     l->n);
	if (r == 0 && requires)
		r = parse_requires(requires, &l->packages[l->n - 1]);
	if (r == -EINVAL)
		return cuv_error_set(err, CUV_E_INTERNAL, "package %zu of the lock requires what is no name", l->n);
	return r < 0 ? cuv_error_set(err, CUV_E_INTERNAL, "out of memory") : 0;
}

int cuv_lock_parse(const void *data, size_t len, struct cuv_lock *ret, struct cuv_error *err)
{
	_cleanup_lock_ struct cuv_lock l = CUV_LOCK_INIT;
	json_auto_t *root = NULL;
	const char *platform, *python;
	json_t *packages, *package;
	json_error_t where;
	size_t i;
	int format;

	if (len > CUV_LOCK_COMPLETE_BYTES_MAX)
		return cuv_error_set(err, CUV_E_TOO_LARGE, "the lock is larger than %u bytes",
				     CUV_LOCK_COMPLETE_BYTES_MAX);
	root = json_loadb(data, len, JSON_REJECT_DUPLICATES, &where);
	if (!root ||
	    json_unpack(root, "{s:i, s:s, s:s, s:o !}", "format", &format, "platform", &platform, "python", &python,
			"packages", &packages) < 0 ||
	    format != LOCK_FORMAT || strcmp(platform, CUV_PLATFORM) != 0 || strlen(python) >= sizeof(l.python) ||
	    !json_is_array(packages))
		return cuv_error_set(err, CUV_E_INTERNAL, "the lock is not well-formed");
	memcpy(l.python, python, strlen(python) + 1);
	json_array_foreach(packages, i, package)
	{
		if (parse_package(package, &l, err) < 0)
			return -EINVAL;
	}
	if (cuv_lock_seal(&l, err) < 0)
		return -EINVAL;
	*ret = l;
	l = CUV_LOCK_INIT;
	return 0;
}
