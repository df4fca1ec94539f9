/* SPDX-License-Identifier: MIT */
/*
 * Format and lint by ruff, each in a box of its own: what is run, and how its
 * reports become ours. The code that runs is always what was uploaded, never
 * the formatted text.
 */
#ifndef CUV_LINT_H
#define CUV_LINT_H

#include "manager/job.h"

#include <jansson.h>

enum cuv_lint_tool { CUV_LINT_FORMAT, CUV_LINT_CHECK };

/* The longest that a job waits for ruff once the program has ended. */
#define CUV_LINT_WAIT_MS 10000
#define CUV_LINT_OUT_MAX (16u << 20)

/* Fills in the box for ruff; the code goes to its stdin. 0 or -ENOMEM. */
int cuv_lint_run(enum cuv_lint_tool tool, const struct cuv_tools *tools, const char *run_id, struct cuv_run *ret);

/* ruff's JSON as our list of warnings (docs/api.md); a new reference. An empty
 * list for an empty text; NULL when it is not what ruff writes. syntax_only:
 * only the first syntax error, for code that can't be parsed. */
json_t *cuv_lint_warnings(const char *text, size_t len, bool syntax_only);
/* True when ruff's JSON has a syntax error. */
bool cuv_lint_has_syntax_error(const char *text, size_t len);

#endif
