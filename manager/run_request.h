/* SPDX-License-Identifier: MIT */
/*
 * The form of POST /api/v1/run, and that of POST /api/v1/environments, which has some of
 * its fields: what they mean as a job. All checks of the upload are here; nothing is
 * started before they have passed.
 */
#ifndef CUV_RUN_REQUEST_H
#define CUV_RUN_REQUEST_H

#include "manager/form.h"
#include "manager/job.h"
#include "manager/lint_settings.h"
#include "manager/run_cases.h"
#include "manager/upload.h"

/* Borrowed, static; *ret_n entries. */
const struct cuv_field_info *cuv_run_fields(size_t *ret_n);
const struct cuv_field_info *cuv_build_fields(size_t *ret_n);

/* When it is answered: in the end; at once, and it is run later; case by case. */
enum cuv_run_mode { CUV_RUN_SYNC, CUV_RUN_ASYNC, CUV_RUN_STREAM };

/* Owns what a job's spec points to, besides the form. */
struct cuv_run_request {
	struct cuv_job_spec spec; /* borrows from the form and from below */
	struct cuv_requirements *source;
	struct cuv_buf requirements; /* canonical; or the lock's complete form */
	struct cuv_strv args;
	struct cuv_upload files;
	struct cuv_strv artifacts;
	struct cuv_run_cases cases;
	struct cuv_lint_settings lint;
	enum cuv_run_mode mode;
};
void cuv_run_request_done(struct cuv_run_request *r);
#define _cleanup_run_request_ _cleanup_(cuv_run_request_done)

/* Checks a whole form and fills *ret (which borrows the form). now_s: today's
 * wall-clock time. 0, or negative with err set. */
int cuv_run_request_read(const struct cuv_form *f, int64_t now_s, struct cuv_run_request *ret, struct cuv_error *err);

/* The same of an environment that is not run in; it is built later unless it says `sync`. */
int cuv_run_request_read_build(const struct cuv_form *f, int64_t now_s, struct cuv_run_request *ret,
			       struct cuv_error *err);

/* Whether a form of a request that was accepted is one of a run, which has a program, or
 * of a build, whose fields are among those of a run. */
bool cuv_run_request_is_build(const struct cuv_form *f);

/* The parts. What says what the environment is; `code`. */
int cuv_run_request_environment(const struct cuv_form *f, int64_t now_s, struct cuv_run_request *ret,
				struct cuv_error *err);
int cuv_run_request_code(const struct cuv_form *f, struct cuv_job_spec *spec, struct cuv_error *err);

/* For tests too: text of `args` (a JSON array of strings). */
int cuv_run_request_args(const char *text, size_t len, struct cuv_strv *ret, struct cuv_error *err);
/* `files` and `archive`, which are to fit into a work folder with these limits. */
int cuv_run_request_files(const struct cuv_form *f, const struct cuv_limits *limits, struct cuv_upload *ret,
			  struct cuv_error *err);
/* Text of `artifacts` (a JSON array of patterns). */
int cuv_run_request_artifacts(const char *text, size_t len, struct cuv_strv *ret, struct cuv_error *err);

#endif
