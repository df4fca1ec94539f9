/* SPDX-License-Identifier: MIT */
#include "nixenv/lock.h"

#include "nixenv/storepath.h"
#include "nixenv/wheel.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME_LEN_MAX 128

static void origin_done(struct cuv_origin *o)
{
	free(o->file);
	free(o->url);
	free(o->commit);
	free(o->subdirectory);
	*o = (struct cuv_origin){.kind = CUV_ORIGIN_INDEX};
}

static void locked_done(struct cuv_locked *p)
{
	free(p->name);
	free(p->version);
	free(p->file);
	free(p->url);
	origin_done(&p->origin);
	cuv_strv_done(&p->requires);
}

void cuv_lock_done(struct cuv_lock *l)
{
	for (size_t i = 0; i < l->n; i++)
		locked_done(&l->packages[i]);
	free(l->packages);
	*l = CUV_LOCK_INIT;
}

/* NULL stays NULL. */
static int copy(const char *text, char **ret)
{
	*ret = text ? strdup(text) : NULL;
	return text && !*ret ? -ENOMEM : 0;
}

int cuv_lock_add(struct cuv_lock *l, const char *name, const char *version, const char *file, const char *url,
		 const struct cuv_sha256 *sha256, uint64_t size_bytes)
{
	struct cuv_locked p = {.size_bytes = size_bytes}, *more;

	if (l->n >= CUV_PACKAGES_MAX)
		return -E2BIG;
	more = reallocarray(l->packages, l->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	l->packages = more;
	p.name = strdup(name);
	p.version = strdup(version);
	if (sha256)
		p.sha256 = *sha256;
	if (!p.name || !p.version || copy(file, &p.file) < 0 || copy(url, &p.url) < 0) {
		locked_done(&p);
		return -ENOMEM;
	}
	l->packages[l->n++] = p;
	return 0;
}

int cuv_lock_set_origin(struct cuv_locked *p, const struct cuv_origin *o)
{
	struct cuv_origin c = {.kind = o->kind,
			       .sha256 = o->sha256,
			       .user_url = o->user_url,
			       .wheelhouse = o->wheelhouse,
			       .as_of_s = o->as_of_s,
			       .rebuilt = o->rebuilt};

	if (copy(o->file, &c.file) < 0 || copy(o->url, &c.url) < 0 || copy(o->commit, &c.commit) < 0 ||
	    copy(o->subdirectory, &c.subdirectory) < 0) {
		origin_done(&c);
		return -ENOMEM;
	}
	origin_done(&p->origin);
	p->origin = c;
	return 0;
}

int cuv_lock_set_wheel(struct cuv_locked *p, const char *file, const struct cuv_sha256 *sha256, uint64_t size_bytes)
{
	char *own = strdup(file);

	if (!own)
		return -ENOMEM;
	free(p->file);
	p->file = own;
	p->sha256 = *sha256;
	p->size_bytes = size_bytes;
	return 0;
}

int cuv_lock_set_version(struct cuv_locked *p, const char *version)
{
	char *own = strdup(version);

	if (!own)
		return -ENOMEM;
	free(p->version);
	p->version = own;
	return 0;
}

size_t cuv_lock_pending(const struct cuv_lock *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += !l->packages[i].file;
	return n;
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

static bool url_valid(const char *url)
{
	size_t len = strlen(url);

	if (len == 0 || len > CUV_URL_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (url[i] <= ' ' || url[i] > '~')
			return false;
	return true;
}

bool cuv_lock_commit_valid(const char *commit)
{
	size_t len = strlen(commit);

	return (len == 40 || len == 64) && strspn(commit, "0123456789abcdef") == len;
}

/* A source distribution's name, of the letters that a store path takes. */
static bool source_file_valid(const char *file)
{
	size_t len = strlen(file);

	return len > 0 && len <= CUV_WHEEL_FILE_MAX && file[0] != '.' &&
	       strspn(file, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+!-") == len;
}

/* A relative path that stays below where it starts. */
bool cuv_lock_subdirectory_valid(const char *path)
{
	size_t len = strlen(path);

	if (len == 0 || len > CUV_WHEEL_FILE_MAX || path[0] == '/')
		return false;
	for (const char *at = path; *at; at += strspn(at, "/")) {
		size_t n = strcspn(at, "/");

		if (strncmp(at, "..", CUV_MAX(n, 2u)) == 0)
			return false;
		for (size_t i = 0; i < n; i++)
			if ((unsigned char)at[i] < ' ' || at[i] == 0x7f || at[i] == '\\')
				return false;
		at += n;
	}
	return true;
}

static bool origin_valid(const struct cuv_locked *p)
{
	const struct cuv_origin *o = &p->origin;

	if ((p->url && !url_valid(p->url)) || (o->url && !url_valid(o->url)))
		return false;
	if (o->kind != CUV_ORIGIN_BUILT)
		return p->file && !o->file && !o->url && !o->commit && !o->subdirectory && !o->user_url &&
		       !o->wheelhouse &&
		       (o->kind == CUV_ORIGIN_INDEX || (o->kind == CUV_ORIGIN_URL) == (p->url != NULL));
	if (p->url || (o->wheelhouse && (o->url || o->commit)) ||
	    (o->subdirectory && !cuv_lock_subdirectory_valid(o->subdirectory)))
		return false;
	return o->commit ? cuv_lock_commit_valid(o->commit) && o->url && !o->file
			 : o->file && source_file_valid(o->file);
}

static int check_package(const struct cuv_locked *p, const struct cuv_python *python, struct cuv_error *err)
{
	const bool told = p->version[0] || p->file || p->origin.kind != CUV_ORIGIN_BUILT;
	char store_name[CUV_STORE_NAME_SIZE];
	struct cuv_wheel w;

	if (!name_valid(p->name) || (told && !version_valid(p->version)))
		return cuv_error_set(err, CUV_E_INTERNAL, "the lock names a package `%.100s` of version `%.100s`",
				     p->name, p->version);
	if (!origin_valid(p) || cuv_lock_install_name(p, store_name) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "the lock has no well-formed origin of %s", p->name);
	if (!p->file)
		return 0;
	if (cuv_wheel_parse(p->file, &w) < 0 || !cuv_wheel_is_of(&w, p->name) || cuv_lock_wheel_name(p, store_name) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "the lock names a wheel `%.200s` for %s", p->file, p->name);
	if (cuv_wheel_rank(&w, python) < 0)
		return cuv_error_set(err, CUV_E_WHEEL_UNAVAILABLE,
				     "%s %s: the wheel `%s` does not fit CPython %s on " CUV_PLATFORM, p->name,
				     p->version, p->file, python->version);
	if (p->size_bytes > CUV_WHEEL_BYTES_MAX)
		return cuv_error_set(err, CUV_E_ENVIRONMENT_TOO_LARGE,
				     "%s %s: its wheel of %" PRIu64 " MiB is larger than the limit of %llu MiB",
				     p->name, p->version, p->size_bytes >> 20, CUV_WHEEL_BYTES_MAX >> 20);
	return 0;
}

int cuv_lock_seal(struct cuv_lock *l, struct cuv_error *err)
{
	const struct cuv_python *python = cuv_python_find(l->python);
	uint64_t total = 0;

	if (!python)
		return cuv_error_set(err, CUV_E_INTERNAL, "the lock is for Python `%s`, of which there is no image",
				     l->python);
	if (l->n > 1)
		qsort(l->packages, l->n, sizeof(l->packages[0]), compare_packages);
	for (size_t i = 0; i < l->n; i++) {
		const struct cuv_locked *p = &l->packages[i];

		if (check_package(p, python, err) < 0)
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
	return p->file ? store_name(p->file, ret) : -EINVAL;
}

int cuv_lock_install_name(const struct cuv_locked *p, char ret[CUV_STORE_NAME_SIZE])
{
	char text[CUV_STORE_NAME_SIZE];
	int n = snprintf(text, sizeof(text), "%s-%s", p->name, p->version);

	return n < 0 || (size_t)n >= sizeof(text) ? -EINVAL : store_name(text, ret);
}
