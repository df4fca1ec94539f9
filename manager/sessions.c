/* SPDX-License-Identifier: MIT */
/* Which sessions there are; their files are in sessions_files.c. */
#include "manager/sessions_private.h"

#include "manager/budget.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

/* Sessions that expire in one change, unless their first ones have so many bytes; such changes for
 * one call, and the pause between them: a lock that is taken again at once is nobody else's. */
#define BATCH_MAX 32
#define BATCH_BYTES (8ll << 20)
#define BATCHES_MAX 1000
#define PAUSE_NS 1000000

void cuv_session_done(struct cuv_session *s)
{
	cuv_buf_done(&s->packages);
}

int cuv_sessions_gone(struct cuv_error *err)
{
	(void)cuv_error_set(err, CUV_E_CANCELLED, "the session was terminated, or has expired");
	return -ECANCELED;
}

int cuv_sessions_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, struct cuv_error *err)
{
	return sqlite3_prepare_v2(db, sql, -1, ret, NULL) == SQLITE_OK ? 0 : cuv_store_failed_at(db, err);
}

int cuv_sessions_change(sqlite3 *db, sqlite3_stmt *q, struct cuv_error *err)
{
	if (sqlite3_step(q) != SQLITE_DONE)
		return cuv_store_failed_at(db, err);
	return sqlite3_changes(db) > 0 ? 0 : -ENOENT;
}

int cuv_sessions_begin_change(sqlite3 *db, struct cuv_error *err)
{
	return sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK ? 0 : cuv_store_failed_at(db, err);
}

