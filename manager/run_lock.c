/* SPDX-License-Identifier: MIT */
#include "manager/run_lock.h"

#include "nixenv/pylock_upload.h"

#include <errno.h>

/* Of several Pythons the lock is for the first one that it does not call another's. */
static int read_for(const char *text, size_t len, const struct cuv_python *wanted, struct cuv_lock *ret,
		    struct cuv_error *err)
{
	struct cuv_pylock_options o = {.python = wanted ? wanted : cuv_pythons, .sdist = true};
	struct cuv_error other;
	int r = cuv_pylock_upload(text, len, &o, ret, err);

	for (size_t i = 1; r < 0 && !wanted && err->code == CUV_E_LOCK_MISMATCH && i < cuv_pythons_n; i++) {
		o.python = &cuv_pythons[i];
		r = cuv_pylock_upload(text, len, &o, ret, &other);
		if (r < 0 && other.code != CUV_E_LOCK_MISMATCH) {
			*err = other;
			return r;
		}
	}
	return r;
}

int cuv_run_lock_read(const char *text, size_t len, const struct cuv_python *wanted,
		      const struct cuv_python **ret_python, struct cuv_buf *out, struct cuv_error *err)
{
	_cleanup_lock_ struct cuv_lock l = CUV_LOCK_INIT;
	int r;

	if (len == 0)
		return cuv_error_set(err, CUV_E_LOCK_EMPTY, "the lock has no bytes");
	if (read_for(text, len, wanted, &l, err) < 0)
		return -EINVAL;
	*ret_python = cuv_python_find(l.python);
	cuv_buf_init(out, CUV_LOCK_COMPLETE_BYTES_MAX);
	r = cuv_lock_complete(&l, out);
	if (r == -E2BIG)
		return cuv_error_set(err, CUV_E_ENVIRONMENT_TOO_LARGE, "the lock's addresses are longer than %u KiB",
				     CUV_LOCK_COMPLETE_BYTES_MAX >> 10);
	return r < 0 ? cuv_error_set(err, CUV_E_OVERLOADED, "no memory for the request") : 0;
}

int cuv_run_digest_read(const char *what, const char *digest, struct cuv_error *err)
{
	if (cuv_env_digest_valid(digest))
		return 0;
	return cuv_error_set(
		err, CUV_E_FIELD_INVALID,
		"%s must be the `environment.digest` of an answer: 32 characters of 0-9 and a-z without e o "
		"t u",
		what);
}
