/* SPDX-License-Identifier: MIT */
/*
 * The files of sessions: rows of session, name, clock (which change of the session's files wrote it
 * last), hash and content. What of them a run leaves is in sessions_save.c.
 */
#include "lib/base/hash.h"
#include "manager/budget.h"
#include "manager/sessions_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PROGRAMS_MAX 1000
/* So much is read at a time, and the pause before the next: others wait. What is put between two
 * of them is in the run or not; it stays either way. */
#define SLICE_BYTES (4u << 20)
#define PAUSE_NS 1000000

/* A name that is below another one, as `a/b` is below `a`, is between `a/` and `a0`. */
#define BELOW "(name > ?2 || '/' AND name < ?2 || '0')"

/* --- names --- */

int cuv_sessions_blocked(sqlite3 *db, int64_t id, const char *name, int64_t since, struct cuv_error *err)
{
	static const char sql[] = "SELECT 1 FROM session_file WHERE session = ?1 AND clock > ?3 AND "
				  "(" BELOW " OR (?2 > name || '/' AND ?2 < name || '0')) LIMIT 1";
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int step, r = cuv_sessions_prepare(db, sql, &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(q, 1, id);
	(void)sqlite3_bind_text(q, 2, name, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(q, 3, since);
	step = sqlite3_step(q);
	return step == SQLITE_ROW ? 1 : step == SQLITE_DONE ? 0 : cuv_store_failed_at(db, err);
}

static int has_name(sqlite3 *db, int64_t id, const char *name, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int step, r = cuv_sessions_prepare(
			  db, "SELECT 1 FROM session_file WHERE session = ?1 AND (name = ?2 OR " BELOW ") LIMIT 1", &q,
			  err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(q, 1, id);
	(void)sqlite3_bind_text(q, 2, name, -1, SQLITE_STATIC);
	step = sqlite3_step(q);
	return step == SQLITE_ROW ? 1 : step == SQLITE_DONE ? 0 : cuv_store_failed_at(db, err);
}

int cuv_sessions_program(struct cuv_store *s, int64_t id, char ret[CUV_SESSION_PROGRAM_SIZE], struct cuv_error *err)
{
	sqlite3 *db = cuv_store_take_reader(s);
	int r = 1;

	(void)snprintf(ret, CUV_SESSION_PROGRAM_SIZE, "main.py");
	for (int i = 1; r > 0 && i <= PROGRAMS_MAX; i++) {
		r = has_name(db, id, ret, err);
		if (r > 0)
			(void)snprintf(ret, CUV_SESSION_PROGRAM_SIZE, "main-%d.py", i);
	}
	cuv_store_give_reader(s);
	return r > 0 ? cuv_error_set(err, CUV_E_FILE_REFUSED, "the session has a file for each name of its program")
		     : r;
}

/* --- one file --- */

int cuv_sessions_write(sqlite3 *db, int64_t id, const char *name, int64_t clock, const struct cuv_sha256 *hash,
		       const void *data, size_t len, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = cuv_sessions_prepare(db,
				     "INSERT OR REPLACE INTO session_file (session, name, clock, hash, bytes, body) "
				     "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
				     &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(q, 1, id);
	(void)sqlite3_bind_text(q, 2, name, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(q, 3, clock);
	(void)sqlite3_bind_blob(q, 4, hash->bytes, sizeof(hash->bytes), SQLITE_STATIC);
	(void)sqlite3_bind_int64(q, 5, (sqlite3_int64)len);
	if (len > 0)
		(void)sqlite3_bind_blob64(q, 6, data, len, SQLITE_STATIC);
	else
		(void)sqlite3_bind_zeroblob(q, 6, 0);
	return cuv_sessions_change(db, q, err);
}

int cuv_sessions_count(sqlite3 *db, int64_t id, struct cuv_error *err)
{
	static const char sql[] = "UPDATE session SET clock = clock + 1, (bytes, files) = (SELECT COALESCE(SUM(bytes), "
				  "0), COUNT(*) FROM session_file WHERE session = ?1) WHERE id = ?1";
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = cuv_sessions_prepare(db, sql, &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(q, 1, id);
	return cuv_sessions_change(db, q, err);
}

int cuv_sessions_look(sqlite3 *db, int64_t id, int64_t *ret_clock, uint64_t *ret_bytes, uint64_t *ret_files,
		      struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int step, r = cuv_sessions_prepare(db, "SELECT clock, bytes, files FROM session WHERE id = ?1", &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(q, 1, id);
	step = sqlite3_step(q);
	if (step != SQLITE_ROW)
		return step == SQLITE_DONE ? -ENOENT : cuv_store_failed_at(db, err);
	*ret_clock = sqlite3_column_int64(q, 0);
	*ret_bytes = (uint64_t)sqlite3_column_int64(q, 1);
	*ret_files = (uint64_t)sqlite3_column_int64(q, 2);
	return 0;
}

/* Bytes of the file of this name; negative where there is none. */
static int64_t size_of(sqlite3 *db, int64_t id, const char *name)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(db, "SELECT bytes FROM session_file WHERE session = ?1 AND name = ?2", -1, &q, NULL) !=
	    SQLITE_OK)
		return -1;
	(void)sqlite3_bind_int64(q, 1, id);
	(void)sqlite3_bind_text(q, 2, name, -1, SQLITE_STATIC);
	return sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int64(q, 0) : -1;
}

static int check_room(sqlite3 *db, const struct cuv_session_limits *l, int64_t id, const char *name, size_t len,
		      int64_t *ret_clock, struct cuv_error *err)
{
	const int64_t before = size_of(db, id, name);
	uint64_t bytes, files, room;
	int r = cuv_sessions_look(db, id, ret_clock, &bytes, &files, err);

	if (r == -ENOENT)
		return cuv_error_set(err, CUV_E_NOT_FOUND, "the session was terminated meanwhile; send it again");
	if (r < 0)
		return r;
	if (before < 0 && files >= l->files)
		return cuv_error_set(err, CUV_E_TOO_LARGE, "the session has %u files, and may have no more",
				     (unsigned)l->files);
	room = cuv_sessions_room(db, l, id, bytes);
	if (bytes - (before > 0 ? (uint64_t)before : 0) + len > room)
		return cuv_error_set(err, CUV_E_TOO_LARGE,
				     "the session's files would take %llu bytes; there is room for %llu",
				     (unsigned long long)(bytes - (before > 0 ? (uint64_t)before : 0) + len),
				     (unsigned long long)room);
	return 0;
}

static int put(sqlite3 *db, const struct cuv_session_limits *l, int64_t id, const char *name, const void *data,
	       size_t len, const struct cuv_sha256 *hash, struct cuv_error *err)
{
	int64_t clock;
	int r = cuv_sessions_begin_change(db, err);

	if (r < 0)
		return r;
	r = check_room(db, l, id, name, len, &clock, err);
	if (r == 0)
		r = cuv_sessions_blocked(db, id, name, -1, err);
	if (r > 0)
		r = cuv_error_set(err, CUV_E_FILE_REFUSED, "the session has a file where a folder would have to be");
	if (r == 0)
		r = cuv_sessions_write(db, id, name, clock + 1, hash, data, len, err);
	if (r == 0)
		r = cuv_sessions_count(db, id, err);
	return cuv_sessions_end_change(db, r, err);
}

int cuv_sessions_put(struct cuv_store *s, const struct cuv_session_limits *l, int64_t id, const char *name,
		     const void *data, size_t len, struct cuv_error *err)
{
	struct cuv_sha256 hash;
	int r;

	if (!cuv_bundle_name_valid(name, strlen(name))) {
		char shown[160];

		cuv_error_copy_text(shown, sizeof(shown), name, strlen(name));
		return cuv_error_set(err, CUV_E_FILE_REFUSED,
				     "`%s` can't be the name of a file: relative, UTF-8 without control characters "
				     "and backslashes, no empty component, `.` or `..`, below at most 15 folders",
				     shown);
	}
	cuv_sha256(data, len, &hash);
	r = put(cuv_store_take(s), l, id, name, data, len, &hash, err);
	cuv_store_give(s);
	return r;
}

/* --- into a run --- */

/* Files behind the one in `last`, which becomes the last of them; 1: there may be more. */
static int load_some(sqlite3 *db, int64_t id, char last[CUV_BUNDLE_NAME_SIZE], struct cuv_upload *ret,
		     struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	size_t bytes = 0;
	int step = SQLITE_ROW,
	    r = cuv_sessions_prepare(
		    db, "SELECT name, body FROM session_file WHERE session = ?1 AND name > ?2 ORDER BY name", &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(q, 1, id);
	(void)sqlite3_bind_text(q, 2, last, -1, SQLITE_TRANSIENT);
	while (bytes < SLICE_BYTES && (step = sqlite3_step(q)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(q, 0);
		const void *body = sqlite3_column_blob(q, 1);
		const size_t len = (size_t)sqlite3_column_bytes(q, 1);

		if (!name || (len > 0 && !body))
			return cuv_budget_exhausted(err, "request");
		r = cuv_upload_file(ret, name, body ? body : "", len, err);
		if (r < 0)
			return r;
		(void)snprintf(last, CUV_BUNDLE_NAME_SIZE, "%s", name);
		bytes += len;
	}
	return step == SQLITE_ROW ? 1 : step == SQLITE_DONE ? 0 : cuv_store_failed_at(db, err);
}

int cuv_sessions_load(struct cuv_store *s, int64_t id, struct cuv_upload *ret, struct cuv_error *err)
{
	const struct timespec others_turn = {.tv_nsec = PAUSE_NS};
	char last[CUV_BUNDLE_NAME_SIZE] = "";
	int r = 1;

	for (size_t i = 0; r > 0; i++) {
		if (i > 0)
			(void)nanosleep(&others_turn, NULL);
		r = load_some(cuv_store_take_reader(s), id, last, ret, err);
		cuv_store_give_reader(s);
	}
	return r;
}
