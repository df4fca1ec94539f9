/* SPDX-License-Identifier: MIT */
/*
 * Sessions of clients, in the service's database: the files that one run of a session leaves for
 * the next, and the packages that were installed for it. What a client calls a session is a value in
 * a row beside its owner's, and never a path or a part of one. Files are handed to a
 * run as any uploaded ones are, and come back as what was collected of it. Those that are small are
 * in their rows, others are contents (files.h), which are written before the rows that name them: nobody
 * waits for the database while many MiB are.
 *
 * A session's room is bounded (cuv_session_limits, profiles.h), and it goes when it was not used for a
 * while and nothing of it waits. What its owner uploads while a run is under way wins over what the run
 * leaves under the same name. Safe from many threads.
 */
#ifndef CUV_SESSIONS_H
#define CUV_SESSIONS_H

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "manager/files.h"
#include "manager/profiles.h"
#include "manager/store.h"
#include "manager/upload.h"

/* Characters of a name, and its bytes with the NUL. */
#define CUV_SESSION_NAME_MAX 128
#define CUV_SESSION_NAME_SIZE (4 * CUV_SESSION_NAME_MAX + 1)

struct cuv_sessions;

/* Both are borrowed, and not needed by another process: contents that no file has are removed, now or,
 * where that fails (on a full disk), later. To be called before anything of a session is. 0, or negative with
 * err set. */
int cuv_sessions_new(struct cuv_store *store, struct cuv_files *files, struct cuv_sessions **ret,
		     struct cuv_error *err);
void cuv_sessions_free(struct cuv_sessions **s);

/* As it is when something of it begins; a plain value but for packages. */
struct cuv_session {
	int64_t id;
	int64_t clock;		 /* its files' latest change */
	uint64_t bytes;		 /* of its files */
	uint64_t room;		 /* that its files may take at the end of a run, what they take now included */
	struct cuv_buf packages; /* canonical requirements; empty: none */
	int64_t packages_s;	 /* as of which they were chosen; 0: there are none */
};
void cuv_session_done(struct cuv_session *s);
#define _cleanup_session_ _cleanup_(cuv_session_done)

/* All: 0, or negative with err set (UNAVAILABLE, NO_SPACE where nothing else is said). */

/* The owner's session of this name, which is made where there is none; it is used now.
 * RATE_LIMITED: the owner has as many as may. */
int cuv_sessions_open(struct cuv_sessions *s, const struct cuv_session_limits *l, const char *owner, const char *name,
		      int64_t now_s, int64_t *ret_id, struct cuv_error *err);
/* It is gone, with its files. *ret_id is 0 where there was none. */
int cuv_sessions_remove(struct cuv_sessions *s, const char *owner, const char *name, int64_t *ret_id,
			struct cuv_error *err);
/* Removes those that were last used before this and of which no run waits or is under way, a few at
 * a time, between which others have the store; when they are very many not all. 1 when some are
 * left, 0 when there is none. */
int cuv_sessions_expire(struct cuv_sessions *s, int64_t before_s, struct cuv_error *err);

/* Puts a file into a session, in place of what has its name. FILE_REFUSED: it can't have this name
 * there; TOO_LARGE: no room; NOT_FOUND: the session is gone. */
int cuv_sessions_put(struct cuv_sessions *s, const struct cuv_session_limits *l, int64_t id, const char *name,
		     const void *data, size_t len, struct cuv_error *err);

/* What a run needs to know. CANCELLED: the session is gone. ret's packages are to be done with. */
int cuv_sessions_begin(struct cuv_sessions *s, const struct cuv_session_limits *l, int64_t id, int64_t now_s,
		       struct cuv_session *ret, struct cuv_error *err);
/* Adds its files to an upload, as they are at one moment whatever is put or removed meanwhile, beside a program
 * with a name that none of them has or is below: the first of `main.py` and others. Errors as
 * cuv_upload_file, and FILE_REFUSED: there is no such name. ret->program is ret_program from here on. */
#define CUV_SESSION_PROGRAM_SIZE 64
int cuv_sessions_load(struct cuv_sessions *s, int64_t id, char ret_program[CUV_SESSION_PROGRAM_SIZE],
		      struct cuv_upload *ret, struct cuv_error *err);
/* Makes its files what a run left (a bundle), but for the program itself, which is `name` with this
 * content, and for what was put there since the run began. What of it there is no room for, beside
 * that, in the session or on the disk, is not kept: ret_why is by the number of an entry why (enum cuv_left), 0
 * for the others. A file that the bundle could not have stays as it was. CANCELLED: the session is gone. */
struct cuv_session_program {
	const char *name;
	const char *code;
	size_t len;
};
int cuv_sessions_save(struct cuv_sessions *s, const struct cuv_session_limits *l, const struct cuv_session *begun,
		      const struct cuv_buf *bundle, const struct cuv_session_program *program,
		      uint8_t ret_why[CUV_BUNDLE_ENTRIES_MAX], struct cuv_error *err);
/* Its packages from here on. CANCELLED: the session is gone. */
int cuv_sessions_set_packages(struct cuv_sessions *s, int64_t id, const struct cuv_buf *packages, int64_t as_of_s,
			      struct cuv_error *err);

#endif
