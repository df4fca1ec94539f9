/* SPDX-License-Identifier: MIT */
/*
 * Dialect 'pylearn': POST /execute, {"code", "language", "input_data", "test_cases", "timeout"}. The
 * program runs once for the learner to see, and once more for each test case. It checks, it does not
 * grade: what a program prints to deceive it is not looked for.
 */
#ifndef CUV_DIALECT_LEARN_H
#define CUV_DIALECT_LEARN_H

#include "manager/dialect/dialect.h"
#include "manager/runner.h"
#include "manager/upload.h"

#define CUV_LEARN_CASES_MAX 64

/* All but spec is borrowed from the body, NULL where it is not there. */
struct cuv_learn_case {
	const json_t *input, *expected, *code;
};
struct cuv_learn_request {
	struct cuv_job_spec spec; /* of the program alone */
	const json_t *input;
	bool has_cases;
	struct cuv_learn_case cases[CUV_LEARN_CASES_MAX];
	size_t n;
};

/* 0, or negative with err set. */
int cuv_learn_read(const json_t *body, struct cuv_learn_request *ret, struct cuv_error *err);

/* The program's own answer, without the cases' results. New references; NULL without memory. */
json_t *cuv_learn_answer(const struct cuv_job_result *result, const struct cuv_job_spec *spec);
json_t *cuv_learn_result(const struct cuv_learn_case *c, const struct cuv_job_result *result);

/* Reads, runs and answers one request. 0, or negative with err set where nothing was answered. */
int cuv_learn_serve(struct cuv_runner *u, struct cuv_http *h, const json_t *body, struct cuv_error *err);

extern const struct cuv_http_errors cuv_learn_errors;

#endif
