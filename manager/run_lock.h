/* SPDX-License-Identifier: MIT */
/*
 * What a run can name instead of requirements: a lock (pylock.toml), or the digest
 * of an environment. Used by the HTTP form and by `cuvette run`.
 */
#ifndef CUV_RUN_LOCK_H
#define CUV_RUN_LOCK_H

#include "manager/job.h"

/* Reads a lock for this Python (its full version) and appends the complete form
 * that the builder takes. 0; -EINVAL with err. */
int cuv_run_lock_read(const char *text, size_t len, const char *python, struct cuv_buf *out, struct cuv_error *err);
/* Checks a digest; what names the field or option. 0; -EINVAL with err FIELD_INVALID. */
int cuv_run_digest_read(const char *what, const char *digest, struct cuv_error *err);

#endif
