/* SPDX-License-Identifier: MIT */
/*
 * The files of sessions: rows of session, name, clock (which change of the session's files wrote it
 * last), hash and content. What has not changed in a run is not written again.
 */
#include "lib/base/hash.h"
#include "manager/budget.h"
#include "manager/sessions_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAMS_MAX 1000
#define CACHE "__pycache__"

/* A name that is below another one, as `a/b` is below `a`, is between `a/` and `a0`. */
#define BELOW "(name > ?2 || '/' AND name < ?2 || '0')"

/* --- names --- */

/* Whether a file has a name that makes this one impossible: one of its folders, or below it. Those
 * that changed after `since` alone. Negative: the database failed. */
static int is_blocked(struct cuv_store *s, sqlite3 *db, int64_t id, const char *name, int64_t since,
		      struct cuv_error *err)
{
	static const char sql[] = "SELECT 1 FROM session_file WHERE session = ?1 AND clock > ?3 AND "
				  "(" BELOW " OR (?2 > name || '/' AND ?2 < name || '0')) LIMIT 1";
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int step, r = cuv_sessions_prepare(s, db, sql, &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(q, 1, id);
	(void)sqlite3_bind_text(q, 2, name, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(q, 3, since);
	step = sqlite3_step(q);
	return step == SQLITE_ROW ? 1 : step == SQLITE_DONE ? 0 : cuv_store_failed(s, err);
}

static int has_name(struct cuv_store *s, sqlite3 *db, int64_t id, const char *name, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int step, r = cuv_sessions_prepare(
			  s, db, "SELECT 1 FROM session_file WHERE session = ?1 AND (name = ?2 OR " BELOW ") LIMIT 1",
			  &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(q, 1, id);
	(void)sqlite3_bind_text(q, 2, name, -1, SQLITE_STATIC);
	step = sqlite3_step(q);
	return step == SQLITE_ROW ? 1 : step == SQLITE_DONE ? 0 : cuv_store_failed(s, err);
}

int cuv_sessions_program(struct cuv_store *s, int64_t id, char ret[CUV_SESSION_PROGRAM_SIZE], struct cuv_error *err)
{
	sqlite3 *db = cuv_store_take(s);
	int r = 1;

	(void)snprintf(ret, CUV_SESSION_PROGRAM_SIZE, "main.py");
	for (int i = 1; r > 0 && i <= PROGRAMS_MAX; i++) {
		r = has_name(s, db, id, ret, err);
		if (r > 0)
			(void)snprintf(ret, CUV_SESSION_PROGRAM_SIZE, "main-%d.py", i);
	}
	cuv_store_give(s);
	return r > 0 ? cuv_error_set(err, CUV_E_FILE_REFUSED, "the session has a file for each name of its program")
		     : r;
}

/* --- one file --- */

static int write_file(struct cuv_store *s, sqlite3 *db, int64_t id, const char *name, int64_t clock,
		      const struct cuv_sha256 *hash, const void *data, size_t len, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = cuv_sessions_prepare(s, db,
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
	return cuv_sessions_change(s, db, q, err);
}

/* After files have changed: what they take, and that they have. -ENOENT: the session is gone. */
static int count_files(struct cuv_store *s, sqlite3 *db, int64_t id, struct cuv_error *err)
{
	static const char sql[] = "UPDATE session SET clock = clock + 1, (bytes, files) = (SELECT COALESCE(SUM(bytes), "
				  "0), COUNT(*) FROM session_file WHERE session = ?1) WHERE id = ?1";
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = cuv_sessions_prepare(s, db, sql, &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(q, 1, id);
	return cuv_sessions_change(s, db, q, err);
}

/* As it is now; gone: -ENOENT. */
static int look(struct cuv_store *s, sqlite3 *db, int64_t id, int64_t *ret_clock, uint64_t *ret_bytes,
		uint64_t *ret_files, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int step, r = cuv_sessions_prepare(s, db, "SELECT clock, bytes, files FROM session WHERE id = ?1", &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(q, 1, id);
	step = sqlite3_step(q);
	if (step != SQLITE_ROW)
		return step == SQLITE_DONE ? -ENOENT : cuv_store_failed(s, err);
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

static int check_room(struct cuv_store *s, sqlite3 *db, const struct cuv_session_limits *l, int64_t id,
		      const char *name, size_t len, int64_t *ret_clock, struct cuv_error *err)
{
	const int64_t before = size_of(db, id, name);
	uint64_t bytes, files, room;
	int r = look(s, db, id, ret_clock, &bytes, &files, err);

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

static int put(struct cuv_store *s, sqlite3 *db, const struct cuv_session_limits *l, int64_t id, const char *name,
	       const void *data, size_t len, const struct cuv_sha256 *hash, struct cuv_error *err)
{
	int64_t clock;
	int r = cuv_sessions_begin_change(s, db, err);

	if (r < 0)
		return r;
	r = check_room(s, db, l, id, name, len, &clock, err);
	if (r == 0)
		r = is_blocked(s, db, id, name, -1, err);
	if (r > 0)
		r = cuv_error_set(err, CUV_E_FILE_REFUSED, "the session has a file where a folder would have to be");
	if (r == 0)
		r = write_file(s, db, id, name, clock + 1, hash, data, len, err);
	if (r == 0)
		r = count_files(s, db, id, err);
	return cuv_sessions_end_change(s, db, r, err);
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
	r = put(s, cuv_store_take(s), l, id, name, data, len, &hash, err);
	cuv_store_give(s);
	return r;
}

/* --- into a run --- */

static int load(struct cuv_store *s, sqlite3 *db, int64_t id, struct cuv_upload *ret, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int step, r = cuv_sessions_prepare(
			  s, db, "SELECT name, body FROM session_file WHERE session = ?1 ORDER BY name", &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(q, 1, id);
	while ((step = sqlite3_step(q)) == SQLITE_ROW) {
		const void *body = sqlite3_column_blob(q, 1);
		const size_t len = (size_t)sqlite3_column_bytes(q, 1);

		if (len > 0 && !body)
			return cuv_budget_exhausted(err, "request");
		r = cuv_upload_file(ret, (const char *)sqlite3_column_text(q, 0), body ? body : "", len, err);
		if (r < 0)
			return r;
	}
	return step == SQLITE_DONE ? 0 : cuv_store_failed(s, err);
}

int cuv_sessions_load(struct cuv_store *s, int64_t id, struct cuv_upload *ret, struct cuv_error *err)
{
	int r = load(s, cuv_store_take(s), id, ret, err);

	cuv_store_give(s);
	return r;
}

/* --- and out of it --- */

/* A file as it was, by name. */
struct known {
	char *name;
	int64_t clock;
	struct cuv_sha256 hash;
	bool seen;
};
struct saving {
	struct cuv_store *store;
	sqlite3 *db;
	const struct cuv_session *begun;
	const struct cuv_session_program *program;
	struct known *known;
	size_t n, size;
	int64_t clock; /* of the files that change now */
	bool uploads;  /* some were put since the run began */
};

static int add_known(struct saving *w, sqlite3_stmt *q)
{
	struct known *k = &w->known[w->n];

	k->name = strdup((const char *)sqlite3_column_text(q, 0));
	k->clock = sqlite3_column_int64(q, 1);
	if (sqlite3_column_bytes(q, 2) == (int)sizeof(k->hash.bytes))
		memcpy(k->hash.bytes, sqlite3_column_blob(q, 2), sizeof(k->hash.bytes));
	w->uploads = w->uploads || k->clock > w->begun->clock;
	w->n += k->name != NULL;
	return k->name ? 0 : -ENOMEM;
}

static int list_known(struct saving *w, size_t files, struct cuv_error *err)
{
	static const char sql[] = "SELECT name, clock, hash FROM session_file WHERE session = ?1 ORDER BY name";
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int step, r = cuv_sessions_prepare(w->store, w->db, sql, &q, err);

	if (r < 0)
		return r;
	w->known = calloc(files + 1, sizeof(*w->known));
	w->size = files;
	if (!w->known)
		return cuv_budget_exhausted(err, "answer");
	(void)sqlite3_bind_int64(q, 1, w->begun->id);
	while ((step = sqlite3_step(q)) == SQLITE_ROW)
		if (w->n == w->size || add_known(w, q) < 0)
			return cuv_budget_exhausted(err, "answer");
	return step == SQLITE_DONE ? 0 : cuv_store_failed(w->store, err);
}

static int by_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct known *)item)->name);
}

static bool is_program(const struct cuv_session_program *p, const struct cuv_bundle_entry *e)
{
	return strcmp(e->name, p->name) == 0 && e->size == p->len && memcmp(e->data, p->code, p->len) == 0;
}

/* Python writes these anew for files that were copied in. */
static bool is_cache(const char *name)
{
	const char *at = strstr(name, CACHE "/");

	return at && (at == name || at[-1] == '/');
}

static int save_file(struct saving *w, const struct cuv_bundle_entry *e, struct cuv_error *err)
{
	struct known *k = w->n ? bsearch(e->name, w->known, w->n, sizeof(*w->known), by_name) : NULL;
	struct cuv_sha256 hash;
	int r = 0;

	if (is_program(w->program, e) || is_cache(e->name))
		return 0;
	if (k)
		k->seen = true;
	/* What was put there since is what its owner wants. */
	if (k && k->clock > w->begun->clock)
		return 0;
	if (w->uploads)
		r = is_blocked(w->store, w->db, w->begun->id, e->name, w->begun->clock, err);
	if (r != 0)
		return CUV_MIN(r, 0);
	cuv_sha256(e->data, e->size, &hash);
	if (k && memcmp(hash.bytes, k->hash.bytes, sizeof(hash.bytes)) == 0)
		return 0;
	return write_file(w->store, w->db, w->begun->id, e->name, w->clock, &hash, e->data, (size_t)e->size, err);
}

static int remove_file(struct saving *w, const char *name, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = cuv_sessions_prepare(w->store, w->db, "DELETE FROM session_file WHERE session = ?1 AND name = ?2", &q,
				     err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(q, 1, w->begun->id);
	(void)sqlite3_bind_text(q, 2, name, -1, SQLITE_STATIC);
	return sqlite3_step(q) == SQLITE_DONE ? 0 : cuv_store_failed(w->store, err);
}

static int save_all(struct saving *w, const struct cuv_buf *bundle, struct cuv_error *err)
{
	struct cuv_bundle_reader reader = {.at = (const uint8_t *)bundle->data, .left = bundle->len};
	struct cuv_bundle_entry e;
	int r = 0, more = 0;

	while (r == 0 && (more = cuv_bundle_next(&reader, &e)) > 0)
		if (e.kind == CUV_BUNDLE_FILE)
			r = save_file(w, &e, err);
	if (r == 0 && more < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "the run's files can't be read; send it again");
	for (size_t i = 0; r == 0 && i < w->n; i++)
		if (!w->known[i].seen && w->known[i].clock <= w->begun->clock)
			r = remove_file(w, w->known[i].name, err);
	return r == 0 ? count_files(w->store, w->db, w->begun->id, err) : r;
}

static int save(struct saving *w, const struct cuv_buf *bundle, struct cuv_error *err)
{
	uint64_t bytes, files;
	int r = cuv_sessions_begin_change(w->store, w->db, err);

	if (r < 0)
		return r;
	r = look(w->store, w->db, w->begun->id, &w->clock, &bytes, &files, err);
	w->clock++;
	if (r == 0)
		r = list_known(w, (size_t)files, err);
	if (r == 0)
		r = save_all(w, bundle, err);
	if (r == -ENOENT)
		r = cuv_sessions_gone(err);
	return cuv_sessions_end_change(w->store, w->db, r, err);
}

int cuv_sessions_save(struct cuv_store *s, const struct cuv_session *begun, const struct cuv_buf *bundle,
		      const struct cuv_session_program *program, struct cuv_error *err)
{
	struct saving w = {.store = s, .db = cuv_store_take(s), .begun = begun, .program = program};
	int r = save(&w, bundle, err);

	cuv_store_give(s);
	for (size_t i = 0; i < w.n; i++)
		free(w.known[i].name);
	free(w.known);
	return r;
}
