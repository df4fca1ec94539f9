/* SPDX-License-Identifier: MIT */
/*
 * What a run can name instead of requirements: a lock (pylock.toml), or the digest
 * of an environment. Used by the HTTP form and by `cuvette run`.
 */
#ifndef CUV_RUN_LOCK_H
#define CUV_RUN_LOCK_H

#include "manager/job.h"
#include "nixenv/pylock_kinds.h"
#include "nixenv/python.h"

/* Which of a lock's extras and dependency groups are asked for, in normal form. */
struct cuv_run_lock_sets {
	struct cuv_strv extras;
	struct cuv_strv groups;
	bool groups_given; /* else the lock's default ones */
};
void cuv_run_lock_sets_done(struct cuv_run_lock_sets *s);
/* Reads names with commas between them, which may be none; what names the field or
 * option. text may be NULL: nothing was said. 0; -EINVAL with err. */
int cuv_run_lock_extras(struct cuv_run_lock_sets *s, const char *what, const char *text, struct cuv_error *err);
int cuv_run_lock_groups(struct cuv_run_lock_sets *s, const char *what, const char *text, struct cuv_error *err);

/* Which kinds of entries locks may have (nixenv/pylock_kinds.h); none unless this is said, once, before any
 * thread is started. What the builder does not allow is refused there in any case. */
void cuv_run_lock_allow(unsigned kinds);

/* Reads a lock for the wanted Python, or (NULL) for the first one that it is for, and
 * writes the complete form that the builder takes to out, which must be empty. 0 with
 * *ret_python; -EINVAL with err. */
int cuv_run_lock_read(const char *text, size_t len, const struct cuv_python *wanted,
		      const struct cuv_run_lock_sets *sets, const struct cuv_python **ret_python, struct cuv_buf *out,
		      struct cuv_error *err);
/* Checks a digest; what names the field or option. 0; -EINVAL with err FIELD_INVALID. */
int cuv_run_digest_read(const char *what, const char *digest, struct cuv_error *err);

#endif
