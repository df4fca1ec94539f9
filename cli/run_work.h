/* SPDX-License-Identifier: MIT */
/* What `cuvette run` puts beside the program, and what it takes back from there. */
#ifndef CUV_RUN_WORK_H
#define CUV_RUN_WORK_H

#include "manager/job.h"
#include "manager/upload.h"

/* Each of files is PATH or NAME=PATH: without a name it goes under its own path where
 * that is relative and does not lead up, else under its last component. archive: NULL
 * for none. 0, or negative with err set. */
int cuv_run_work_files(const struct cuv_strv *files, const char *archive, const struct cuv_limits *limits,
		       struct cuv_upload *ret, struct cuv_error *err);
/* The pattern that is none, or NULL. */
const char *cuv_run_work_bad_pattern(const struct cuv_strv *patterns);

/* Writes the artifacts below folder, which is made unless it is there. Whatever links
 * are in it, nothing is written elsewhere. Says what was left out. 0 or -errno, said. */
int cuv_run_work_write(const struct cuv_buf *bundle, const char *folder);

#endif
