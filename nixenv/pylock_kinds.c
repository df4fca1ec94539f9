/* SPDX-License-Identifier: MIT */
#include "nixenv/pylock_kinds.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static const char separators[] = ", \t";

static const struct {
	const char *name;
	unsigned kind;
} kinds_by_name[] = {
	{"vcs", CUV_LOCK_VCS},	 {"archive", CUV_LOCK_ARCHIVE}, {"path", CUV_LOCK_PATH},
	{"file", CUV_LOCK_PATH}, {"file:", CUV_LOCK_PATH},
};

static bool is(const char *at, size_t len, const char *name)
{
	return strlen(name) == len && memcmp(at, name, len) == 0;
}

static int read_one(const char *at, size_t len, unsigned *ret, struct cuv_error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds_by_name); i++)
		if (is(at, len, kinds_by_name[i].name)) {
			*ret |= kinds_by_name[i].kind;
			return 0;
		}
	if (is(at, len, "directory"))
		return cuv_error_set(err, CUV_E_BAD_REQUEST,
				     "lock-kinds: `directory` can't be allowed: a source tree has no hash, so that no "
				     "lock says which bytes are meant; there are vcs, archive and path");
	return cuv_error_set(err, CUV_E_BAD_REQUEST,
			     "lock-kinds: there is no kind `%.*s`; there are vcs, archive and path",
			     (int)CUV_MIN(len, 40u), at);
}

int cuv_lock_kinds_read(const char *list, unsigned *ret, struct cuv_error *err)
{
	unsigned kinds = 0;

	for (const char *at = list; at && *(at += strspn(at, separators));) {
		size_t len = strcspn(at, separators);

		if (read_one(at, len, &kinds, err) < 0)
			return -EINVAL;
		at += len;
	}
	*ret = kinds;
	return 0;
}

int cuv_lock_kinds_check(unsigned kinds, const char *wheelhouse, struct cuv_error *err)
{
	struct stat st;

	if (!wheelhouse || !wheelhouse[0])
		return kinds & CUV_LOCK_PATH
			       ? cuv_error_set(err, CUV_E_BAD_REQUEST,
					       "lock-kinds: `path` needs the folder that such files are taken from "
					       "(--wheelhouse, CUVETTE_WHEELHOUSE)")
			       : 0;
	if (wheelhouse[0] != '/' || stat(wheelhouse, &st) < 0 || !S_ISDIR(st.st_mode))
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "wheelhouse: `%s` is not the absolute path of a folder",
				     wheelhouse);
	return 0;
}
