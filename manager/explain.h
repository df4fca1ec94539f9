/* SPDX-License-Identifier: MIT */
/* What came of each line that a user sent: which version it led to, or why none. */
#ifndef CUV_EXPLAIN_H
#define CUV_EXPLAIN_H

#include "lib/proto/messages.h"
#include "nixenv/requirements.h"

#include <jansson.h>

/* Most lines that are explained; more are left out and said to be. */
#define CUV_EXPLAIN_LINES_MAX 500
/* Memory that the explanation of a line may take, at most. */
#define CUV_EXPLAIN_LINE_BYTES 2048
/* The same for each byte of the lock. */
#define CUV_EXPLAIN_LOCK_FACTOR 8

/* As docs/api.md has it: lines, ignored, indexes, brought, packages, truncated. lock is the text
 * of the environment's lock, NULL when there is none. A new reference, NULL without memory. */
json_t *cuv_explain(const struct cuv_requirements *reqs, const struct cuv_environment *e, const struct cuv_buf *lock);

#endif