int cuv_sessions_end_change(sqlite3 *db, int r, struct cuv_error *err)
{
	if (r >= 0 && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
		return r;
	if (r >= 0)
		r = cuv_store_failed_at(db, err);
	(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

/* --- finding and making --- */

static int find(sqlite3 *db, const char *owner, const char *name, int64_t *ret_id, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int step, r = cuv_sessions_prepare(db, "SELECT id FROM session WHERE tenant = ?1 AND name = ?2", &q, err);

	*ret_id = 0;
	if (r < 0)
		return r;
	(void)sqlite3_bind_text(q, 1, owner, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(q, 2, name, -1, SQLITE_STATIC);
	step = sqlite3_step(q);
	if (step == SQLITE_ROW)
		*ret_id = sqlite3_column_int64(q, 0);
	return step == SQLITE_ROW || step == SQLITE_DONE ? 0 : cuv_store_failed_at(db, err);
}

static int use(sqlite3 *db, int64_t id, int64_t now_s, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = cuv_sessions_prepare(db, "UPDATE session SET used_s = ?2 WHERE id = ?1", &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(q, 1, id);
	(void)sqlite3_bind_int64(q, 2, now_s);
	return cuv_sessions_change(db, q, err);
}

static int check_number(sqlite3 *db, const struct cuv_session_limits *l, const char *owner, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int step, r = cuv_sessions_prepare(db, "SELECT sessions FROM session_use WHERE tenant = ?1", &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_text(q, 1, owner, -1, SQLITE_STATIC);
	step = sqlite3_step(q);
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		return cuv_store_failed_at(db, err);
	if (step == SQLITE_DONE || (uint64_t)sqlite3_column_int64(q, 0) < l->sessions)
		return 0;
	cuv_error_set(err, CUV_E_RATE_LIMITED,
		      "this key has %u sessions, and may have no more: terminate those that are not needed",
		      (unsigned)l->sessions);
	err->retry_after_s = CUV_SESSIONS_RETRY_S;
	return -EDQUOT;
}

/* Random, so that the id of one that is gone does not come again. */
static int make(sqlite3 *db, const char *owner, const char *name, int64_t now_s, int64_t *ret_id, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	uint64_t id;
	int r = cuv_sessions_prepare(db, "INSERT INTO session (id, tenant, name, used_s) VALUES (?1, ?2, ?3, ?4)", &q,
				     err);

	if (r < 0)
		return r;
	randombytes_buf(&id, sizeof(id));
	*ret_id = (int64_t)(id >> 2) + 1;
	(void)sqlite3_bind_int64(q, 1, *ret_id);
	(void)sqlite3_bind_text(q, 2, owner, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(q, 3, name, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(q, 4, now_s);
	return cuv_sessions_change(db, q, err);
}

static int open_one(sqlite3 *db, const struct cuv_session_limits *l, const char *owner, const char *name, int64_t now_s,
		    int64_t *ret_id, struct cuv_error *err)
{
	int r = cuv_sessions_begin_change(db, err);

	if (r < 0)
		return r;
	r = find(db, owner, name, ret_id, err);
	if (r == 0 && *ret_id) {
		r = use(db, *ret_id, now_s, err);
	} else if (r == 0) {
		r = check_number(db, l, owner, err);
		if (r == 0)
			r = make(db, owner, name, now_s, ret_id, err);
	}
	return cuv_sessions_end_change(db, r, err);
}

int cuv_sessions_open(struct cuv_sessions *s, const struct cuv_session_limits *l, const char *owner, const char *name,
		      int64_t now_s, int64_t *ret_id, struct cuv_error *err)
{
	int r = open_one(cuv_store_take(s->store), l, owner, name, now_s, ret_id, err);

	cuv_store_give(s->store);
	return r;
}

/* --- removing --- */

/* What can't be read is very much. */
static int64_t number(sqlite3 *db, const char *sql, int64_t id)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
		return INT64_MAX;
	(void)sqlite3_bind_int64(q, 1, id);
	return sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int64(q, 0) : INT64_MAX;
}

/* A statement with at most one number in it. */
static int run_with(sqlite3 *db, const char *sql, int64_t value, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = cuv_sessions_prepare(db, sql, &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(q, 1, value);
	return sqlite3_step(q) == SQLITE_DONE ? 0 : cuv_store_failed_at(db, err);
}

static int remove_one(sqlite3 *db, const char *owner, const char *name, int64_t *ret_id, struct cuv_error *err)
{
	int r = cuv_sessions_begin_change(db, err);

	if (r < 0)
		return r;
	r = find(db, owner, name, ret_id, err);
	if (r == 0 && *ret_id)
		r = run_with(db, "DELETE FROM session_file WHERE session = ?1", *ret_id, err);
	if (r == 0 && *ret_id)
		r = run_with(db, "DELETE FROM session WHERE id = ?1", *ret_id, err);
	return cuv_sessions_end_change(db, r, err);
}

int cuv_sessions_remove(struct cuv_sessions *s, const char *owner, const char *name, int64_t *ret_id,
			struct cuv_error *err)
{
	struct cuv_error later; /* what is left now is removed with what is next */
	int r = remove_one(cuv_store_take(s->store), owner, name, ret_id, err);

	cuv_store_give(s->store);
	if (r == 0)
		(void)cuv_sessions_sweep(s, &later);
	return r;
}

/* The first few of those that may go, but no more than are quickly removed. */
static int list_expired(sqlite3 *db, int64_t before_s, int64_t ids[BATCH_MAX], size_t *ret_n, struct cuv_error *err)
{
	static const char sql[] =
		"SELECT id FROM (SELECT id, SUM(bytes) OVER (ORDER BY used_s, id) - bytes AS earlier FROM "
		"(SELECT id, used_s, bytes FROM session WHERE used_s < ?1 AND NOT EXISTS (SELECT 1 FROM run WHERE "
		"run.session = session.id AND run.session <> 0 AND run.ended_s = 0) ORDER BY used_s, id LIMIT ?2)) "
		"WHERE earlier < ?3";
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int step = SQLITE_ROW, r = cuv_sessions_prepare(db, sql, &q, err);

	*ret_n = 0;
	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(q, 1, before_s);
	(void)sqlite3_bind_int64(q, 2, BATCH_MAX);
	(void)sqlite3_bind_int64(q, 3, BATCH_BYTES);
	while (*ret_n < BATCH_MAX && (step = sqlite3_step(q)) == SQLITE_ROW)
		ids[(*ret_n)++] = sqlite3_column_int64(q, 0);
	return step == SQLITE_ROW || step == SQLITE_DONE ? 0 : cuv_store_failed_at(db, err);
}

/* How many went. */
static int expire_some(sqlite3 *db, int64_t before_s, struct cuv_error *err)
{
	int64_t ids[BATCH_MAX];
	size_t n = 0;
	int r = cuv_sessions_begin_change(db, err);

	if (r < 0)
		return r;
	r = list_expired(db, before_s, ids, &n, err);
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = run_with(db, "DELETE FROM session_file WHERE session = ?1", ids[i], err);
		if (r == 0)
			r = run_with(db, "DELETE FROM session WHERE id = ?1", ids[i], err);
	}
	r = cuv_sessions_end_change(db, r, err);
	return r < 0 ? r : (int)n;
}

int cuv_sessions_expire(struct cuv_sessions *s, int64_t before_s, struct cuv_error *err)
{
	const struct timespec others_turn = {.tv_nsec = PAUSE_NS};
	int r = 1, are_left;

	for (int i = 0; r > 0 && i < BATCHES_MAX; i++) {
		if (i > 0)
			(void)nanosleep(&others_turn, NULL);
		r = expire_some(cuv_store_take(s->store), before_s, err);
		cuv_store_give(s->store);
	}
	if (r >= 0)
		r = cuv_sessions_sweep(s, err);
	if (r < 0)
		return r;
	are_left = number(cuv_store_take(s->store), "SELECT EXISTS (SELECT 1 FROM session)", 0) != 0;
	cuv_store_give(s->store);
	return are_left;
}

/* --- what a run needs --- */

static uint64_t left_of(uint64_t max, uint64_t used)
{
	return max > used ? max - used : 0;
}

uint64_t cuv_sessions_room(sqlite3 *db, const struct cuv_session_limits *l, int64_t id, uint64_t bytes)
{
	const uint64_t others = (uint64_t)number(db,
						 "SELECT COALESCE(SUM(bytes), 0) FROM session_use WHERE tenant = "
						 "(SELECT tenant FROM session WHERE id = ?1)",
						 id);
	const uint64_t all = (uint64_t)number(db, "SELECT COALESCE(SUM(bytes), 0) FROM session_use", id);
	const uint64_t more = CUV_MIN(left_of(l->key_bytes, others), left_of(l->all_bytes, all));

	return CUV_MIN(CUV_MAX(l->bytes, bytes), bytes + more);
}

static int read_session(sqlite3 *db, const struct cuv_session_limits *l, int64_t id, struct cuv_session *ret,
			struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int step, r = cuv_sessions_prepare(db, "SELECT clock, bytes, packages, packages_s FROM session WHERE id = ?1",
					   &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(q, 1, id);
	step = sqlite3_step(q);
	if (step != SQLITE_ROW)
		return step == SQLITE_DONE ? cuv_sessions_gone(err) : cuv_store_failed_at(db, err);
	ret->clock = sqlite3_column_int64(q, 0);
	ret->bytes = (uint64_t)sqlite3_column_int64(q, 1);
	ret->packages_s = sqlite3_column_int64(q, 3);
	if (cuv_buf_add_str(&ret->packages, (const char *)sqlite3_column_text(q, 2)) < 0)
		return cuv_budget_exhausted(err, "request");
	ret->room = cuv_sessions_room(db, l, id, ret->bytes);
	return 0;
}

int cuv_sessions_begin(struct cuv_sessions *s, const struct cuv_session_limits *l, int64_t id, int64_t now_s,
		       struct cuv_session *ret, struct cuv_error *err)
{
	sqlite3 *db = cuv_store_take(s->store);
	int r;

	*ret = (struct cuv_session){.id = id};
	cuv_buf_init(&ret->packages, CUV_REQUIREMENTS_BYTES_MAX);
	r = read_session(db, l, id, ret, err);
	if (r == 0)
		r = use(db, id, now_s, err);
	cuv_store_give(s->store);
	return r;
}

static int set_packages(sqlite3 *db, int64_t id, const struct cuv_buf *packages, int64_t as_of_s, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = cuv_sessions_prepare(db, "UPDATE session SET packages = ?2, packages_s = ?3 WHERE id = ?1", &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(q, 1, id);
	(void)sqlite3_bind_text(q, 2, cuv_buf_str(packages), -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(q, 3, as_of_s);
	r = cuv_sessions_change(db, q, err);
	return r == -ENOENT ? cuv_sessions_gone(err) : r;
}

int cuv_sessions_set_packages(struct cuv_sessions *s, int64_t id, const struct cuv_buf *packages, int64_t as_of_s,
			      struct cuv_error *err)
{
	int r = set_packages(cuv_store_take(s->store), id, packages, as_of_s, err);

	cuv_store_give(s->store);
	return r;
}
