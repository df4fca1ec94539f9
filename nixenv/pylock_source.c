/* SPDX-License-Identifier: MIT */
#include "lib/base/clock.h"
#include "nixenv/pep440.h"
#include "nixenv/pep440_compare.h"
#include "nixenv/pylock_reader.h"
#include "nixenv/wheel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEX_LEN 64

/* One file that an entry names; the texts are the document's. */
struct file {
	const json_t *entry;
	const char *url;  /* NULL: there is none */
	const char *path; /* NULL: there is none, or a url besides */
	char name[CUV_WHEEL_FILE_MAX + 1];
	struct cuv_wheel wheel; /* slices of name */
	int rank;
};

static int no_memory(struct cuv_pylock_reader *r)
{
	return cuv_error_set(r->err, CUV_E_INTERNAL, "out of memory");
}

/* --- the parts of an entry --- */

/* The last part of a file's address or path; left empty when it is too long. */
static void base_name(const struct file *f, char ret[CUV_WHEEL_FILE_MAX + 1])
{
	const char *slash = f->path ? strrchr(f->path, '/') : NULL, *last = slash ? slash + 1 : f->path;

	ret[0] = '\0';
	if (f->url && cuv_wheel_file_of_url(f->url, ret) < 0)
		ret[0] = '\0';
	else if (last && strlen(last) <= CUV_WHEEL_FILE_MAX)
		(void)snprintf(ret, CUV_WHEEL_FILE_MAX + 1, "%s", last);
}

/* The file's name: as it is said, else the last part of address or path. Other
 * names than a wheel's or a source distribution's may have are left empty. */
static int file_name(struct cuv_pylock_reader *r, struct file *f)
{
	const char *name;
	int e = cuv_pylock_text(r, f->entry, "name", &name);

	e = e ? e : cuv_pylock_text(r, f->entry, "url", &f->url);
	e = e ? e : cuv_pylock_text(r, f->entry, "path", &f->path);
	if (e < 0)
		return e;
	if (f->url)
		f->path = NULL;
	f->name[0] = '\0';
	if (name && strlen(name) <= CUV_WHEEL_FILE_MAX)
		(void)snprintf(f->name, sizeof(f->name), "%s", name);
	else if (!name)
		base_name(f, f->name);
	return 0;
}

static int read_hash(struct cuv_pylock_reader *r, const json_t *entry, struct cuv_sha256 *ret)
{
	const json_t *hashes = json_object_get(entry, "hashes"), *value = json_object_get(hashes, "sha256");
	const char *hex = json_string_value(value);

	if (!json_is_object(hashes))
		return cuv_pylock_fail(r, hashes ? hashes : entry, CUV_E_LOCK_INVALID,
				       "a file needs `hashes`: hashes = { sha256 = \"…\" }");
	if (!value)
		return cuv_pylock_fail(r, hashes, CUV_E_LOCK_UNSUPPORTED,
				       "files are taken by their sha256, and this one has only other hashes");
	if (!hex || strlen(hex) != HEX_LEN || cuv_unhex(hex, sizeof(ret->bytes), ret->bytes) < 0)
		return cuv_pylock_fail(r, value, CUV_E_LOCK_INVALID, "`sha256` must be %d hexadecimal digits", HEX_LEN);
	return 0;
}

static int read_size(struct cuv_pylock_reader *r, const json_t *entry, uint64_t *ret)
{
	const json_t *size = json_object_get(entry, "size");

	*ret = 0;
	if (!size)
		return 0;
	if (!json_is_integer(size) || json_integer_value(size) < 0)
		return cuv_pylock_fail(r, size, CUV_E_LOCK_INVALID, "`size` must be a number of bytes");
	*ret = (uint64_t)json_integer_value(size);
	return 0;
}

