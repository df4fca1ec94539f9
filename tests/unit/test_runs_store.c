/* SPDX-License-Identifier: MIT */
/* What is kept of runs that are answered later: each ends once, and is found again. */
#include "manager/runs_store.h"
#include "tests/unit/store_test.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOW 1700000000
#define WHY "{\"code\":\"interrupted\"}"

static struct cuv_error err;

static void add(const char *id, const char *tenant, const char *request)
{
	struct cuv_runs_row row = {.state = CUV_RUNS_QUEUED, .accepted_s = NOW};
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(100);

	(void)snprintf(row.id, sizeof(row.id), "%s", id);
	(void)snprintf(row.tenant, sizeof(row.tenant), "%s", tenant);
	cuv_buf_add_str(&b, request);
	assert_ok(cuv_runs_store_add(store, &row, &b, &err));
}

static int end(const char *id, enum cuv_runs_state state, int64_t now_s, const char *answer)
{
	return cuv_runs_store_end(store, id, state, now_s, answer, strlen(answer), &err);
}

static int begin(const char *id, const char *request)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(100);
	int r = cuv_runs_store_begin(store, id, &b, &err);

	if (r == 0)
		assert_string_equal(cuv_buf_str(&b), request);
	return r;
}

/* Negative, or its state; its answer is to be this. */
static int state_of(const char *id, const char *tenant, const char *answer)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(100);
	struct cuv_charge charge = CUV_CHARGE_INIT(NULL);
	struct cuv_runs_row row;
	int r = cuv_runs_store_get(store, id, tenant, &row, &charge, &b, &err);

	if (r < 0)
		return r;
	assert_string_equal(cuv_buf_str(&b), answer);
	assert_string_equal(row.id, id);
	return (int)row.state;
}

TEST(a_run_begins_once_and_ends_once)
{
	add("a", "me", "request");
	assert_int_equal(state_of("a", "me", ""), CUV_RUNS_QUEUED);
	assert_ok(begin("a", "request"));
	assert_int_equal(begin("a", "request"), -ENOENT);
	assert_int_equal(state_of("a", "me", ""), CUV_RUNS_RESOLVING);
	assert_ok(end("a", CUV_RUNS_DONE, NOW, "answer"));
	assert_int_equal(end("a", CUV_RUNS_CANCELLED, NOW, "other"), -ENOENT);
	assert_int_equal(begin("a", ""), -ENOENT);
	assert_int_equal(state_of("a", "me", "answer"), CUV_RUNS_DONE);
	assert_int_equal(end("b", CUV_RUNS_DONE, NOW, ""), -ENOENT);
}

TEST(others_dont_find_it)
{
	add("a", "me", "request");
	assert_int_equal(state_of("a", "you", ""), -ENOENT);
	assert_int_equal(err.code, CUV_E_NOT_FOUND);
	assert_int_equal(state_of("b", "me", ""), -ENOENT);
}

static void collect(void *arg, const struct cuv_runs_row *row, size_t bytes)
{
	struct cuv_buf *ids = arg;

	assert_int_equal(row->state, CUV_RUNS_QUEUED);
	assert_int_equal(bytes, 7);
	assert_ok(cuv_buf_add_str(ids, row->id));
}

TEST(after_a_kill_what_waits_is_found_and_what_had_begun_was_interrupted)
{
	_cleanup_buf_ struct cuv_buf ids = CUV_BUF_INIT(16);

	add("a", "me", "request");
	add("c", "me", "request");
	add("b", "you", "request");
	add("d", "me", "request");
	assert_ok(begin("c", "request"));
	assert_ok(end("d", CUV_RUNS_DONE, NOW, "answer"));
	cuv_store_close(&store);
	assert_ok(cuv_store_open(folder, &store, &err));
	assert_ok(cuv_runs_store_recover(store, NOW + 1, WHY, collect, &ids, &err));
	assert_string_equal(cuv_buf_str(&ids), "ab");
	assert_int_equal(state_of("c", "me", WHY), CUV_RUNS_FAILED);
	assert_int_equal(state_of("d", "me", "answer"), CUV_RUNS_DONE);
	assert_int_equal(end("c", CUV_RUNS_DONE, NOW, "late"), -ENOENT);
	assert_ok(begin("a", "request"));
}

TEST(answers_expire_by_age_bytes_and_number_the_oldest_first)
{
	static const char *const ids[] = {"a", "b", "c", "d", "e"};

	add("waits", "me", "request");
	for (int i = 0; i < 5; i++) {
		add(ids[i], "me", "r");
		assert_ok(end(ids[i], CUV_RUNS_DONE, NOW + i, "1234567890"));
	}
	assert_ok(cuv_runs_store_expire(store, NOW + 1, 1000, 1000, &err));
	assert_int_equal(state_of("a", "me", ""), -ENOENT);
	assert_int_equal(state_of("b", "me", "1234567890"), CUV_RUNS_DONE);
	assert_ok(cuv_runs_store_expire(store, 0, 39, 1000, &err));
	assert_int_equal(state_of("b", "me", ""), -ENOENT);
	assert_int_equal(state_of("c", "me", "1234567890"), CUV_RUNS_DONE);
	assert_ok(cuv_runs_store_expire(store, 0, 1000, 1, &err));
	assert_int_equal(state_of("d", "me", ""), -ENOENT);
	assert_int_equal(state_of("e", "me", "1234567890"), CUV_RUNS_DONE);
	assert_int_equal(state_of("waits", "me", ""), CUV_RUNS_QUEUED);
}

/* The tables that came later go, whichever they are. */
TEST(a_file_of_the_first_version_gets_its_table)
{
	static const char later[] = "SELECT group_concat('DROP TABLE ' || name, ';') FROM sqlite_master WHERE type = "
				    "'table' AND name NOT IN ('key', 'use')";
	sqlite3 *db = cuv_store_take(store);
	sqlite3_stmt *q = NULL;
	_cleanup_free_ char *drop = NULL;

	assert_int_equal(sqlite3_prepare_v2(db, later, -1, &q, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	drop = strdup((const char *)sqlite3_column_text(q, 0));
	cuv_store_finish(&q);
	assert_non_null(drop);
	assert_int_equal(sqlite3_exec(db, drop, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 1", NULL, NULL, NULL), SQLITE_OK);
	cuv_store_give(store);
	cuv_store_close(&store);
	assert_ok(cuv_store_open(folder, &store, &err));
	add("a", "me", "request");
	assert_ok(begin("a", "request"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(a_run_begins_once_and_ends_once),
		WITH_STORE(others_dont_find_it),
		WITH_STORE(after_a_kill_what_waits_is_found_and_what_had_begun_was_interrupted),
		WITH_STORE(answers_expire_by_age_bytes_and_number_the_oldest_first),
		WITH_STORE(a_file_of_the_first_version_gets_its_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
