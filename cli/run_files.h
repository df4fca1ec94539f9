/* SPDX-License-Identifier: MIT */
/* The files that a requirements file includes, found beside it: below its folder,
 * and nowhere else, whatever links lead out of it. */
#ifndef CUV_RUN_FILES_H
#define CUV_RUN_FILES_H

#include "lib/base/buf.h"
#include "nixenv/requirements.h"

struct cuv_run_files {
	int folder; /* -1: not opened */
	struct cuv_buf data[CUV_REQUIREMENTS_FILES_MAX];
	char *names[CUV_REQUIREMENTS_FILES_MAX];
	size_t n;
};
void cuv_run_files_init(struct cuv_run_files *f);
void cuv_run_files_done(struct cuv_run_files *f);

/* Reads the requirements file at path, adds it as the first of *ret, and lets *ret
 * load what it includes. 0 or -errno. f must outlive *ret. */
int cuv_run_files_open(struct cuv_run_files *f, const char *path, struct cuv_requirements_files *ret);

#endif
