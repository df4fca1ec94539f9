/* SPDX-License-Identifier: MIT */
/* Queue, results and files of one process keep what those are to promise; and what only these do. */
#include "manager/blocks.h"
#include "tests/unit/backends_contract.h"
#include "tests/unit/store_test.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_and_open(void)
{
	cuv_backends_close(&in);
	cuv_store_close(&store);
	assert_ok(cuv_store_open(folder, &store, &err));
	assert_ok(cuv_backends_open_local(store, folder, runs_max, &in, &err));
}

static int open_backends(void **state)
{
	open_again = close_and_open;
	return set_up(state) < 0 ? -1 : cuv_backends_open_local(store, folder, runs_max, &in, &err);
}

static int close_backends(void **state)
{
	cuv_backends_close(&in);
	return tear_down(state);
}

/* Else it waits for itself. */
TEST(who_asks_does_not_wait_for_who_writes)
{
	char id[CUV_ID_HEX_SIZE];
	sqlite3 *db;

	add("a", "me", "request");
	assert_ok(end("a", CUV_RUNS_DONE, NOW, "answer"));
	add_of_session("b", 7);
	alarm(100);
	db = cuv_store_take(store);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE; DELETE FROM run", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(state_of("a", "me", "answer"), CUV_RUNS_DONE);
	assert_int_equal(list("me", ALL, NULL, 9, "a"), 0);
	assert_ok(in.results->find(in.results, "me", "t", id, &err));
	assert_string_equal(id, "b");
	assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	cuv_store_give(store);
	alarm(0);
	/* What is committed is there at once. */
	assert_int_equal(state_of("a", "me", ""), -ENOENT);
}

/* Pages that the database reads for it. */
TEST(a_list_reads_no_bodies)
{
	_cleanup_buf_ struct cuv_buf large = CUV_BUF_INIT(50000);
	int pages = 0, ignored;

	memset(cuv_buf_room(&large, 50000), 'x', 50000);
	cuv_buf_grew(&large, 50000);
	for (int i = 0; i < 60; i++) {
		struct cuv_runs_row row = {
			.tenant = "me", .state = CUV_RUNS_QUEUED, .session = i % 2 ? 100 + i : 0, .task = "t"};

		(void)snprintf(row.id, sizeof(row.id), "%d", i);
		assert_ok(in.queue->add(in.queue, &row, &large, &err));
	}
	open_again();
	assert_int_equal(list("me", ALL, NULL, 3, "585654"), 1);
	assert_int_equal(sqlite3_db_status(cuv_store_take(store), SQLITE_DBSTATUS_CACHE_MISS, &pages, &ignored, 0),
			 SQLITE_OK);
	cuv_store_give(store);
	assert_true(pages < 30);
}

static long file_size(void)
{
	struct stat st;
	char path[96];

	(void)snprintf(path, sizeof(path), "%s/files.data", folder);
	assert_ok(stat(path, &st));
	return (long)st.st_size;
}

static int truncate_to(long size)
{
	char path[96];

	(void)snprintf(path, sizeof(path), "%s/files.data", folder);
	return truncate(path, size);
}

TEST(a_big_answer_is_a_file)
{
	_cleanup_free_ char *x = big('x', BIG), *y = big('y', BIG - 5000);

	for (char id[2] = "a"; id[0] <= 'd'; id[0]++) {
		add(id, "me", "request");
		assert_ok(begin(id, "request"));
	}
	assert_ok(end("a", CUV_RUNS_DONE, NOW, "small"));
	assert_int_equal(file_size(), 0);
	assert_ok(end("b", CUV_RUNS_DONE, NOW + 1, x));
	assert_ok(end("c", CUV_RUNS_DONE, NOW + 2, x));
	assert_int_equal(end("b", CUV_RUNS_DONE, NOW + 3, y), -ENOENT);
	assert_int_equal(end("z", CUV_RUNS_DONE, NOW + 3, y), -ENOENT);
	assert_int_equal(state_of("b", "me", x), CUV_RUNS_DONE);
	assert_int_equal(state_of("b", "you", ""), -ENOENT);
	open_again();
	assert_int_equal(state_of("b", "me", x), CUV_RUNS_DONE);
	assert_int_equal(file_size(), 2 * BIG);
	/* What has expired makes room for another, and the end of the file goes with the last. */
	assert_ok(in.results->expire(in.results, NOW + 2, 10 * BIG, 1000, &err));
	assert_int_equal(state_of("a", "me", ""), -ENOENT);
	assert_int_equal(state_of("b", "me", ""), -ENOENT);
	assert_ok(end("d", CUV_RUNS_DONE, NOW + 3, y));
	assert_int_equal(file_size(), 2 * BIG);
	assert_int_equal(state_of("c", "me", x), CUV_RUNS_DONE);
	assert_int_equal(state_of("d", "me", y), CUV_RUNS_DONE);
	assert_ok(in.results->expire(in.results, 0, 2 * BIG - 5001, 1000, &err));
	assert_int_equal(state_of("c", "me", ""), -ENOENT);
	assert_int_equal(state_of("d", "me", y), CUV_RUNS_DONE);
	assert_int_equal(file_size(), BIG - 4096);
	assert_ok(in.results->expire(in.results, 0, 10 * BIG, 0, &err));
	assert_int_equal(file_size(), 0);
}

