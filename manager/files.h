/* SPDX-License-Identifier: MIT */
/*
 * Contents that are too big for a row of a database, by name, as a struct of functions. What must
 * be there after a kill is in one file beside the service's database (files_local.c), what may be lost in
 * memory (files_memory.c); chosen at start (backends.h). What is kept in them: big requests and answers of
 * runs (queue_local.c, results_local.c), files of sessions (sessions.h), and Jobe's (dialect/jobe_files.h).
 *
 * Names are what their owners make of ids: "runs/5f…", at most CUV_FILES_NAME_MAX of letters,
 * digits, `-`, `_` and `/`. They never hold what a client has chosen. Each owner has a folder of names, and
 * knows which contents in it are needed: what is not removed stays.
 *
 * Threads: all may be called from any thread, and may take as long as a disk or a network
 * does; so they are called without locks, and without a connection of the store. A content that is being read is
 * read to its end, also when it is removed meanwhile. Nothing that is passed is kept beyond the call.
 *
 * Errors: 0, or negative with err set (UNAVAILABLE, NO_SPACE; OVERLOADED where memory is short), but
 * for -ENOENT, which is an answer.
 */
#ifndef CUV_FILES_H
#define CUV_FILES_H

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "manager/budget.h"

#define CUV_FILES_NAME_MAX 120
typedef char cuv_files_name[CUV_FILES_NAME_MAX + 1];

/* Borrowed. Not empty. */
struct cuv_files_content {
	const char *name;
	const void *data;
	size_t len;
};

struct cuv_files {
	/* Keeps these, each whole, in place of what had its name; no name comes twice. Many at once are hardly
	 * more work than one. After an error none of them is there, nor what had their names; after a kill
	 * each of them may be or not, and is whole. n may be 0. */
	int (*put)(struct cuv_files *f, const struct cuv_files_content *contents, size_t n, struct cuv_error *err);
	/* Appends a content, which is charged for. -ENOENT: there is none of this name. */
	int (*get)(struct cuv_files *f, const char *name, struct cuv_charge *charge, struct cuv_buf *ret,
		   struct cuv_error *err);
	/* 0 also for those that are not there. */
	int (*remove)(struct cuv_files *f, const char *const *names, size_t n, struct cuv_error *err);
	void (*close)(struct cuv_files *f);
};

bool cuv_files_name_valid(const char *name);

#endif
