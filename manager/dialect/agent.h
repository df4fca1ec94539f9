/* SPDX-License-Identifier: MIT */
/* Dialect 'Python Execution Agent': POST /api/v1/execute, {"code", "timeout"}. */
#ifndef CUV_DIALECT_AGENT_H
#define CUV_DIALECT_AGENT_H

#include "manager/dialect/dialect.h"

/* The body as a job, which borrows it. 0, or negative with err set. */
int cuv_agent_read(const json_t *body, struct cuv_job_spec *ret, struct cuv_error *err);
/* A new reference; NULL without memory. */
json_t *cuv_agent_answer(const struct cuv_job_result *result);

extern const struct cuv_http_errors cuv_agent_errors;

#endif
