/* SPDX-License-Identifier: MIT */
/*
 * What the service has done since it was started, counted for GET /metrics (docs/metrics.md).
 * Counters are the process's own, and each is one relaxed atomic: whoever counts never
 * waits. Safe from many threads.
 */
#ifndef CUV_METRICS_H
#define CUV_METRICS_H

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "manager/job.h"
#include "manager/runs/row.h"

/* Whose words a run was asked for in. X(enum suffix, "name") */
#define CUV_DIALECT_TABLE(X)                                                                                           \
	X(NATIVE, "native")                                                                                            \
	X(EXECUTE, "execute")                                                                                          \
	X(SESSIONS, "sessions")                                                                                        \
	X(CASES, "cases")                                                                                              \
	X(SCRIPT, "script")                                                                                            \
	X(JOBE, "jobe")
enum cuv_dialect {
#define X(suffix, name) CUV_DIALECT_##suffix,
	CUV_DIALECT_TABLE(X)
#undef X
		_CUV_DIALECT_MAX,
};

/* Operations are told apart by number, from 1 on; 0 is what is none of them. */
#define CUV_METRICS_OPERATIONS_MAX 96

/* An answer was sent (status 0: the client was gone before it). */
void cuv_metrics_request(unsigned operation, int status, enum cuv_error_code code, uint64_t took_ns, uint64_t bytes_in,
			 uint64_t bytes_out);
/* An environment was made or found, and nothing run in it. */
void cuv_metrics_environment(const struct cuv_environment *e);
/* A run took place, in an environment that counts with it; took_ns: from its turn to its result. */
void cuv_metrics_run(enum cuv_dialect d, const struct cuv_job_result *r, uint64_t took_ns);
/* None took place. */
void cuv_metrics_no_run(enum cuv_dialect d, enum cuv_error_code code);
/* A run that is answered later was accepted; begins, after so long; has ended. */
void cuv_metrics_accepted(void);
void cuv_metrics_begun(uint64_t waited_ns);
void cuv_metrics_ended(enum cuv_runs_state state);

/* Adds all of it in Prometheus' text form (0.0.4). operations: names, NULL at the end,
 * that of number 1 first. What failed is in the buffer's state. */
void cuv_metrics_text(const char *const *operations, struct cuv_buf *ret);
/* Adds the two lines in front of a metric's values, for those that are not counted here. */
void cuv_metrics_head(struct cuv_buf *ret, const char *name, const char *type, const char *help);

#endif
