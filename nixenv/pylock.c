/* SPDX-License-Identifier: MIT */
#include "nixenv/pylock.h"

#include "nixenv/toml.h"
#include "nixenv/wheel.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define WHEELS_MAX 2000

/* A wheel of the file that was read: all borrowed from the JSON. */
struct candidate {
	const char *url;
	char file[CUV_WHEEL_FILE_MAX + 1];
	struct cuv_wheel wheel; /* slices of file */
	int rank;
	struct cuv_sha256 sha256;
	uint64_t size_bytes;
};

/* 0; 1 for a wheel that does not fit or whose name can't be read; -EINVAL for an
 * entry that is not one. */
static int read_wheel(json_t *j, const struct cuv_python *python, struct candidate *ret)
{
	const char *url = NULL, *hex = NULL, *name = NULL;
	json_int_t size = 0;

	if (json_unpack(j, "{s:s, s?s, s:{s:s}, s?I}", "url", &url, "name", &name, "hashes", "sha256", &hex, "size",
			&size) < 0 ||
	    strlen(url) > CUV_URL_MAX || cuv_unhex(hex, sizeof(ret->sha256.bytes), ret->sha256.bytes) < 0 || size < 0)
		return -EINVAL;
	ret->url = url;
	ret->size_bytes = (uint64_t)size;
	if (name && strlen(name) <= CUV_WHEEL_FILE_MAX)
		(void)snprintf(ret->file, sizeof(ret->file), "%s", name);
	else if (cuv_wheel_file_of_url(url, ret->file) < 0)
		return 1;
	if (cuv_wheel_parse(ret->file, &ret->wheel) < 0)
		return 1;
	ret->rank = cuv_wheel_rank(&ret->wheel, python);
	return ret->rank < 0 ? 1 : 0;
}

static void move_candidate(struct candidate *to, const struct candidate *from)
{
	*to = *from;
	/* The slices point into the struct that was copied. */
	(void)cuv_wheel_parse(to->file, &to->wheel);
}

static bool hash_allowed(const struct cuv_requirements *reqs, const char *name, const struct cuv_sha256 *hash)
{
	char text[7 + CUV_SHA256_HEX_SIZE] = "sha256:";

	cuv_hex(hash->bytes, sizeof(hash->bytes), text + 7);
	return !reqs || cuv_requirements_allow_hash(reqs, name, text);
}

/* 0; 1 when none fits; 2 when none that fits has a hash that reqs (or NULL) allow. */
static int best_wheel(json_t *wheels, const struct cuv_python *python, const struct cuv_requirements *reqs,
		      const char *name, struct candidate *ret)
{
	bool found = false, fits = false;
	size_t i;
	json_t *j;

	if (json_array_size(wheels) > WHEELS_MAX)
		return -EINVAL;
	json_array_foreach(wheels, i, j)
	{
		struct candidate c = {0};
		int r = read_wheel(j, python, &c);

		if (r < 0)
			return r;
		if (r > 0)
			continue;
		fits = true;
		if (strncmp(c.url, CUV_PYLOCK_OFFERS, strlen(CUV_PYLOCK_OFFERS)) != 0 &&
		    !hash_allowed(reqs, name, &c.sha256))
			continue;
		if (!found || cuv_wheel_better(&c.wheel, c.rank, &ret->wheel, ret->rank))
			move_candidate(ret, &c);
		found = true;
	}
	return found ? 0 : fits ? 2 : 1;
}

bool cuv_pylock_fits(json_t *wheels, const struct cuv_python *python)
{
	struct candidate best = {0};

	return best_wheel(wheels, python, NULL, NULL, &best) == 0;
}

static int no_wheel(int why, const char *name, const char *version, const struct cuv_lock *l, char *ret_package,
		    struct cuv_error *err)
{
	if (ret_package)
		(void)snprintf(ret_package, CUV_NAME_LEN_MAX + 1, "%s", name);
	if (why == 2)
		return cuv_error_set(err, CUV_E_HASH_MISMATCH, "no wheel of %.128s %.64s has one of the listed hashes",
				     name, version);
	return cuv_error_set(err, CUV_E_WHEEL_UNAVAILABLE,
			     "%.128s %.64s has no wheel for CPython %s on " CUV_PLATFORM
			     "; choose a version that has one",
			     name, version, l->python);
}

static int add_package(json_t *j, const struct cuv_requirements *reqs, struct cuv_lock *l, char *ret_package,
		       struct cuv_error *err)
{
	const char *name, *version;
	json_t *wheels = NULL;
	struct candidate best = {0};
	int r;

	/* A `marker` is one that the resolver found true for this platform: what it
	 * found false is not in the file. */
	if (json_unpack(j, "{s:s, s:s, s?o}", "name", &name, "version", &version, "wheels", &wheels) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "the resolver's answer has a package of an unknown form");
	r = best_wheel(wheels, cuv_python_find(l->python), reqs, name, &best);
	if (r < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "the resolver's answer has a wheel of an unknown form");
	if (r > 0)
		return no_wheel(r, name, version, l, ret_package, err);
	r = cuv_lock_add(l, name, version, best.file, best.url, &best.sha256, best.size_bytes);
	if (r == -E2BIG)
		return cuv_error_set(err, CUV_E_ENVIRONMENT_TOO_LARGE, "more than %d packages are needed",
				     CUV_PACKAGES_MAX);
	return r < 0 ? cuv_error_set(err, CUV_E_INTERNAL, "out of memory") : 0;
}

int cuv_pylock_read(const char *text, size_t len, const char *python, const struct cuv_requirements *reqs,
		    struct cuv_lock *ret, char *ret_package, struct cuv_error *err)
{
	_cleanup_lock_ struct cuv_lock l = CUV_LOCK_INIT;
	json_auto_t *root = NULL;
	struct cuv_toml_error where;
	const char *version;
	json_t *packages = NULL, *j;
	size_t i;
	int r;

	if (ret_package)
		ret_package[0] = '\0';
	r = cuv_toml_parse(text, len, &root, &where);
	if (r == -ENOMEM)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	if (r < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "the resolver's answer has %s in line %u", where.reason,
				     where.line);
	if (json_unpack(root, "{s:s, s?o}", "lock-version", &version, "packages", &packages) < 0 ||
	    strncmp(version, "1.", 2) != 0 || (packages && !json_is_array(packages)))
		return cuv_error_set(err, CUV_E_INTERNAL, "the resolver's answer is not a lock of version 1");
	if (!cuv_python_find(python))
		return cuv_error_set(err, CUV_E_INTERNAL, "there is no image of Python `%s`", python);
	(void)snprintf(l.python, sizeof(l.python), "%s", python);
	json_array_foreach(packages, i, j)
	{
		if (add_package(j, reqs, &l, ret_package, err) < 0)
			return -EINVAL;
	}
	if (cuv_lock_seal(&l, err) < 0)
		return -EINVAL;
	*ret = l;
	l = CUV_LOCK_INIT;
	return 0;
}
