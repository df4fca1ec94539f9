/* SPDX-License-Identifier: MIT */
/*
 * Format and lint by ruff, each in a box of its own: what is run, and how its
 * reports become ours. The code that runs is always what was uploaded, never
 * the formatted text.
 */
#ifndef CUV_LINT_H
#define CUV_LINT_H

#include "manager/job.h"
#include "manager/lint_settings.h"

#include <jansson.h>

enum cuv_lint_tool { CUV_LINT_FORMAT, CUV_LINT_CHECK };

/* The longest that a job waits for ruff once the program has ended. */
#define CUV_LINT_WAIT_MS 10000
#define CUV_LINT_OUT_MAX (16u << 20)
#define CUV_LINT_WARNINGS_MAX 10000
#define CUV_LINT_SYNTAX "invalid-syntax" /* the code of what can't be parsed */

/* Fills in the box for ruff; the code, which is for that Python unless the settings (NULL:
 * there are none) say another, goes to its stdin. 0 or -ENOMEM. */
int cuv_lint_run(enum cuv_lint_tool tool, const struct cuv_lint_settings *settings, const struct cuv_python *python,
		 const struct cuv_tools *tools, const char *run_id, struct cuv_run *ret);

/* Fills in the box of a `ruff server`, which stays (ruff/server.h) and takes all code
 * to be for the default Python; it has less
 * time than a run may have, and is replaced before. 0 or -ENOMEM. */
#define CUV_LINT_SERVER_MS 300000
int cuv_lint_server_run(const struct cuv_tools *tools, struct cuv_run *ret);

/* Our warnings (taken over) by place, and at the same place by code and message:
 * ruff check leaves those in any order. At most CUV_LINT_WARNINGS_MAX of them; a
 * new reference. NULL, which is passed on, or no memory. */
json_t *cuv_lint_sorted(json_t *warnings);

/* ruff's JSON as our list of warnings (docs/api.md); a new reference. An empty
 * list for an empty text; NULL when it is not what ruff writes. syntax_only:
 * only the first syntax error, for code that can't be parsed. */
json_t *cuv_lint_warnings(const char *text, size_t len, bool syntax_only);
/* True when ruff's JSON has a syntax error. */
bool cuv_lint_has_syntax_error(const char *text, size_t len);

#endif
