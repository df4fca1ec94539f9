/* SPDX-License-Identifier: MIT */
/*
 * Logging: one JSON object a line on stderr, written by one write(2) so that
 * lines of several threads and processes never mix. Only the mains and the
 * modules that own a decision log; libraries return errors instead. Never log
 * code, requirements, output, keys or file contents.
 *
 *   cuv_log(CUV_LOG_INFO, "run-done", CUV_S("run_id", id), CUV_I("wall_ms", ms));
 */
#ifndef CUV_LOG_H
#define CUV_LOG_H

#include "lib/base/base.h"

enum cuv_log_level { CUV_LOG_DEBUG, CUV_LOG_INFO, CUV_LOG_WARNING, CUV_LOG_ERROR };

struct cuv_log_field {
	const char *key;
	const char *text; /* NULL: the number counts */
	int64_t number;
};
#define CUV_S(k, v) ((struct cuv_log_field){.key = (k), .text = (v)})
#define CUV_I(k, v) ((struct cuv_log_field){.key = (k), .number = (int64_t)(v)})

/* The process's name in each line, and the least level written (default info). */
void cuv_log_setup(const char *component, enum cuv_log_level least);

void cuv_log_fields(enum cuv_log_level level, const char *event, const struct cuv_log_field *fields, size_t n);
#define cuv_log(level, event, ...)                                                                                     \
	cuv_log_fields((level), (event), (const struct cuv_log_field[]){__VA_ARGS__},                                  \
		       sizeof((const struct cuv_log_field[]){__VA_ARGS__}) / sizeof(struct cuv_log_field))

#endif
