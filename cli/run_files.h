/* SPDX-License-Identifier: MIT */
/* The files that a requirements file includes: below one folder and nowhere else,
 * whatever links lead out of it. That is the working directory for a file that is
 * named by a plain path below it (so `dev/all.txt` may include `../base.txt`), and the
 * file's own folder for any other. */
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

/* How many characters of path are that folder's, its slash included; 0: it is the
 * working directory. The names of included files count from there. */
size_t cuv_run_files_folder(const char *path);
/* Reads the requirements file at path, adds it as the first of *ret, and lets *ret
 * load what it includes. 0 or -errno. f must outlive *ret. */
int cuv_run_files_open(struct cuv_run_files *f, const char *path, struct cuv_requirements_files *ret);

#endif
