/* SPDX-License-Identifier: MIT */
/*
 * The files of sessions: rows of session, name, clock (which change of the session's files wrote it
 * last), hash, and what is in it: body or content (sessions_contents.c). What of them a run leaves is in
 * sessions_save.c.
 */
#include "lib/base/hash.h"
#include "manager/budget.h"
#include "manager/sessions_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PROGRAMS_MAX 1000

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

static int find_program(sqlite3 *db, int64_t id, char ret[CUV_SESSION_PROGRAM_SIZE], struct cuv_error *err)
{
	int r = 1;

	(void)snprintf(ret, CUV_SESSION_PROGRAM_SIZE, "main.py");
	for (int i = 1; r > 0 && i <= PROGRAMS_MAX; i++) {
		r = has_name(db, id, ret, err);
		if (r > 0)
			(void)snprintf(ret, CUV_SESSION_PROGRAM_SIZE, "main-%d.py", i);
	}
	return r > 0 ? cuv_error_set(err, CUV_E_FILE_REFUSED, "the session has a file for each name of its program")
		     : r;
}

/* --- one file --- */

int cuv_sessions_write(sqlite3 *db, int64_t id, const struct cuv_sessions_file *f, struct cuv_error *err)
{
	static const char sql[] = "INSERT INTO session_file (session, name, clock, hash, bytes, body, content) VALUES "
				  "(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (session, name) DO UPDATE SET clock = ?3, "
				  "hash = ?4, bytes = ?5, body = ?6, content = ?7";
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = cuv_sessions_prepare(db, sql, &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(q, 1, id);
	(void)sqlite3_bind_text(q, 2, f->name, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(q, 3, f->clock);
	(void)sqlite3_bind_blob(q, 4, f->hash->bytes, sizeof(f->hash->bytes), SQLITE_STATIC);
	(void)sqlite3_bind_int64(q, 5, (sqlite3_int64)f->len);
	if (f->len > 0 && !f->content[0])
		(void)sqlite3_bind_blob64(q, 6, f->data, f->len, SQLITE_STATIC);
	else
		(void)sqlite3_bind_zeroblob(q, 6, 0);
	(void)sqlite3_bind_text(q, 7, f->content, -1, SQLITE_STATIC);
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

/* Whether it may be put now, and which change it would be. */
static int check(sqlite3 *db, const struct cuv_session_limits *l, int64_t id, const struct cuv_sessions_file *f,
		 int64_t *ret_clock, struct cuv_error *err)
{
	int r = check_room(db, l, id, f->name, f->len, ret_clock, err);

	if (r == 0)
		r = cuv_sessions_blocked(db, id, f->name, -1, err);
	return r > 0 ? cuv_error_set(err, CUV_E_FILE_REFUSED, "the session has a file where a folder would have to be")
		     : r;
}

static int announce(struct cuv_sessions *s, sqlite3 *db, const struct cuv_session_limits *l, int64_t id,
		    const struct cuv_sessions_file *f, const struct cuv_files_content *content, struct cuv_error *err)
{
	int64_t clock;
	int r = cuv_sessions_begin_change(db, err);

	if (r < 0)
		return r;
	r = check(db, l, id, f, &clock, err);
	if (r == 0)
		r = cuv_sessions_announce(s, db, id, content, 1, err);
	return cuv_sessions_end_change(db, r, err);
}

static int put_row(sqlite3 *db, const struct cuv_session_limits *l, int64_t id, struct cuv_sessions_file *f,
		   struct cuv_error *err)
{
	int r = cuv_sessions_begin_change(db, err);

	if (r < 0)
		return r;
	r = check(db, l, id, f, &f->clock, err);
	f->clock++;
	if (r == 0)
		r = cuv_sessions_write(db, id, f, err);
	if (r == 0)
		r = cuv_sessions_count(db, id, err);
	return cuv_sessions_end_change(db, r, err);
}

/* It is written under a name that nobody has, and then it is the file's. */
static int put_big(struct cuv_sessions *s, const struct cuv_session_limits *l, int64_t id, struct cuv_sessions_file *f,
		   struct cuv_error *err)
{
	const struct cuv_files_content content = {f->content, f->data, f->len};
	int r = announce(s, cuv_store_take(s->store), l, id, f, &content, err);

	cuv_store_give(s->store);
	if (r < 0)
		return r;
	r = s->files->put(s->files, &content, 1, err);
	if (r == 0) {
		r = put_row(cuv_store_take(s->store), l, id, f, err);
		cuv_store_give(s->store);
	}
	if (r < 0)
		cuv_sessions_give_up(s, &content, 1);
	return r;
}

static int put(struct cuv_sessions *s, const struct cuv_session_limits *l, int64_t id, struct cuv_sessions_file *f,
	       struct cuv_error *err)
{
	char content[CUV_SESSIONS_CONTENT_SIZE];
	int r;

	if (f->len > CUV_SESSIONS_ROW_BYTES_MAX) {
		cuv_sessions_content(content);
		f->content = content;
		return put_big(s, l, id, f, err);
	}
	r = put_row(cuv_store_take(s->store), l, id, f, err);
	cuv_store_give(s->store);
	return r;
}

int cuv_sessions_put(struct cuv_sessions *s, const struct cuv_session_limits *l, int64_t id, const char *name,
		     const void *data, size_t len, struct cuv_error *err)
{
	struct cuv_sha256 hash;
	struct cuv_sessions_file f = {.name = name, .hash = &hash, .data = data, .len = len, .content = ""};
	struct cuv_error later; /* what is left now is removed with what is next */
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
	r = put(s, l, id, &f, err);
	(void)cuv_sessions_sweep(s, &later);
	return r;
}

/* --- into a run --- */

/* Files whose contents are to be read. */
struct contents {
	struct cuv_strv files, names;
};

static int add_row(sqlite3_stmt *q, struct cuv_upload *ret, struct contents *later, struct cuv_error *err)
{
	const char *name = (const char *)sqlite3_column_text(q, 0);
	const char *content = (const char *)sqlite3_column_text(q, 1);
	const void *body = sqlite3_column_blob(q, 2);
	const size_t len = (size_t)sqlite3_column_bytes(q, 2);

	if (!name || !content || (len > 0 && !body))
		return cuv_budget_exhausted(err, "request");
	if (!content[0])
		return cuv_upload_file(ret, name, body ? body : "", len, err);
	return cuv_strv_add(&later->files, name) < 0 || cuv_strv_add(&later->names, content) < 0
		       ? cuv_budget_exhausted(err, "request")
		       : 0;
}

static int read_rows(sqlite3 *db, int64_t id, struct cuv_upload *ret, struct contents *later, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int step = SQLITE_DONE,
	    r = cuv_sessions_prepare(
		    db, "SELECT name, content, body FROM session_file WHERE session = ?1 ORDER BY name", &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(q, 1, id);
	while (r == 0 && (step = sqlite3_step(q)) == SQLITE_ROW)
		r = add_row(q, ret, later, err);
	return r == 0 && step != SQLITE_DONE ? cuv_store_failed_at(db, err) : r;
}

/* One transaction: the program's name is of the same moment as the files. */
static int read_all(sqlite3 *db, int64_t id, char program[CUV_SESSION_PROGRAM_SIZE], struct cuv_upload *ret,
		    struct contents *later, struct cuv_error *err)
{
	int r;

	if (sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		return cuv_store_failed_at(db, err);
	r = find_program(db, id, program, err);
	ret->program = program;
	if (r == 0)
		r = read_rows(db, id, ret, later, err);
	(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

static int read_content(struct cuv_sessions *s, const char *file, const char *name, struct cuv_upload *ret,
			struct cuv_error *err)
{
	_cleanup_charge_ struct cuv_charge charge =
		ret->charge ? cuv_charge_beside(ret->charge) : CUV_CHARGE_INIT(NULL);
	_cleanup_buf_ struct cuv_buf content = CUV_BUF_INIT(SIZE_MAX / 4);
	int r = s->files->get(s->files, name, &charge, &content, err);

	if (r == -ENOENT)
		return cuv_error_set(err, CUV_E_UNAVAILABLE,
				     "a file of the session is lost: put it again, or terminate the session");
	return r == 0 ? cuv_upload_file(ret, file, cuv_buf_str(&content), content.len, err) : r;
}

static void begin_load(struct cuv_sessions *s, struct cuv_sessions_load *l)
{
	pthread_mutex_lock(&s->lock);
	l->next = s->loads;
	s->loads = l;
	pthread_mutex_unlock(&s->lock);
}

static void end_load(struct cuv_sessions *s, const struct cuv_sessions_load *l)
{
	struct cuv_sessions_load **at = &s->loads;

	pthread_mutex_lock(&s->lock);
	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	pthread_mutex_unlock(&s->lock);
}

int cuv_sessions_load(struct cuv_sessions *s, int64_t id, char ret_program[CUV_SESSION_PROGRAM_SIZE],
		      struct cuv_upload *ret, struct cuv_error *err)
{
	struct cuv_sessions_load load = {.id = id};
	struct contents later = {CUV_STRV_INIT, CUV_STRV_INIT};
	struct cuv_error ignored;
	int r;

	begin_load(s, &load);
	r = read_all(cuv_store_take_reader(s->store), id, ret_program, ret, &later, err);
	cuv_store_give_reader(s->store);
	for (size_t i = 0; r == 0 && i < later.files.n; i++)
		r = read_content(s, later.files.items[i], later.names.items[i], ret, err);
	end_load(s, &load);
	cuv_strv_done(&later.files);
	cuv_strv_done(&later.names);
	/* What was replaced meanwhile. */
	(void)cuv_sessions_sweep(s, &ignored);
	return r;
}