/* An address as it may be kept: http(s), without credentials, its fragment cut off. */
static int read_url(struct cuv_pylock_reader *r, const json_t *entry, const char *url, struct cuv_buf *ret)
{
	const json_t *at = cuv_pylock_place(entry, "url");
	size_t scheme = strncmp(url, "https://", 8) == 0 ? 8 : strncmp(url, "http://", 7) == 0 ? 7 : 0;
	size_t len = strcspn(url, "#");

	if (scheme == 0)
		return cuv_pylock_fail(r, at, CUV_E_LOCK_UNSUPPORTED,
				       "only https:// and http:// addresses can be fetched from");
	if (len > CUV_URL_MAX)
		return cuv_pylock_fail(r, at, CUV_E_LOCK_INVALID, "an address may have at most %d characters",
				       CUV_URL_MAX);
	for (size_t i = 0; i < len; i++)
		if (url[i] <= ' ' || url[i] > '~')
			return cuv_pylock_fail(r, at, CUV_E_LOCK_INVALID,
					       "an address can hold printable ASCII only; escape the rest with %%");
	if (memchr(url + scheme, '@', CUV_MIN(strcspn(url + scheme, "/?"), len - scheme)))
		return cuv_pylock_fail(
			r, at, CUV_E_LOCK_UNSUPPORTED,
			"an address with credentials is not taken: whoever runs the service sets those of "
			"its indexes");
	return cuv_buf_add(ret, url, len) < 0 ? no_memory(r) : 0;
}

/* Whether a file is one of the machine that the lock was made on. */
static bool is_local(const struct file *f)
{
	return f->path || (f->url && strncmp(f->url, "file:", 5) == 0);
}

/* Such a file is looked for by its last part, so that must be the name of what is meant. */
static int check_local(struct cuv_pylock_reader *r, const struct file *f)
{
	const json_t *at = json_object_get(f->entry, f->path ? "path" : "url");
	char base[CUV_WHEEL_FILE_MAX + 1];

	if (!(r->o->kinds & CUV_LOCK_PATH))
		return cuv_pylock_fail(
			r, at, CUV_E_LOCK_UNSUPPORTED,
			"a file of the machine that the lock was made on is not to be had here; it needs "
			"an https `url`, or whoever runs the service to have it in a folder of theirs and "
			"to allow the kind `path` (CUVETTE_WHEELHOUSE, CUVETTE_LOCK_KINDS)");
	base_name(f, base);
	if (f->name[0] && strcmp(base, f->name) == 0)
		return 0;
	return cuv_pylock_fail(r, at, CUV_E_LOCK_UNSUPPORTED,
			       "a file is looked for by the last part of its path, which must be its `name`");
}

/* Where a file is to be had: appends its address, if it has one. */
static int read_address(struct cuv_pylock_reader *r, const struct file *f, struct cuv_buf *ret)
{
	if (is_local(f))
		return check_local(r, f);
	return f->url ? read_url(r, f->entry, f->url, ret) : 0;
}

/* --- wheels --- */

/* 0; 1 for one that does not fit here. */
static int read_wheel(struct cuv_pylock_reader *r, const json_t *entry, struct file *ret)
{
	ret->entry = entry;
	if (!json_is_object(entry))
		return cuv_pylock_fail(r, entry, CUV_E_LOCK_INVALID, "a wheel must be a table");
	if (file_name(r, ret) < 0)
		return -EINVAL;
	if (cuv_wheel_parse(ret->name, &ret->wheel) < 0)
		return 1;
	ret->rank = cuv_wheel_rank(&ret->wheel, r->o->python);
	return ret->rank < 0 ? 1 : 0;
}

