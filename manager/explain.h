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

/* As docs/api.md has it: lines, ignored, brought, truncated. A new reference, NULL
 * without memory. */
json_t *cuv_explain(const struct cuv_requirements *reqs, const struct cuv_environment *e);

#endif
