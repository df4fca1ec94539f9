/* SPDX-License-Identifier: MIT */
#include "manager/runs/store.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

const char *cuv_runs_state_name(enum cuv_runs_state s)
{
	switch (s) {
#define X(suffix, number, name, text)                                                                                  \
	case CUV_RUNS_##suffix:                                                                                        \
		return name;
		CUV_RUNS_STATE_TABLE(X)
#undef X
	}
	return "failed";
}

static int prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, struct cuv_error *err)
{
	return sqlite3_prepare_v2(db, sql, -1, ret, NULL) == SQLITE_OK ? 0 : cuv_store_failed_at(db, err);
}

/* A statement that changes at most one row: -ENOENT when it was none. */
static int change(sqlite3 *db, sqlite3_stmt *q, struct cuv_error *err)
{
	if (sqlite3_step(q) != SQLITE_DONE)
		return cuv_store_failed_at(db, err);
	return sqlite3_changes(db) > 0 ? 0 : -ENOENT;
}

/* One that gives no rows. */
static int finish(sqlite3 *db, sqlite3_stmt *q, struct cuv_error *err)
{
	return sqlite3_step(q) == SQLITE_DONE ? 0 : cuv_store_failed_at(db, err);
}

/* 0 with its first row, or -ENOENT: there is none. */
static int find_row(sqlite3 *db, sqlite3_stmt *q, struct cuv_error *err)
{
	const int step = sqlite3_step(q);

	if (step == SQLITE_ROW)
		return 0;
	return step == SQLITE_DONE ? -ENOENT : cuv_store_failed_at(db, err);
}

static int not_found(const char *text, struct cuv_error *err)
{
	(void)cuv_error_set(err, CUV_E_NOT_FOUND, "%s", text);
	return -ENOENT;
}

