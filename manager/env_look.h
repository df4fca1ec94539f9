/* SPDX-License-Identifier: MIT */
/* The manager's questions about environments that nobody runs in just now (lib/proto/look.h). */
#ifndef CUV_ENV_LOOK_H
#define CUV_ENV_LOOK_H

#include "lib/proto/look.h"
#include "manager/budget.h"
#include "manager/job.h"

/* What the environment of a valid digest is, and the text of its lock (empty where it can't be
 * had), which is charged for. ret must be empty, lock has its limit. 0, or negative with
 * err set (ENVIRONMENT_UNKNOWN, UNAVAILABLE, OVERLOADED). */
int cuv_env_look(const struct cuv_peers *p, const char *digest, struct cuv_charge *charge, struct cuv_look *ret,
		 struct cuv_buf *lock, struct cuv_error *err);
/* Which of these, at most CUV_WHICH_MAX, are there; ret must be empty. As above. */
int cuv_env_which(const struct cuv_peers *p, const struct cuv_which *asked, struct cuv_which *ret,
		  struct cuv_error *err);

#endif
