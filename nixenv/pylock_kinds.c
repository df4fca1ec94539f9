/* SPDX-License-Identifier: MIT */
#include "nixenv/pylock_kinds.h"

#include <errno.h>
#include <string.h>

static const char separators[] = ", \t";

static bool is(const char *at, size_t len, const char *name)
{
	return strlen(name) == len && memcmp(at, name, len) == 0;
}

static int read_one(const char *at, size_t len, unsigned *ret, struct cuv_error *err)
{
	static const char *const elsewhere[] = {"directory", "path", "file", "file:"};

	for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++)
		if (is(at, len, elsewhere[i]))
			return cuv_error_set(err, CUV_E_BAD_REQUEST,
					     "lock-kinds: `%s` can't be allowed: it names a place on the machine that "
					     "the lock was made on, which no service has; there are vcs and archive",
					     elsewhere[i]);
	if (!is(at, len, "vcs") && !is(at, len, "archive"))
		return cuv_error_set(err, CUV_E_BAD_REQUEST,
				     "lock-kinds: there is no kind `%.*s`; there are vcs and archive",
				     (int)CUV_MIN(len, 40u), at);
	*ret |= is(at, len, "vcs") ? CUV_LOCK_VCS : CUV_LOCK_ARCHIVE;
	return 0;
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