/* Nothing in place of the body of a request that is a file. */
static int add(sqlite3 *db, const struct cuv_runs_row *row, const char *request, size_t len, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = prepare(db,
			"INSERT INTO run (id, tenant, request_id, state, accepted_s, bytes, body, kind, session, "
			"task) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
			&q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_text(q, 1, row->id, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(q, 2, row->tenant, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(q, 3, row->request_id, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int(q, 4, CUV_RUNS_QUEUED);
	(void)sqlite3_bind_int64(q, 5, row->accepted_s);
	(void)sqlite3_bind_int64(q, 6, (sqlite3_int64)len);
	(void)sqlite3_bind_blob64(q, 7, request ? request : "", request ? len : 0, SQLITE_STATIC);
	(void)sqlite3_bind_int(q, 8, (int)row->kind);
	(void)sqlite3_bind_int64(q, 9, row->session);
	(void)sqlite3_bind_text(q, 10, row->task ? row->task : "", -1, SQLITE_STATIC);
	return change(db, q, err);
}

int cuv_runs_store_add(struct cuv_store *s, const struct cuv_runs_row *row, const char *request, size_t len,
		       struct cuv_error *err)
{
	int r = add(cuv_store_take(s), row, request, len, err);

	cuv_store_give(s);
	return r;
}

static int no_memory(struct cuv_error *err)
{
	(void)cuv_error_set(err, CUV_E_OVERLOADED, "the service has no memory left for this request; try again");
	err->retry_after_s = 2;
	return -ENOMEM;
}

static int take_body(sqlite3_stmt *q, int column, struct cuv_buf *ret, struct cuv_error *err)
{
	const void *data = sqlite3_column_blob(q, column);
	const size_t len = (size_t)sqlite3_column_bytes(q, column);

	return len > 0 && (!data || cuv_buf_add(ret, data, len) < 0) ? no_memory(err) : 0;
}

/* The body of the row that a statement has found; the database has a copy meanwhile. 1: it is a file. */
static int take_request(sqlite3_stmt *q, struct cuv_charge *charge, struct cuv_buf *ret, struct cuv_error *err)
{
	const size_t len = (size_t)sqlite3_column_bytes(q, 0);

	if (len == 0 && sqlite3_column_int64(q, 1) > 0)
		return 1;
	return cuv_charge_add(charge, 2 * len) ? take_body(q, 0, ret, err) : no_memory(err);
}

static int begin(sqlite3 *db, const char *id, struct cuv_charge *charge, struct cuv_buf *request, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL, *set = NULL;
	int done, r = prepare(db, "SELECT body, bytes FROM run WHERE id = ?1 AND state = ?2", &q, err);

	if (r == 0)
		r = prepare(db, "UPDATE run SET state = ?2 WHERE id = ?1", &set, err);
	if (r < 0)
		return r;
	(void)sqlite3_bind_text(q, 1, id, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int(q, 2, CUV_RUNS_QUEUED);
	r = find_row(db, q, err);
	if (r == 0)
		r = take_request(q, charge, request, err);
	(void)sqlite3_reset(q);
	if (r < 0)
		return r;
	(void)sqlite3_bind_text(set, 1, id, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int(set, 2, CUV_RUNS_RESOLVING);
	done = change(db, set, err);
	return done < 0 ? done : r;
}

int cuv_runs_store_begin(struct cuv_store *s, const char *id, struct cuv_charge *charge, struct cuv_buf *request,
			 struct cuv_error *err)
{
	int r = begin(cuv_store_take(s), id, charge, request, err);

	cuv_store_give(s);
	return r;
}

static int end(sqlite3 *db, const char *id, enum cuv_runs_state state, int64_t now_s, const char *answer, size_t len,
	       struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = prepare(db,
			"UPDATE run SET state = ?2, ended_s = ?3, bytes = ?4, body = ?5, in_file = ?6 WHERE id = ?1 "
			"AND ended_s = 0",
			&q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_text(q, 1, id, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int(q, 2, (int)state);
	(void)sqlite3_bind_int64(q, 3, now_s);
	(void)sqlite3_bind_int64(q, 4, (sqlite3_int64)len);
	(void)sqlite3_bind_blob64(q, 5, answer ? answer : "", answer ? len : 0, SQLITE_STATIC);
	(void)sqlite3_bind_int(q, 6, !answer);
	return change(db, q, err);
}

static int may_end(sqlite3 *db, const char *id, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = prepare(db, "SELECT 1 FROM run WHERE id = ?1 AND ended_s = 0", &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_text(q, 1, id, -1, SQLITE_STATIC);
	return find_row(db, q, err);
}

int cuv_runs_store_may_end(struct cuv_store *s, const char *id, struct cuv_error *err)
{
	int r = may_end(cuv_store_take(s), id, err);

	cuv_store_give(s);
	return r;
}

int cuv_runs_store_end(struct cuv_store *s, const char *id, enum cuv_runs_state state, int64_t now_s,
		       const char *answer, size_t len, struct cuv_error *err)
{
	int r = end(cuv_store_take(s), id, state, now_s, answer, len, err);

	cuv_store_give(s);
	return r;
}

static int cancel(sqlite3 *db, const char *id, int64_t now_s, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = prepare(db,
			"UPDATE run SET state = ?3, ended_s = ?2, bytes = 0, body = x'' WHERE id = ?1 AND state = ?4",
			&q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_text(q, 1, id, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(q, 2, now_s);
	(void)sqlite3_bind_int(q, 3, CUV_RUNS_CANCELLED);
	(void)sqlite3_bind_int(q, 4, CUV_RUNS_QUEUED);
	return change(db, q, err);
}

int cuv_runs_store_cancel(struct cuv_store *s, const char *id, int64_t now_s, struct cuv_error *err)
{
	int r = cancel(cuv_store_take(s), id, now_s, err);

	cuv_store_give(s);
	return r;
}

static void copy_text(sqlite3_stmt *q, int column, char *ret, size_t size)
{
	const char *text = (const char *)sqlite3_column_text(q, column);

	(void)snprintf(ret, size, "%s", text ? text : "");
}

static int find(sqlite3 *db, const char *tenant, const char *task, char ret_id[CUV_ID_HEX_SIZE], struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = prepare(db,
			"SELECT id FROM run WHERE tenant = ?1 AND task = ?2 AND task <> '' ORDER BY seq DESC LIMIT 1",
			&q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_text(q, 1, tenant, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(q, 2, task, -1, SQLITE_STATIC);
	r = find_row(db, q, err);
	if (r == 0)
		copy_text(q, 0, ret_id, CUV_ID_HEX_SIZE);
	return r == -ENOENT ? not_found("there is no task with this id, or its answer has expired", err) : r;
}

int cuv_runs_store_find(struct cuv_store *s, const char *tenant, const char *task, char ret_id[CUV_ID_HEX_SIZE],
			struct cuv_error *err)
{
	int r = find(cuv_store_take_reader(s), tenant, task, ret_id, err);

	cuv_store_give_reader(s);
	return r;
}

#define ROW_COLUMNS "id, tenant, request_id, state, accepted_s, ended_s, kind, session"

static void read_row(sqlite3_stmt *q, struct cuv_runs_row *ret)
{
	const int state = sqlite3_column_int(q, 3);

	*ret = (struct cuv_runs_row){.accepted_s = sqlite3_column_int64(q, 4), .ended_s = sqlite3_column_int64(q, 5)};
	ret->state =
		state >= CUV_RUNS_QUEUED && state <= CUV_RUNS_CANCELLED ? (enum cuv_runs_state)state : CUV_RUNS_FAILED;
	ret->kind = (enum cuv_runs_kind)sqlite3_column_int(q, 6);
	ret->session = sqlite3_column_int64(q, 7);
	copy_text(q, 0, ret->id, sizeof(ret->id));
	copy_text(q, 1, ret->tenant, sizeof(ret->tenant));
	copy_text(q, 2, ret->request_id, sizeof(ret->request_id));
}

static int get(sqlite3 *db, const char *id, const char *tenant, struct cuv_runs_row *ret, struct cuv_charge *charge,
	       struct cuv_buf *answer, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = prepare(db, "SELECT " ROW_COLUMNS ", body, in_file FROM run WHERE id = ?1 AND tenant = ?2", &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_text(q, 1, id, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(q, 2, tenant, -1, SQLITE_STATIC);
	r = find_row(db, q, err);
	if (r < 0)
		return r == -ENOENT ? not_found("there is no run with this id, or its answer has expired", err) : r;
	read_row(q, ret);
	if (!ret->ended_s || !answer)
		return 0;
	if (sqlite3_column_int(q, 9))
		return 1;
	/* The database has a copy meanwhile. */
	if (!cuv_charge_add(charge, 2 * (size_t)sqlite3_column_bytes(q, 8)))
		return no_memory(err);
	return take_body(q, 8, answer, err);
}

int cuv_runs_store_get(struct cuv_store *s, const char *id, const char *tenant, struct cuv_runs_row *ret,
		       struct cuv_charge *charge, struct cuv_buf *answer, struct cuv_error *err)
{
	int r = get(cuv_store_take_reader(s), id, tenant, ret, charge, answer, err);

	cuv_store_give_reader(s);
	return r;
}

static int find_seq(sqlite3 *db, const char *tenant, const char *id, sqlite3_int64 *ret, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = prepare(db, "SELECT seq FROM run WHERE id = ?1 AND tenant = ?2", &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_text(q, 1, id, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(q, 2, tenant, -1, SQLITE_STATIC);
	r = find_row(db, q, err);
	if (r == 0)
		*ret = sqlite3_column_int64(q, 0);
	return r == -ENOENT ? not_found("the list can't go on there: that run is not known any more; begin anew", err)
			    : r;
}

#define BEGUN_BITS (1u << CUV_RUNS_RESOLVING | 1u << CUV_RUNS_BUILDING | 1u << CUV_RUNS_RUNNING)

static int list(sqlite3 *db, const char *tenant, unsigned states, int64_t since_s, const char *after, uint32_t max,
		void (*each)(void *arg, const struct cuv_runs_row *row), void *arg, struct cuv_error *err)
{
	/* Kind and session are known, and not read: they come behind the body. */
	static const char sql[] = "SELECT id, tenant, request_id, state, accepted_s, ended_s, 0, 0 FROM run WHERE "
				  "tenant = ?1 AND session = 0 AND seq < ?2 AND (?3 >> state) & 1 AND (ended_s = 0 OR "
				  "ended_s >= ?4) ORDER BY seq DESC LIMIT ?5";
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	sqlite3_int64 below = INT64_MAX;
	uint32_t n = 0;
	int step = SQLITE_ROW, r = after ? find_seq(db, tenant, after, &below, err) : 0;

	if (r == 0)
		r = prepare(db, sql, &q, err);
	if (r < 0)
		return r;
	(void)sqlite3_bind_text(q, 1, tenant, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(q, 2, below);
	(void)sqlite3_bind_int64(q, 3, states & BEGUN_BITS ? states | BEGUN_BITS : states);
	(void)sqlite3_bind_int64(q, 4, since_s);
	(void)sqlite3_bind_int64(q, 5, (sqlite3_int64)max + 1);
	while (n <= max && (step = sqlite3_step(q)) == SQLITE_ROW) {
		struct cuv_runs_row row;

		if (n++ == max)
			return 1;
		read_row(q, &row);
		each(arg, &row);
	}
	return step == SQLITE_DONE ? 0 : cuv_store_failed_at(db, err);
}

int cuv_runs_store_list(struct cuv_store *s, const char *tenant, unsigned states, int64_t since_s, const char *after,
			uint32_t max, void (*each)(void *arg, const struct cuv_runs_row *row), void *arg,
			struct cuv_error *err)
{
	int r = list(cuv_store_take_reader(s), tenant, states, since_s, after, max, each, arg, err);

	cuv_store_give_reader(s);
	return r;
}

static int interrupt_begun(sqlite3 *db, int64_t now_s, const char *answer, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = prepare(
		db, "UPDATE run SET state = ?1, ended_s = ?2, bytes = ?3, body = ?4 WHERE ended_s = 0 AND state > ?5",
		&q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int(q, 1, CUV_RUNS_FAILED);
	(void)sqlite3_bind_int64(q, 2, now_s);
	(void)sqlite3_bind_int64(q, 3, (sqlite3_int64)strlen(answer));
	(void)sqlite3_bind_blob64(q, 4, answer, strlen(answer), SQLITE_STATIC);
	(void)sqlite3_bind_int(q, 5, CUV_RUNS_QUEUED);
	return finish(db, q, err);
}

int cuv_runs_store_interrupt(struct cuv_store *s, int64_t now_s, const char *answer, struct cuv_error *err)
{
	int r = interrupt_begun(cuv_store_take(s), now_s, answer, err);

	cuv_store_give(s);
	return r;
}

static int each_queued(sqlite3 *db, void (*each)(void *arg, const struct cuv_runs_row *row, size_t bytes), void *arg,
		       struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int step,
		r = prepare(db, "SELECT " ROW_COLUMNS ", bytes FROM run WHERE ended_s = 0 AND state = ?1 ORDER BY seq",
			    &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int(q, 1, CUV_RUNS_QUEUED);
	while ((step = sqlite3_step(q)) == SQLITE_ROW) {
		struct cuv_runs_row row;

		read_row(q, &row);
		each(arg, &row, (size_t)sqlite3_column_int64(q, 8));
	}
	return step == SQLITE_DONE ? 0 : cuv_store_failed_at(db, err);
}

int cuv_runs_store_each_queued(struct cuv_store *s,
			       void (*each)(void *arg, const struct cuv_runs_row *row, size_t bytes), void *arg,
			       struct cuv_error *err)
{
	int r = each_queued(cuv_store_take(s), each, arg, err);

	cuv_store_give(s);
	return r;
}

/* What is too old, and what there is no room for. All clients have the room together: an answer counts
 * after those of others that have fewer younger ones beside them, so that it is the oldest of
 * whoever has the most that go, and nobody loses any whose answers take less than an equal part. The sums are
 * over itself and those that count before it; where there is room for all nothing is sorted. */
#define KEPT "ended_s >= MAX(?1, 1)"
#define OLD                                                                                                            \
	"seq IN (SELECT seq FROM run WHERE ended_s > 0 AND ended_s < ?1 UNION ALL SELECT seq FROM (SELECT seq, "       \
	"SUM(bytes) OVER (ORDER BY own_bytes, seq DESC) AS sum, ROW_NUMBER() OVER (ORDER BY own_n, seq DESC) AS n "    \
	"FROM (SELECT seq, bytes, SUM(bytes) OVER own AS own_bytes, ROW_NUMBER() OVER own AS own_n FROM run "          \
	"WHERE " KEPT " AND (SELECT SUM(bytes) > ?2 OR COUNT(*) > ?3 FROM run WHERE " KEPT ") WINDOW own AS "          \
	"(PARTITION BY tenant ORDER BY ended_s DESC, seq DESC))) WHERE sum > ?2 OR n > ?3)"

static int prepare_old(sqlite3 *db, const char *sql, int64_t before_s, uint64_t max_bytes, uint64_t max_n,
		       sqlite3_stmt **ret, struct cuv_error *err)
{
	int r = prepare(db, sql, ret, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(*ret, 1, before_s);
	(void)sqlite3_bind_int64(*ret, 2, (sqlite3_int64)max_bytes);
	(void)sqlite3_bind_int64(*ret, 3, (sqlite3_int64)max_n);
	return 0;
}

static int expire(sqlite3 *db, int64_t before_s, uint64_t max_bytes, uint64_t max_n, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = prepare_old(db, "DELETE FROM run WHERE NOT in_file AND " OLD, before_s, max_bytes, max_n, &q, err);

	if (r < 0)
		return r;
	return finish(db, q, err);
}

int cuv_runs_store_expire(struct cuv_store *s, int64_t before_s, uint64_t max_bytes, uint64_t max_n,
			  struct cuv_error *err)
{
	int r = expire(cuv_store_take(s), before_s, max_bytes, max_n, err);

	cuv_store_give(s);
	return r;
}

static int forget(sqlite3 *db, const char *id, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = prepare(db, "DELETE FROM run WHERE id = ?1", &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_text(q, 1, id, -1, SQLITE_STATIC);
	return finish(db, q, err);
}

int cuv_runs_store_forget(struct cuv_store *s, const char *id, struct cuv_error *err)
{
	int r = forget(cuv_store_take(s), id, err);

	cuv_store_give(s);
	return r;
}

/* A statement's first column, of each row. */
static int add_texts(sqlite3 *db, sqlite3_stmt *q, struct cuv_strv *ret, struct cuv_error *err)
{
	int step;

	while ((step = sqlite3_step(q)) == SQLITE_ROW)
		if (cuv_strv_add(ret, (const char *)sqlite3_column_text(q, 0)) < 0)
			return no_memory(err);
	return step == SQLITE_DONE ? 0 : cuv_store_failed_at(db, err);
}

static int clean_files(sqlite3 *db, const char *sql, const char *folder, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = prepare(db, sql, &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_text(q, 1, folder, -1, SQLITE_STATIC);
	if (sqlite3_bind_parameter_count(q) > 1)
		(void)sqlite3_bind_int(q, 2, CUV_RUNS_QUEUED);
	return finish(db, q, err);
}

#define CLEAN(needs)                                                                                                   \
	"DELETE FROM file WHERE substr(name, 1, length(?1)) = ?1 AND NOT EXISTS (SELECT 1 FROM run WHERE id = "        \
	"substr(file.name, length(?1) + 1) AND " needs ")"

int cuv_runs_store_clean_answers(struct cuv_store *s, const char *folder, struct cuv_error *err)
{
	int r = clean_files(cuv_store_take(s), CLEAN("in_file"), folder, err);

	cuv_store_give(s);
	return r;
}

int cuv_runs_store_clean_requests(struct cuv_store *s, const char *folder, struct cuv_error *err)
{
	int r = clean_files(cuv_store_take(s), CLEAN("ended_s = 0 AND state = ?2"), folder, err);

	cuv_store_give(s);
	return r;
}

static int old_files(sqlite3 *db, int64_t before_s, uint64_t max_bytes, uint64_t max_n, struct cuv_strv *ret,
		     struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = prepare_old(db, "SELECT id FROM run WHERE in_file AND " OLD, before_s, max_bytes, max_n, &q, err);

	return r < 0 ? r : add_texts(db, q, ret, err);
}

int cuv_runs_store_old_files(struct cuv_store *s, int64_t before_s, uint64_t max_bytes, uint64_t max_n,
			     struct cuv_strv *ret, struct cuv_error *err)
{
	int r = old_files(cuv_store_take(s), before_s, max_bytes, max_n, ret, err);

	cuv_store_give(s);
	return r;
}
