/* SPDX-License-Identifier: MIT */
/* A hundred thousand sessions: what is done with one costs what it cost among a hundred. */
#include "manager/runs/store.h"
#include "tests/unit/sessions_test.h"

#include <sqlite3.h>

#define NOW 1700000000
#define FEW 100
#define MANY 100000
#define SOME 10000 /* without CUVETTE_TEST_FULL */
#define KEYS 100
/* Of SQLite; its cache of pages is 2 MiB. */
#define MEMORY_MAX (6 << 20)

static struct cuv_error err;
static const struct cuv_session_limits limits = {
	.bytes = 1 << 20, .files = 9, .sessions = MANY, .key_bytes = 1 << 30, .all_bytes = 1ull << 40, .idle_s = 60};

static void run(const char *sql, int64_t from, int64_t to)
{
	sqlite3_stmt *q = NULL;

	assert_int_equal(sqlite3_prepare_v2(cuv_store_take(store), sql, -1, &q, NULL), SQLITE_OK);
	(void)sqlite3_bind_int64(q, 1, from);
	(void)sqlite3_bind_int64(q, 2, to);
	while (sqlite3_step(q) == SQLITE_ROW)
		;
	assert_int_equal(sqlite3_finalize(q), SQLITE_OK);
	cuv_store_give(store);
}

/* Sessions `from` to `to`, each with a file, of keys in turn, with ids as they are made. */
static void fill(int64_t from, int64_t to)
{
	run("BEGIN", 0, 0);
	run("WITH RECURSIVE c (i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM c WHERE i < ?2) INSERT INTO session (id, "
	    "tenant, "
	    "name, used_s, bytes, files) SELECT i * 92233720368547 % 4611686018427387847, 'key' || (i % 100), 'name' "
	    "|| "
	    "i, 1700000000 + i % 1000, 100, 1 FROM c",
	    from, to);
	run("INSERT INTO session_file SELECT id, 'f', 1, zeroblob(32), 100, zeroblob(100), '' FROM session WHERE NOT "
	    "EXISTS "
	    "(SELECT 1 FROM session_file WHERE session = id)",
	    0, 0);
	run("COMMIT", 0, 0);
}

static uint64_t steps;

static int on_step(void *arg)
{
	(void)arg;
	steps++;
	return 0;
}

/* Of SQLite's machine, since the last time. */
static uint64_t take_steps(void)
{
	const uint64_t n = steps;

	steps = 0;
	return n;
}

enum { OPEN, FIND, PUT, BEGIN, LOAD, SAVE, EXPIRE, REMOVE, _DONE };

/* What each of all that is done with a session costs. */
static void measure(uint64_t ret[_DONE])
{
	static const struct cuv_session_program program = {"main.py", "1", 1};
	struct cuv_charge charge = CUV_CHARGE_INIT(NULL);
	struct cuv_upload files = CUV_UPLOAD_INIT;
	struct cuv_buf bundle = CUV_BUF_INIT(1);
	static uint8_t why[CUV_BUNDLE_ENTRIES_MAX];
	_cleanup_session_ struct cuv_session s = {0};
	char name[CUV_SESSION_PROGRAM_SIZE];
	int64_t id, again;

	(void)take_steps();
	assert_ok(cuv_sessions_open(sessions, &limits, "key7", "new", NOW - 9, &id, &err));
	ret[OPEN] = take_steps();
	assert_ok(cuv_sessions_open(sessions, &limits, "key7", "new", NOW - 9, &again, &err));
	assert_true(id == again);
	ret[FIND] = take_steps();
	assert_ok(cuv_sessions_put(sessions, &limits, id, "g", "text", 4, &err));
	ret[PUT] = take_steps();
	assert_ok(cuv_sessions_begin(sessions, &limits, id, NOW - 9, &s, &err));
	ret[BEGIN] = take_steps();
	files.charge = &charge;
	files.where = "test";
	assert_ok(cuv_sessions_load(sessions, id, name, &files, &err));
	cuv_upload_done(&files);
	cuv_charge_done(&charge);
	ret[LOAD] = take_steps();
	assert_ok(cuv_sessions_save(sessions, &limits, &s, &bundle, &program, why, &err));
	ret[SAVE] = take_steps();
	assert_int_equal(cuv_sessions_expire(sessions, NOW - 8, &err), 1);
	ret[EXPIRE] = take_steps();
	assert_int_equal(number_of("SELECT COUNT(*) FROM session WHERE name = 'new'"), 0);
	assert_ok(cuv_sessions_open(sessions, &limits, "key7", "new", NOW, &id, &err));
	(void)take_steps();
	assert_ok(cuv_sessions_remove(sessions, "key7", "new", &id, &err));
	ret[REMOVE] = take_steps();
}

TEST(what_is_done_with_one_does_not_depend_on_how_many_there_are)
{
	const int64_t n = getenv("CUVETTE_TEST_FULL") ? MANY : SOME;
	uint64_t few[_DONE], many[_DONE];

	run("PRAGMA synchronous = OFF", 0, 0);
	sqlite3_progress_handler(cuv_store_take(store), 1, on_step, NULL);
	cuv_store_give(store);
	fill(1, FEW);
	measure(few);
	fill(FEW + 1, n);
	assert_int_equal(number_of("SELECT sessions FROM session_use WHERE tenant = 'key7'"), n / KEYS);
	(void)sqlite3_memory_highwater(1);
	measure(many);
	/* There are as many keys in both. */
	for (int i = 0; i < _DONE; i++)
		assert_true(many[i] <= few[i] + few[i] / 4);
	assert_true(sqlite3_memory_highwater(0) < MEMORY_MAX);
	assert_int_equal(number_of("SELECT SUM(sessions) FROM session_use"), n);
	assert_int_equal(number_of("SELECT SUM(bytes) FROM session_use"), number_of("SELECT SUM(bytes) FROM session"));
	/* All of a hundred keys may go at once, in as many goes as it takes. */
	for (int goes = 0; goes < 100 && cuv_sessions_expire(sessions, NOW + 1000, &err) > 0; goes++)
		;
	assert_int_equal(number_of("SELECT COUNT(*) FROM session_file"), 0);
	assert_int_equal(number_of("SELECT COUNT(*) FROM session_use"), 0);
	assert_true(sqlite3_memory_highwater(0) < MEMORY_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SESSIONS(what_is_done_with_one_does_not_depend_on_how_many_there_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
