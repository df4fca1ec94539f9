/* SPDX-License-Identifier: MIT */
#include "nixenv/lock.h"

#include "nixenv/storepath.h"
#include "nixenv/wheel.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define LOCK_FORMAT 1
#define NAME_LEN_MAX 128

static void locked_done(struct cuv_locked *p)
{
	free(p->name);
	free(p->version);
	free(p->file);
	free(p->url);
}

void cuv_lock_done(struct cuv_lock *l)
{
	for (size_t i = 0; i < l->n; i++)
		locked_done(&l->packages[i]);
	free(l->packages);
	*l = CUV_LOCK_INIT;
}

int cuv_lock_add(struct cuv_lock *l, const char *name, const char *version, const char *file, const char *url,
		 const struct cuv_sha256 *sha256, uint64_t size_bytes)
{
	struct cuv_locked p = {.sha256 = *sha256, .size_bytes = size_bytes}, *more;

	if (l->n >= CUV_PACKAGES_MAX)
		return -E2BIG;
	more = reallocarray(l->packages, l->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	l->packages = more;
	p.name = strdup(name);
	p.version = strdup(version);
	p.file = strdup(file);
	p.url = url ? strdup(url) : NULL;
	if (!p.name || !p.version || !p.file || (url && !p.url)) {
		locked_done(&p);
		return -ENOMEM;
	}
	l->packages[l->n++] = p;
	return 0;
}

/* --- invariants --- */

static int compare_packages(const void *a, const void *b)
{
	const struct cuv_locked *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static bool name_valid(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= NAME_LEN_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len &&
	       name[0] != '-' && name[len - 1] != '-' && !strstr(name, "--");
}

static bool version_valid(const char *version)
{
	size_t len = strlen(version);

	return len > 0 && len <= 64 && strspn(version, "abcdefghijklmnopqrstuvwxyz0123456789.+!") == len;
}

static int check_package(const struct cuv_locked *p, struct cuv_error *err)
{
	char store_name[CUV_STORE_NAME_SIZE];
	struct cuv_wheel w;

	if (!name_valid(p->name) || !version_valid(p->version))
		return cuv_error_set(err, CUV_E_INTERNAL, "the lock names a package `%.100s` of version `%.100s`",
				     p->name, p->version);
	if (cuv_wheel_parse(p->file, &w) < 0 || !cuv_wheel_is_of(&w, p->name) ||
	    cuv_lock_wheel_name(p, store_name) < 0 || cuv_lock_install_name(p, store_name) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "the lock names a wheel `%.200s` for %s", p->file, p->name);
	if (cuv_wheel_rank(&w) < 0)
		return cuv_error_set(err, CUV_E_WHEEL_UNAVAILABLE, "%s %s: the wheel `%s` does not fit " CUV_PLATFORM,
				     p->name, p->version, p->file);
	if (p->size_bytes > CUV_WHEEL_BYTES_MAX)
		return cuv_error_set(err, CUV_E_ENVIRONMENT_TOO_LARGE,
				     "%s %s: its wheel of %" PRIu64 " MiB is larger than the limit of %llu MiB",
				     p->name, p->version, p->size_bytes >> 20, CUV_WHEEL_BYTES_MAX >> 20);
	return 0;
}

int cuv_lock_seal(struct cuv_lock *l, struct cuv_error *err)
{
	uint64_t total = 0;

	if (strcmp(l->python, "3.11") != 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "the lock is for Python `%s`; there is 3.11", l->python);
	if (l->n > 1)
		qsort(l->packages, l->n, sizeof(l->packages[0]), compare_packages);
	for (size_t i = 0; i < l->n; i++) {
		const struct cuv_locked *p = &l->packages[i];

		if (check_package(p, err) < 0)
			return -EINVAL;
		if (i > 0 && strcmp(l->packages[i - 1].name, p->name) == 0)
			return cuv_error_set(err, CUV_E_INTERNAL, "the lock names %s twice", p->name);
		total += p->size_bytes;
	}
	if (total > CUV_CLOSURE_BYTES_MAX)
		return cuv_error_set(err, CUV_E_ENVIRONMENT_TOO_LARGE,
				     "the wheels are %" PRIu64 " MiB together; the limit is %llu MiB", total >> 20,
				     CUV_CLOSURE_BYTES_MAX >> 20);
	return 0;
}

/* --- names in the store --- */

static int store_name(const char *text, char ret[CUV_STORE_NAME_SIZE])
{
	int n = snprintf(ret, CUV_STORE_NAME_SIZE, "%s", text);

	if (n < 0 || n >= CUV_STORE_NAME_SIZE)
		return -EINVAL;
	for (char *c = ret; *c; c++)
		if (*c == '!')
			*c = '_';
	return cuv_store_name_part_valid(ret) ? 0 : -EINVAL;
}

int cuv_lock_wheel_name(const struct cuv_locked *p, char ret[CUV_STORE_NAME_SIZE])
{
	return store_name(p->file, ret);
}

int cuv_lock_install_name(const struct cuv_locked *p, char ret[CUV_STORE_NAME_SIZE])
{
	char text[CUV_STORE_NAME_SIZE];
	int n = snprintf(text, sizeof(text), "%s-%s", p->name, p->version);

	return n < 0 || (size_t)n >= sizeof(text) ? -EINVAL : store_name(text, ret);
}

/* --- JSON --- */

static json_t *package_to_json(const struct cuv_locked *p, bool complete)
{
	char hex[CUV_SHA256_HEX_SIZE];
	json_t *j;

	cuv_hex(p->sha256.bytes, sizeof(p->sha256.bytes), hex);
	j = json_pack("{s:s, s:s, s:s, s:s}", "file", p->file, "name", p->name, "sha256", hex, "version", p->version);
	if (!j || !complete)
		return j;
	if ((p->size_bytes && json_object_set_new(j, "size", json_integer((json_int_t)p->size_bytes)) < 0) ||
	    (p->url && json_object_set_new(j, "url", json_string(p->url)) < 0)) {
		json_decref(j);
		return NULL;
	}
	return j;
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

static int parse_package(json_t *j, struct cuv_lock *l, struct cuv_error *err)
{
	const char *name, *version, *file, *hex, *url = NULL;
	struct cuv_sha256 hash;
	json_int_t size = 0;
	int r;

	if (json_unpack(j, "{s:s, s:s, s:s, s:s, s?I, s?s !}", "name", &name, "version", &version, "file", &file,
			"sha256", &hex, "size", &size, "url", &url) < 0 ||
	    size < 0 || cuv_unhex(hex, sizeof(hash.bytes), hash.bytes) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "package %zu of the lock is not well-formed", l->n + 1);
	r = cuv_lock_add(l, name, version, file, url, &hash, (uint64_t)size);
	if (r == -E2BIG)
		return cuv_error_set(err, CUV_E_ENVIRONMENT_TOO_LARGE, "the lock has more than %d packages",
				     CUV_PACKAGES_MAX);
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

	if (len > CUV_LOCK_BYTES_MAX)
		return cuv_error_set(err, CUV_E_TOO_LARGE, "the lock is larger than %u bytes", CUV_LOCK_BYTES_MAX);
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
