/* SPDX-License-Identifier: MIT */
/*
 * Dialect 'main() executor': POST /execute, {"script"}. The script is a module beside a main.py
 * of ours, which calls its main() and leaves the value, as JSON, in a file that is collected.
 */
#ifndef CUV_DIALECT_SCRIPT_H
#define CUV_DIALECT_SCRIPT_H

#include "manager/dialect/dialect.h"
#include "manager/runner.h"
#include "manager/upload.h"

/* A job and what it borrows, besides the body. Not to be moved once it is read. */
struct cuv_main_request {
	struct cuv_job_spec spec;
	struct cuv_buf requirements;
	struct cuv_upload files;
	struct cuv_strv artifacts;
};
void cuv_main_request_done(struct cuv_main_request *m);

/* 0, or negative with err set; *ret is to be done with in any case. */
int cuv_main_read(const json_t *body, struct cuv_charge *charge, struct cuv_main_request *ret, struct cuv_error *err);

/* What is answered to a run: JSON text into *ret_body, and its status. 0 or -ENOMEM. */
int cuv_main_answer(const struct cuv_job_result *result, const struct cuv_job_spec *spec, struct cuv_buf *ret_body,
		    int *ret_status);

/* Reads, runs and answers one request. 0, or negative with err set where nothing was answered. */
int cuv_main_serve(struct cuv_runner *u, struct cuv_http *h, const json_t *body, struct cuv_error *err);

extern const struct cuv_http_errors cuv_main_errors;

#endif
