/* SPDX-License-Identifier: MIT */
/*
 * What is being done for an environment, on stderr: on a terminal one line with a bar
 * that changes, and is gone when it is cleared; elsewhere a line for each phase and for
 * each file that has come.
 */
#ifndef CUV_PROGRESS_H
#define CUV_PROGRESS_H

#include "lib/proto/messages.h"

enum cuv_progress_how {
	CUV_PROGRESS_NONE,
	CUV_PROGRESS_TERMINAL, /* nothing where stderr is none */
	CUV_PROGRESS_LINES,    /* lines where stderr is no terminal */
};

struct cuv_progress {
	enum cuv_progress_how how;
	enum cuv_env_phase phase; /* that was shown last */
	bool line_shown;
	uint32_t files;	   /* that a line was written for */
	uint64_t shown_ns; /* when the line was drawn */
};

void cuv_progress_show(struct cuv_progress *s, const struct cuv_env_progress *p);
void cuv_progress_clear(struct cuv_progress *s);

/* The line for a terminal of so many columns:
 * "downloading 3/7 [=======>            ] 12.4 of 30.1 MB numpy-2.3.4-cp311-…" */
#define CUV_PROGRESS_SIZE 512
void cuv_progress_text(const struct cuv_env_progress *p, unsigned columns, char ret[CUV_PROGRESS_SIZE]);

#endif
