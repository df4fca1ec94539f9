/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/sdist_plan.h"

#include "nixenv/pylock.h"
#include "nixenv/python.h"
#include "nixenv/toml.h"
#include "nixenv/wheel.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* The last part of the address's path, where that is plain. Nobody looks at its ending:
 * the archive's bytes say what it is. */
static void file_of_url(const char *url, char ret[CUV_WHEEL_FILE_MAX + 1])
{
	size_t end = strcspn(url, "?#"), start = end;

	while (start > 0 && url[start - 1] != '/')
		start--;
	(void)snprintf(ret, CUV_WHEEL_FILE_MAX + 1, "%.*s", (int)(end - start), url + start);
}

static int add_package(json_t *j, const struct cuv_strv *projects, struct cuv_lock *l, struct cuv_error *err)
{
	const char *name, *version, *url = NULL, *hex = NULL;
	struct cuv_origin origin = {.kind = CUV_ORIGIN_BUILT};
	_cleanup_free_ char *own = NULL;
	char file[CUV_WHEEL_FILE_MAX + 1];
	json_t *sdist = NULL, *wheels = NULL;
	int r;

	if (json_unpack(j, "{s:s, s:s, s?o, s?o}", "name", &name, "version", &version, "sdist", &sdist, "wheels",
			&wheels) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "the resolver's answer has a package of an unknown form");
	if (!sdist || (projects ? !cuv_strv_has(projects, name) : cuv_pylock_fits(wheels, cuv_python_find(l->python))))
		return 0;
	if (json_unpack(sdist, "{s:s, s:{s?s}}", "url", &url, "hashes", "sha256", &hex) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL,
				     "the resolver's answer has a source distribution of an unknown form");
	if (!hex || cuv_unhex(hex, sizeof(origin.sha256.bytes), origin.sha256.bytes) < 0)
		return cuv_error_set(err, CUV_E_WHEEL_UNAVAILABLE,
				     "%.128s %.64s has no wheel that fits, and the index does not tell the sha256 of "
				     "its source distribution",
				     name, version);
	file_of_url(url, file);
	origin.file = file;
	origin.url = own = strdup(url);
	r = own ? cuv_lock_add(l, name, version, NULL, NULL, NULL, 0) : -ENOMEM;
	if (r == 0)
		r = cuv_lock_set_origin(&l->packages[l->n - 1], &origin);
	if (r == -E2BIG)
		return cuv_error_set(err, CUV_E_ENVIRONMENT_TOO_LARGE, "more than %d packages are needed",
				     CUV_PACKAGES_MAX);
	return r < 0 ? cuv_error_set(err, CUV_E_INTERNAL, "out of memory") : 0;
}

int cuv_sdist_plan_read(const char *text, size_t len, const char *python, const struct cuv_strv *projects,
			struct cuv_lock *ret, struct cuv_error *err)
{
	_cleanup_lock_ struct cuv_lock l = CUV_LOCK_INIT;
	json_auto_t *root = NULL;
	json_t *packages = NULL, *j;
	size_t i;

	if (!cuv_python_find(python))
		return cuv_error_set(err, CUV_E_INTERNAL, "there is no image of Python `%s`", python);
	if (cuv_toml_parse(text, len, &root, NULL) < 0 || json_unpack(root, "{s?o}", "packages", &packages) < 0 ||
	    (packages && !json_is_array(packages)))
		return cuv_error_set(err, CUV_E_INTERNAL, "the resolver's answer is not a lock");
	(void)snprintf(l.python, sizeof(l.python), "%s", python);
	json_array_foreach(packages, i, j)
	{
		if (add_package(j, projects, &l, err) < 0)
			return -EINVAL;
	}
	if (cuv_lock_seal(&l, err) < 0)
		return -EINVAL;
	*ret = l;
	l = CUV_LOCK_INIT;
	return 0;
}
