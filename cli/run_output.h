/* SPDX-License-Identifier: MIT */
/*
 * What `cuvette run` shows while a job runs: the program's bytes on stdout and
 * stderr as they come, and, where stderr is a terminal, one line about the
 * environment's progress that is gone again when the program starts.
 */
#ifndef CUV_RUN_OUTPUT_H
#define CUV_RUN_OUTPUT_H

#include "cli/cancel.h"
#include "cli/progress.h"
#include "manager/job.h"

struct cuv_run_output {
	struct cuv_cancel *cancel; /* borrowed; ended when an output can't be written */
	struct cuv_progress progress;
	int failed; /* -errno of the first write that failed, 0: none */
};

/* Fills in what the job calls; arg is o. collect: leave the output to the
 * result (--json). */
void cuv_run_output_events(struct cuv_run_output *o, bool collect, struct cuv_job_events *ret);
/* Takes the progress line away. */
void cuv_run_output_clear(struct cuv_run_output *o);

/* Writes a whole file, replacing one that is there. 0 or -errno. */
int cuv_run_output_file(const char *path, const struct cuv_buf *data);

/* The exit status that stands for a run's end, and a line on stderr where the
 * status alone does not tell (docs/cli.md). limits: what was in force. */
int cuv_run_exit_status(const struct cuv_run_result *r, const struct cuv_limits *limits);

#endif