/* A row as long would hold up whoever changes anything meanwhile. */
TEST(a_big_request_is_a_file)
{
	_cleanup_free_ char *x = big('x', BIG);

	add("a", "me", "request");
	assert_int_equal(file_size(), 0);
	for (char id[2] = "b"; id[0] <= 'f'; id[0]++)
		add(id, "me", x);
	assert_int_equal(number_of("SELECT max(length(body)) FROM run"), 7);
	assert_int_equal(file_size(), 5 * BIG);
	open_again();
	assert_int_equal(file_size(), 5 * BIG);
	/* Nobody needs it any more: it has begun, or was cancelled, also where there was no room for it in memory. */
	assert_ok(begin("f", x));
	assert_int_equal(file_size(), 4 * BIG);
	assert_ok(in.queue->cancel(in.queue, "me", "e", NOW, &err));
	assert_int_equal(file_size(), 3 * BIG);
	in.queue->forget(in.queue, "d");
	assert_int_equal(file_size(), 2 * BIG);
	/* Somebody was killed when it had begun, or was not there yet. */
	assert_int_equal(number_of("UPDATE run SET state = 2 WHERE id = 'c' RETURNING 2"), CUV_RUNS_RESOLVING);
	files = in.files;
	assert_ok(put_file("queue/z", x));
	assert_int_equal(file_size(), 3 * BIG);
	open_again();
	assert_int_equal(file_size(), BIG);
	assert_ok(begin("b", x));
	assert_int_equal(file_size(), 0);
}

TEST(a_file_whose_run_did_not_come_to_its_end_is_removed)
{
	_cleanup_free_ char *x = big('x', BIG);

	add("a", "me", "request");
	assert_ok(begin("a", "request"));
	/* As far as it came before somebody was killed. */
	files = in.files;
	assert_ok(put_file("runs/a", x));
	/* Or came to another end, while a file could not be removed; and one of somebody else. */
	add("b", "me", "request");
	assert_ok(end("b", CUV_RUNS_FAILED, NOW, WHY));
	assert_ok(put_file("runs/b", x));
	assert_ok(put_file("runs/never", x));
	assert_int_equal(file_size(), 3 * BIG);
	open_again();
	assert_int_equal(file_size(), 0);
	assert_ok(in.results->interrupt(in.results, NOW, WHY, &err));
	assert_int_equal(state_of("a", "me", WHY), CUV_RUNS_FAILED);
	assert_int_equal(state_of("b", "me", WHY), CUV_RUNS_FAILED);
	files = in.files;
	assert_ok(put_file("others/b", x));
	open_again();
	files = in.files;
	assert_int_equal(file_size(), BIG);
	assert_ok(remove_file("others/b"));
	/* And what was written when not even the row was. */
	assert_ok(truncate_to(5000));
	open_again();
	assert_int_equal(file_size(), 0);
}

#define ROOM (100u * 4096)

static int open_local_files(void **state)
{
	return set_up(state) < 0 ? -1 : cuv_files_local_new(store, folder, ROOM, &files, &err);
}

static int close_local_files(void **state)
{
	files->close(files);
	return tear_down(state);
}

static int open_memory_files(void **state)
{
	(void)state;
	files = cuv_files_memory_new(ROOM);
	return files ? 0 : -1;
}

static int close_memory_files(void **state)
{
	(void)state;
	files->close(files);
	return 0;
}