/* 0; 1 when there is none that fits. */
static int best_wheel(struct cuv_pylock_reader *r, const json_t *wheels, struct file *ret)
{
	bool found = false;
	size_t i;
	json_t *entry;

	if (wheels && !json_is_array(wheels))
		return cuv_pylock_fail(r, wheels, CUV_E_LOCK_INVALID, "`wheels` must be an array");
	if (json_array_size(wheels) > CUV_UPLOADED_WHEELS_MAX)
		return cuv_pylock_fail(r, wheels, CUV_E_LOCK_UNSUPPORTED, "a package may have at most %d wheels",
				       CUV_UPLOADED_WHEELS_MAX);
	json_array_foreach(wheels, i, entry)
	{
		struct file f = {0};
		int e = read_wheel(r, entry, &f);

		if (e < 0)
			return e;
		if (e > 0 || (found && !cuv_wheel_better(&f.wheel, f.rank, &ret->wheel, ret->rank)))
			continue;
		*ret = f;
		/* The slices point into the struct that was copied. */
		(void)cuv_wheel_parse(ret->name, &ret->wheel);
		found = true;
	}
	return found ? 0 : 1;
}

/* The version in a wheel's name; the one of the lock must be the same. */
static int wheel_version(struct cuv_pylock_reader *r, const struct file *f, const char *version, struct cuv_buf *ret)
{
	struct cuv_version said, named;
	bool ok = cuv_version_parse(f->wheel.version.at, f->wheel.version.len, &named) == CUV_VERSION_OK;

	if (version && ok && cuv_version_parse(version, strlen(version), &said) == CUV_VERSION_OK &&
	    cuv_version_compare(&said, &named) != 0)
		ok = false;
	if (!ok)
		return cuv_pylock_fail(r, f->entry, CUV_E_LOCK_INVALID, "the wheel `%s` is not of the version %s",
				       f->name, version ? version : "that its name should say");
	if (version)
		return cuv_buf_add_str(ret, version) < 0 ? no_memory(r) : 0;
	return cuv_version_format(&named, false, ret) < 0
		       ? cuv_pylock_fail(r, f->entry, CUV_E_LOCK_INVALID, "the version of `%s` is too long", f->name)
		       : 0;
}

static int check_wheel_name(struct cuv_pylock_reader *r, const struct file *f, const char *name)
{
	return cuv_wheel_is_of(&f->wheel, name)
		       ? 0
		       : cuv_pylock_fail(r, f->entry, CUV_E_LOCK_INVALID, "the wheel `%s` is not of %s", f->name, name);
}

static int add_package(struct cuv_pylock_reader *r, const json_t *at, const char *name, const char *version,
		       const char *file, const char *url, const struct cuv_sha256 *hash, uint64_t size)
{
	int e = cuv_lock_add(&r->lock, name, version, file, url, hash, size);

	if (e == -E2BIG)
		return cuv_pylock_fail(r, at, CUV_E_ENVIRONMENT_TOO_LARGE, "more than %d packages are needed",
				       CUV_PACKAGES_MAX);
	return e < 0 ? no_memory(r) : 0;
}

static int add_wheel(struct cuv_pylock_reader *r, const struct file *f, const char *name, const char *version)
{
	_cleanup_buf_ struct cuv_buf url = CUV_BUF_INIT(CUV_URL_MAX), own = CUV_BUF_INIT(64);
	const struct cuv_origin origin = {.kind = is_local(f) ? CUV_ORIGIN_WHEELHOUSE
						  : f->url    ? CUV_ORIGIN_URL
							      : CUV_ORIGIN_INDEX};
	struct cuv_sha256 hash;
	uint64_t size;

	if (check_wheel_name(r, f, name) < 0 || wheel_version(r, f, version, &own) < 0 ||
	    read_hash(r, f->entry, &hash) < 0 || read_size(r, f->entry, &size) < 0)
		return -EINVAL;
	if (read_address(r, f, &url) < 0)
		return -EINVAL;
	if (add_package(r, f->entry, name, cuv_buf_str(&own), f->name, url.len ? cuv_buf_str(&url) : NULL, &hash,
			size) < 0)
		return -EINVAL;
	return cuv_lock_set_origin(&r->lock.packages[r->lock.n - 1], &origin) < 0 ? no_memory(r) : 0;
}

/* --- sources to build from --- */

