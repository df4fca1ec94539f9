/* SPDX-License-Identifier: MIT */
/* What a client reads: the JSON of a finished job and of an error. */
#ifndef CUV_ANSWER_H
#define CUV_ANSWER_H

#include "lib/proto/look.h"
#include "manager/job.h"

#include <jansson.h>

/* The native answer (docs/api.md); a new reference, NULL without memory. */
json_t *cuv_answer_run(const struct cuv_job_spec *spec, const struct cuv_job_result *result, const char *request_id);
/* Of several runs: what they have in common, from the first one, with an empty array
 * `cases`; and what is of each. New references, NULL without memory. */
json_t *cuv_answer_cases(const struct cuv_job_spec *spec, const struct cuv_job_result *first, const char *request_id);
json_t *cuv_answer_case(const struct cuv_job_spec *spec, const struct cuv_job_result *result);
/* Raw bytes as a string; what is not UTF-8 becomes U+FFFD. */
json_t *cuv_answer_text(const struct cuv_buf *raw);
/* An environment that was made and not run in: as in the answer of a run. */
json_t *cuv_answer_build(const struct cuv_job_spec *spec, const struct cuv_job_result *result, const char *request_id);
/* One that is there; lock is its text, empty: it can't be had. */
json_t *cuv_answer_look(const struct cuv_look *look, const struct cuv_buf *lock);
/* The layers of isolation as a list of {layer, state, why?}; a new reference. */
json_t *cuv_answer_isolation(const struct cuv_layers *layers);
/* {"error": {...}, "request_id": …}; a new reference. */
json_t *cuv_answer_error(const struct cuv_error *err, const char *request_id);

#endif
