/* SPDX-License-Identifier: MIT */
#include "manager/run_lock.h"

#include "nixenv/pylock_upload.h"

#include <errno.h>

int cuv_run_lock_read(const char *text, size_t len, const char *python, struct cuv_buf *out, struct cuv_error *err)
{
	const struct cuv_pylock_options o = {.python_full = python};
	_cleanup_lock_ struct cuv_lock l = CUV_LOCK_INIT;
	int r;

	if (len == 0)
		return cuv_error_set(err, CUV_E_LOCK_EMPTY, "the lock has no bytes");
	if (cuv_pylock_upload(text, len, &o, &l, err) < 0)
		return -EINVAL;
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