/* The wheel that came of a source when it was built (nixenv/pylock_write.h), or NULL. */
static const json_t *built_entry(const json_t *package)
{
	return json_object_get(json_object_get(json_object_get(package, "tool"), "cuvette"), "wheel");
}

/* Its version is the package's, where the lock says none; else it must be the same. */
static int built_wheel(struct cuv_pylock_reader *r, const json_t *package, struct cuv_locked *p)
{
	_cleanup_buf_ struct cuv_buf version = CUV_BUF_INIT(64);
	const json_t *entry = built_entry(package);
	struct cuv_sha256 hash;
	struct file f = {0};
	uint64_t size;
	int e;

	if (!entry)
		return 0;
	e = read_wheel(r, entry, &f);
	if (e > 0)
		return 0; /* built on another platform */
	if (e < 0 || check_wheel_name(r, &f, p->name) < 0 || read_hash(r, entry, &hash) < 0 ||
	    read_size(r, entry, &size) < 0)
		return -EINVAL;
	if (wheel_version(r, &f, p->version[0] ? p->version : NULL, &version) < 0)
		return -EINVAL;
	if (!p->version[0] && cuv_lock_set_version(p, cuv_buf_str(&version)) < 0)
		return no_memory(r);
	return cuv_lock_set_wheel(p, f.name, &hash, size) < 0 ? no_memory(r) : 0;
}

/* As of which date it was built (nixenv/pylock_write.h); what is not understood is
 * nothing. What its build needs is resolved as of it, and days to come have no index yet. */
static int read_as_of(struct cuv_pylock_reader *r, const json_t *package, int64_t *ret)
{
	const json_t *tool = json_object_get(json_object_get(package, "tool"), "cuvette");
	const char *date = json_string_value(json_object_get(tool, "as-of"));
	int64_t as_of_s;

	*ret = 0;
	if (!date || cuv_parse_rfc3339(date, &as_of_s) < 0)
		return 0;
	if (as_of_s > cuv_wall_s())
		return cuv_pylock_fail(r, cuv_pylock_place(tool, "as-of"), CUV_E_LOCK_INVALID,
				       "`as-of` must not be in the future");
	*ret = as_of_s;
	return 0;
}

static int read_subdirectory(struct cuv_pylock_reader *r, const json_t *entry, const char **ret)
{
	if (cuv_pylock_text(r, entry, "subdirectory", ret) < 0)
		return -EINVAL;
	if (*ret && !cuv_lock_subdirectory_valid(*ret))
		return cuv_pylock_fail(r, json_object_get(entry, "subdirectory"), CUV_E_LOCK_INVALID,
				       "`subdirectory` must be a relative path that stays below where it starts");
	return 0;
}

static int add_source(struct cuv_pylock_reader *r, const json_t *package, const json_t *entry, const char *name,
		      const char *version, struct cuv_origin *o)
{
	/* A project in a repository or an archive may say its version only when it is built. */
	if (!version && json_object_get(package, "sdist") == entry)
		return cuv_pylock_fail(r, entry, CUV_E_LOCK_UNSUPPORTED, "%s needs a `version`", name);
	if (read_as_of(r, package, &o->as_of_s) < 0)
		return -EINVAL;
	if (add_package(r, entry, name, version ? version : "", NULL, NULL, NULL, 0) < 0)
		return -EINVAL;
	if (cuv_lock_set_origin(&r->lock.packages[r->lock.n - 1], o) < 0)
		return no_memory(r);
	return built_wheel(r, package, &r->lock.packages[r->lock.n - 1]);
}

