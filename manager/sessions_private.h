/* SPDX-License-Identifier: MIT */
/* What the files of sessions.h share; all with the connection taken. */
#ifndef CUV_SESSIONS_PRIVATE_H
#define CUV_SESSIONS_PRIVATE_H

#include "lib/base/hash.h"
#include "manager/sessions.h"
#include "nixenv/requirements.h"

#include <pthread.h>
#include <sqlite3.h>

#define CUV_SESSIONS_RETRY_S 60
/* What is larger is a content. */
#define CUV_SESSIONS_ROW_BYTES_MAX 4096u

/* A session whose files are being read: its contents stay. */
struct cuv_sessions_load {
	struct cuv_sessions_load *next;
	int64_t id;
};

struct cuv_sessions {
	struct cuv_store *store;
	struct cuv_files *files;
	int64_t self;	      /* what is being written has this, and what somebody before us was writing has not */
	pthread_mutex_t lock; /* of what follows; never held while anybody is asked */
	struct cuv_sessions_load *loads;
};

/* CANCELLED; negative. */
int cuv_sessions_gone(struct cuv_error *err);
int cuv_sessions_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, struct cuv_error *err);
/* Carries out a change of rows: -ENOENT when it was none. */
int cuv_sessions_change(sqlite3 *db, sqlite3_stmt *q, struct cuv_error *err);
/* A transaction; its end is given what came of it and gives it back, or why it can't be kept. */
int cuv_sessions_begin_change(sqlite3 *db, struct cuv_error *err);
int cuv_sessions_end_change(sqlite3 *db, int r, struct cuv_error *err);
/* What the files of a session that take so much now may take in all. */
uint64_t cuv_sessions_room(sqlite3 *db, const struct cuv_session_limits *l, int64_t id, uint64_t bytes);

/* --- files --- */

/* Whether a file has a name that makes this one impossible: one of its folders, or below it. Those
 * that changed after `since` alone. Negative: the database failed. */
int cuv_sessions_blocked(sqlite3 *db, int64_t id, const char *name, int64_t since, struct cuv_error *err);
/* Writes one, in place of what has its name: what it holds, or, where `content` is not "", the name of that. */
struct cuv_sessions_file {
	const char *name;
	int64_t clock;
	const struct cuv_sha256 *hash;
	const void *data;
	size_t len;
	const char *content;
};
int cuv_sessions_write(sqlite3 *db, int64_t id, const struct cuv_sessions_file *f, struct cuv_error *err);
/* After they have changed: what they take, and that they have. -ENOENT: the session is gone. */
int cuv_sessions_count(sqlite3 *db, int64_t id, struct cuv_error *err);
/* As it is now; gone: -ENOENT. */
int cuv_sessions_look(sqlite3 *db, int64_t id, int64_t *ret_clock, uint64_t *ret_bytes, uint64_t *ret_files,
		      struct cuv_error *err);

/* --- contents; without the connection --- */

#define CUV_SESSIONS_CONTENT_SIZE 48
/* A new name. */
void cuv_sessions_content(char ret[CUV_SESSIONS_CONTENT_SIZE]);
/* They are loose while they are written; with the connection taken. */
int cuv_sessions_announce(struct cuv_sessions *s, sqlite3 *db, int64_t id, const struct cuv_files_content *contents,
			  size_t n, struct cuv_error *err);
/* No file has got them, and none will. What can't be written then is removed after the next start. */
void cuv_sessions_give_up(struct cuv_sessions *s, const struct cuv_files_content *contents, size_t n);
/* Removes those that no file has, but for those of sessions that are being loaded. */
int cuv_sessions_sweep(struct cuv_sessions *s, struct cuv_error *err);

#endif
