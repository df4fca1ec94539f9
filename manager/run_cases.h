/* SPDX-License-Identifier: MIT */
/*
 * One program, many inputs: the field `cases`, a JSON array of objects with `stdin` (a
 * text, or {"base64": "…"}) and `args` (an array of strings), both optional. What a case
 * does not say is as for the whole request. Each is a run of its own.
 */
#ifndef CUV_RUN_CASES_H
#define CUV_RUN_CASES_H

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/base/strv.h"

#include <stddef.h>

#define CUV_CASES_MAX 64
#define CUV_CASES_TEXT_MAX (8u * 1024 * 1024)
/* Cases times wall time. */
#define CUV_CASES_WALL_MS_MAX 1200000u

struct cuv_run_case {
	bool has_stdin, has_args;
	struct cuv_buf stdin_data;
	struct cuv_strv args;
};

struct cuv_run_cases {
	struct cuv_run_case *items; /* owned */
	size_t n;
};
void cuv_run_cases_done(struct cuv_run_cases *c);

/* Reads the field's text into *ret, which must be empty. 0, or negative with err set. */
int cuv_run_cases_read(const char *text, size_t len, struct cuv_run_cases *ret, struct cuv_error *err);

#endif