static int source_archive(struct cuv_pylock_reader *r, const json_t *package, const json_t *entry, const char *name,
			  const char *version)
{
	_cleanup_buf_ struct cuv_buf url = CUV_BUF_INIT(CUV_URL_MAX);
	struct cuv_origin o = {.kind = CUV_ORIGIN_BUILT};
	struct file f = {.entry = entry};
	const bool archive = json_object_get(package, "archive") == entry;
	const char *subdirectory = NULL;

	if (!json_is_object(entry))
		return cuv_pylock_fail(r, entry, CUV_E_LOCK_INVALID, "a source must be a table");
	if (file_name(r, &f) < 0 || read_hash(r, entry, &o.sha256) < 0 ||
	    (archive && read_subdirectory(r, entry, &subdirectory) < 0))
		return -EINVAL;
	if (!f.name[0])
		return cuv_pylock_fail(r, entry, CUV_E_LOCK_INVALID, "the source of %s has no file name", name);
	if (archive && !f.url && !f.path)
		return cuv_pylock_fail(r, entry, CUV_E_LOCK_INVALID, "the archive of %s needs a `url`", name);
	if (read_address(r, &f, &url) < 0)
		return -EINVAL;
	o.file = f.name;
	o.url = url.len ? (char *)(uintptr_t)cuv_buf_str(&url) : NULL;
	o.user_url = o.url != NULL;
	o.wheelhouse = is_local(&f);
	o.subdirectory = (char *)(uintptr_t)subdirectory;
	return add_source(r, package, entry, name, version, &o);
}

static int source_vcs(struct cuv_pylock_reader *r, const json_t *package, const json_t *entry, const char *name,
		      const char *version)
{
	_cleanup_buf_ struct cuv_buf own = CUV_BUF_INIT(CUV_URL_MAX);
	struct cuv_origin o = {.kind = CUV_ORIGIN_BUILT, .user_url = true};
	const char *type, *url, *commit, *subdirectory;

	if (!json_is_object(entry))
		return cuv_pylock_fail(r, entry, CUV_E_LOCK_INVALID, "`vcs` must be a table");
	if (cuv_pylock_text(r, entry, "type", &type) < 0 || cuv_pylock_text(r, entry, "url", &url) < 0 ||
	    cuv_pylock_text(r, entry, "commit-id", &commit) < 0 || read_subdirectory(r, entry, &subdirectory) < 0)
		return -EINVAL;
	if (!type || strcmp(type, "git") != 0)
		return cuv_pylock_fail(r, cuv_pylock_place(entry, "type"), CUV_E_LOCK_UNSUPPORTED,
				       "only repositories of `type` git are served");
	if (!url || !commit)
		return cuv_pylock_fail(r, entry, CUV_E_LOCK_UNSUPPORTED, "a repository needs `url` and `commit-id`");
	if (!cuv_lock_commit_valid(commit))
		return cuv_pylock_fail(r, json_object_get(entry, "commit-id"), CUV_E_LOCK_INVALID,
				       "`commit-id` must be a whole one: 40 or 64 hexadecimal digits in lower case");
	if (read_url(r, entry, url, &own) < 0)
		return -EINVAL;
	o.url = (char *)(uintptr_t)cuv_buf_str(&own);
	o.commit = (char *)(uintptr_t)commit;
	o.subdirectory = (char *)(uintptr_t)subdirectory;
	return add_source(r, package, entry, name, version, &o);
}

/* --- the choice --- */

/* Of `vcs`, `directory`, `archive` and (`sdist`, `wheels`) one only. */
static int check_single(struct cuv_pylock_reader *r, const json_t *package, const char *name)
{
	static const char *const alone[] = {"vcs", "directory", "archive"};
	int n = json_object_get(package, "sdist") || json_object_get(package, "wheels");

	for (size_t i = 0; i < ARRAY_SIZE(alone); i++)
		n += json_object_get(package, alone[i]) != NULL;
	if (n == 1)
		return 0;
	return cuv_pylock_fail(r, package, CUV_E_LOCK_INVALID,
			       n ? "%s has several sources: it can't be told which one is meant"
				 : "%s has no source: neither `wheels` nor any other",
			       name);
}

static int refuse_kind(struct cuv_pylock_reader *r, const json_t *entry, const char *kind, const char *name)
{
	return cuv_pylock_fail(r, entry, CUV_E_LOCK_UNSUPPORTED,
			       "%s comes from `%s`, which this service does not take; lock it as wheels of an index, "
			       "or ask whoever runs it to allow that kind (CUVETTE_LOCK_KINDS)",
			       name, kind);
}