/* What was there is there for a process that may keep less, too. */
TEST(a_longer_file_than_may_be_is_read)
{
	_cleanup_free_ char *x = big('x', 9000);

	assert_ok(put_file("a", x));
	assert_ok(put_file("b", "1"));
	files->close(files);
	assert_ok(cuv_files_local_new(store, folder, 4096, &files, &err));
	assert_ok(get_file("a", x));
	assert_true(put_file("c", "1") < 0);
	assert_ok(remove_file("a"));
	assert_ok(put_file("c", "1"));
	assert_true(put_file("d", "1") < 0);
	assert_int_equal(err.code, CUV_E_NO_SPACE);
	/* Two in one place: somebody else has written there. */
	files->close(files);
	assert_int_equal(sqlite3_exec(cuv_store_take(store), "UPDATE file SET at = 0", NULL, NULL, NULL), SQLITE_OK);
	cuv_store_give(store);
	assert_true(cuv_files_local_new(store, folder, 4096, &files, &err) < 0);
	assert_int_equal(err.code, CUV_E_UNAVAILABLE);
	assert_int_equal(sqlite3_exec(cuv_store_take(store), "DELETE FROM file", NULL, NULL, NULL), SQLITE_OK);
	cuv_store_give(store);
	assert_ok(cuv_files_local_new(store, folder, 4096, &files, &err));
}

static int on_commit(void *arg)
{
	++*(int *)arg;
	return 0;
}

TEST(a_new_content_is_one_change_of_the_database)
{
	const struct cuv_files_content contents[] = {{"a", "1", 1}, {"b", "2", 1}};
	int commits = 0;

	sqlite3_commit_hook(cuv_store_take(store), on_commit, &commits);
	cuv_store_give(store);
	assert_ok(files->put(files, contents, 2, &err));
	assert_int_equal(commits, 1);
	/* What had its name goes first. */
	assert_ok(put_file("b", "3"));
	assert_int_equal(commits, 3);
	sqlite3_commit_hook(cuv_store_take(store), NULL, NULL);
	cuv_store_give(store);
}

/* Against a list of bytes. */
TEST(blocks_are_taken_once)
{
	enum { MAX = 700 };
	struct cuv_blocks b = CUV_BLOCKS_INIT;
	char taken[MAX] = {0};
	uint64_t at, sizes[MAX] = {0};

	srandom(7);
	for (int i = 0; i < 20000; i++) {
		const uint64_t n = 1 + (uint64_t)random() % (i % 3 ? 5 : 150), place = (uint64_t)random() % MAX;
		uint64_t want = 0, run = 0;

		if (sizes[place]) {
			cuv_blocks_give(&b, place, sizes[place]);
			memset(taken + place, 0, sizes[place]);
			sizes[place] = 0;
		}
		for (; want < MAX && run < n; want++)
			run = taken[want] ? 0 : run + 1;
		if (run < n) {
			assert_int_equal(cuv_blocks_take(&b, n, MAX, &at), -ENOSPC);
			continue;
		}
		assert_ok(cuv_blocks_take(&b, n, MAX, &at));
		assert_int_equal(at, want - n);
		memset(taken + at, 1, n);
		sizes[at] = n;
		assert_int_equal(cuv_blocks_add(&b, at, 1), -EEXIST);
	}
	for (at = b.end; at < MAX; at++)
		assert_int_equal(taken[at], 0);
	assert_true(b.end == 0 || taken[b.end - 1]);
	cuv_blocks_done(&b);
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
	open_again();
	add("a", "me", "request");
	assert_ok(begin("a", "request"));
}

#define WITH_BACKENDS(name) OF(open_backends, close_backends, name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUNS_CONTRACT(open_backends, close_backends),
		FILES_CONTRACT(open_local_files, close_local_files),
		FILES_CONTRACT(open_memory_files, close_memory_files),
		WITH_BACKENDS(who_asks_does_not_wait_for_who_writes),
		WITH_BACKENDS(a_list_reads_no_bodies),
		WITH_BACKENDS(a_big_answer_is_a_file),
		WITH_BACKENDS(a_big_request_is_a_file),
		WITH_BACKENDS(a_file_whose_run_did_not_come_to_its_end_is_removed),
		WITH_BACKENDS(a_file_of_the_first_version_gets_its_table),
		OF(open_local_files, close_local_files, a_longer_file_than_may_be_is_read),
		OF(open_local_files, close_local_files, a_new_content_is_one_change_of_the_database),
		cmocka_unit_test(blocks_are_taken_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
