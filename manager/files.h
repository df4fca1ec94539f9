/* SPDX-License-Identifier: MIT */
/*
 * Contents that are too big for a row of a database, by name, as a struct of functions. One
 * file beside the service's database: files_local.c; chosen at start (backends.h).
 *
 * Names are what their owners make of ids: "runs/5f…", at most CUV_FILES_NAME_MAX of letters,
 * digits, `-`, `_` and `/`. They never hold what a client has chosen.
 *
 * Threads and errors: as the queue's (queue.h). A content that is being read is read to its
 * end, also when it is removed meanwhile.
 */
#ifndef CUV_FILES_H
#define CUV_FILES_H

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "manager/budget.h"

#define CUV_FILES_NAME_MAX 120

struct cuv_files {
	/* Keeps a content that is not empty, whole or not at all; in place of what had the name. */
	int (*put)(struct cuv_files *f, const char *name, const void *data, size_t len, struct cuv_error *err);
	/* Appends a content, which is charged for. -ENOENT: there is none of this name. */
	int (*get)(struct cuv_files *f, const char *name, struct cuv_charge *charge, struct cuv_buf *ret,
		   struct cuv_error *err);
	/* 0 also when there is none. */
	int (*remove)(struct cuv_files *f, const char *name, struct cuv_error *err);
	void (*close)(struct cuv_files *f);
};

bool cuv_files_name_valid(const char *name);

#endif