static int refuse_directory(struct cuv_pylock_reader *r, const json_t *entry, const char *name)
{
	return cuv_pylock_fail(r, entry, CUV_E_LOCK_UNSUPPORTED,
			       "%s comes from a `directory`, which no service takes: a source tree has no hash, so "
			       "the lock does not say which bytes are meant; lock it as a wheel or an `sdist`",
			       name);
}

typedef int source_reader(struct cuv_pylock_reader *r, const json_t *package, const json_t *entry, const char *name,
			  const char *version);

/* The builder can't tell the root of an archive from a source distribution, which it would
 * fetch: without an address it looks for what it has built of it already, and no further. */
static void withhold_address(struct cuv_locked *p)
{
	if (p->origin.commit || p->origin.subdirectory)
		return;
	free(p->origin.url);
	p->origin.url = NULL;
	p->origin.user_url = false;
	p->origin.wheelhouse = false;
}

/* Of a kind that needs to be allowed, unless the wheel that it came to is named: then
 * that one is looked for, and nothing is fetched. */
static int source_of_kind(struct cuv_pylock_reader *r, const json_t *package, unsigned kind, const char *key,
			  source_reader *read, const char *name, const char *version)
{
	const json_t *entry = json_object_get(package, key);
	struct cuv_locked *p;

	if (!(r->o->kinds & kind) && !built_entry(package))
		return refuse_kind(r, entry, key, name);
	if (read(r, package, entry, name, version) < 0)
		return -EINVAL;
	if (r->o->kinds & kind)
		return 0;
	p = &r->lock.packages[r->lock.n - 1];
	if (!p->file)
		return refuse_kind(r, entry, key, name);
	withhold_address(p);
	return 0;
}

/* An archive may be a wheel, as tools lock a requirement's own address: 0 when it
 * is one that fits, 1 when it is none. */
static int archived_wheel(struct cuv_pylock_reader *r, const json_t *archive, const char *name, struct file *ret)
{
	int e = read_wheel(r, archive, ret);

	if (e <= 0 || cuv_wheel_parse(ret->name, &ret->wheel) < 0)
		return e;
	return cuv_pylock_fail(r, archive, CUV_E_WHEEL_UNAVAILABLE,
			       "the wheel `%s` of %s is not for CPython %s on x86_64 Linux", ret->name, name,
			       r->lock.python);
}

int cuv_pylock_source(struct cuv_pylock_reader *r, const json_t *package, const char *name, const char *version)
{
	const json_t *vcs = json_object_get(package, "vcs"), *directory = json_object_get(package, "directory");
	const json_t *archive = json_object_get(package, "archive"), *sdist = json_object_get(package, "sdist");
	struct file best = {0};
	int e;

	if (check_single(r, package, name) < 0)
		return -EINVAL;
	if (directory)
		return refuse_directory(r, directory, name);
	if (vcs)
		return source_of_kind(r, package, CUV_LOCK_VCS, "vcs", source_vcs, name, version);
	if (archive && (e = archived_wheel(r, archive, name, &best)) <= 0)
		return e < 0 ? e : add_wheel(r, &best, name, version);
	if (archive)
		return source_of_kind(r, package, CUV_LOCK_ARCHIVE, "archive", source_archive, name, version);
	e = best_wheel(r, json_object_get(package, "wheels"), &best);
	if (e <= 0)
		return e < 0 ? e : add_wheel(r, &best, name, version);
	if (sdist && r->o->sdist)
		return source_archive(r, package, sdist, name, version);
	return cuv_pylock_fail(r, package, CUV_E_WHEEL_UNAVAILABLE,
			       "%s %s has no wheel for CPython %s on x86_64 Linux in this lock%s", name,
			       version ? version : "", r->lock.python,
			       sdist ? ", only a source distribution; choose a version that has one" : "");
}
