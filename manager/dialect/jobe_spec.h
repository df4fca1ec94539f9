/* SPDX-License-Identifier: MIT */
/*
 * The body of the Jobe dialect's POST runs, {"run_spec": {…}}, as what a job needs. Its
 * clients are PHP: a list that is empty may stand where an object would, numbers may be
 * strings, and members that nobody knows are nobody's business.
 */
#ifndef CUV_JOBE_SPEC_H
#define CUV_JOBE_SPEC_H

#include "lib/base/error.h"
#include "lib/base/strv.h"
#include "lib/proto/limits.h"

#include <jansson.h>

#define CUV_JOBE_LANGUAGE "python3"
#define CUV_JOBE_FILES_MAX 256
/* What a run may ask for, s of CPU time. */
#define CUV_JOBE_CPU_S_MAX 120
/* What a megabyte is there. */
#define CUV_JOBE_MB 1024000ull

struct cuv_jobe_spec {
	json_t *body; /* owned; pointers below are into it */
	const char *source;
	size_t source_len;
	const char *name; /* of the program's file */
	const char *input;
	size_t input_len;
	struct {
		const char *id;	  /* cuv_jobe_id_valid */
		const char *name; /* one component, and none of them the program's */
	} files[CUV_JOBE_FILES_MAX];
	size_t n_files;
	struct cuv_strv run_args;
	/* Before the program's name; those that would change nothing are left out. */
	struct cuv_strv interpreter_args;
	struct cuv_limits limits;
};

/* Fills *ret, to be done with in any case. 0, or negative with err set: BAD_JSON,
 * FIELD_INVALID, CODE_MISSING, LIMIT_EXCEEDED, TOO_LARGE, OVERLOADED. */
int cuv_jobe_spec_read(const char *text, size_t len, struct cuv_jobe_spec *ret, struct cuv_error *err);
void cuv_jobe_spec_done(struct cuv_jobe_spec *s);

/* Any JSON object, within the bounds that all bodies have; a new reference, or NULL with
 * err set (BAD_JSON). Of a member that comes twice the last one counts. */
json_t *cuv_jobe_parse(const char *text, size_t len, struct cuv_error *err);

#endif
