/* SPDX-License-Identifier: MIT */
/* What `cuvette run` is given, read and checked by the rules of the HTTP API. */
#ifndef CUV_RUN_INPUT_H
#define CUV_RUN_INPUT_H

#include "cli/cancel.h"
#include "cli/run_files.h"
#include "manager/job.h"
#include "manager/run_lock.h"

struct cuv_run_input {
	struct cuv_buf code;
	struct cuv_run_files files;	 /* the requirements files as they are … */
	struct cuv_requirements *source; /* … and what they say */
	struct cuv_buf requirements;	 /* canonical */
	struct cuv_buf stdin_data;
	struct cuv_strv args;
};
void cuv_run_input_init(struct cuv_run_input *in);
void cuv_run_input_done(struct cuv_run_input *in);

/* main.py: UTF-8, not empty, at most CUV_CODE_BYTES_MAX; a BOM is dropped. */
int cuv_run_input_code(struct cuv_run_input *in, const char *path, struct cuv_error *err);
/* The requirements with what they include. path NULL: none. */
int cuv_run_input_requirements(struct cuv_run_input *in, const char *path, struct cuv_error *err);
/* Those of the program's header (PEP 723) instead, if it has one; path is where the
 * program is. *python, what was asked for (or NULL), becomes what the header needs. */
int cuv_run_input_script(struct cuv_run_input *in, const char *path, const struct cuv_python **python,
			 struct cuv_error *err);
/* The lock at path, for this Python (NULL: the first that it is for) and these extras and groups, becomes what
 * spec asks for, as does that Python; path NULL: nothing is done. */
int cuv_run_input_lock(struct cuv_run_input *in, const char *path, const struct cuv_python *python,
		       const struct cuv_run_lock_sets *sets, struct cuv_job_spec *spec, struct cuv_error *err);
/* path NULL: our own stdin, to its end, unless it is a terminal (then nothing).
 * -ECANCELED when the user ended it. */
int cuv_run_input_stdin(struct cuv_run_input *in, const char *path, const struct cuv_cancel *cancel,
			struct cuv_error *err);
/* The program's arguments; a first "--" is dropped. */
int cuv_run_input_args(struct cuv_run_input *in, char *const *args, struct cuv_error *err);

/* Fills what the spec says about input; it then borrows from in. */
void cuv_run_input_apply(const struct cuv_run_input *in, struct cuv_job_spec *spec);

#endif
