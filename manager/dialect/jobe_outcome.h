/* SPDX-License-Identifier: MIT */
/* How a run ended, in the Jobe dialect's numbers. */
#ifndef CUV_JOBE_OUTCOME_H
#define CUV_JOBE_OUTCOME_H

#include "manager/job.h"

#include <jansson.h>

enum cuv_jobe_outcome {
	CUV_JOBE_COMPILE_ERROR = 11,
	CUV_JOBE_RUNTIME_ERROR = 12,
	CUV_JOBE_TIME_LIMIT = 13,
	CUV_JOBE_SUCCESS = 15,
	CUV_JOBE_MEMORY_LIMIT = 17,
	CUV_JOBE_ILLEGAL_CALL = 19,
	CUV_JOBE_INTERNAL = 20,
	CUV_JOBE_OVERLOAD = 21,
};

/* The answer of a run, whose program the client calls name; a new reference, NULL without
 * memory. */
json_t *cuv_jobe_answer_run(const struct cuv_job_spec *spec, const struct cuv_job_result *result, const char *name);
/* Of one that did not take place; run_id may be "". */
json_t *cuv_jobe_answer(const char *run_id, enum cuv_jobe_outcome outcome, const char *cmpinfo);

/* The parts, for tests. Whether Python has printed that it can't read the program, whose
 * file is called program: nothing was run, so no traceback stands before it. */
bool cuv_jobe_is_syntax_error(const char *text, size_t len, const char *program);
/* Output as a JSON string: as it is where it is UTF-8, else with each byte that is not
 * a printable ASCII character, newline, return or tab as \xNN. A new reference or NULL. */
json_t *cuv_jobe_text(const char *data, size_t len);

#endif
