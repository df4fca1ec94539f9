/* SPDX-License-Identifier: MIT */
/* What queue and results promise of runs that are answered later: each begins once, ends once, and is found again. */
#include "manager/backends.h"
#include "manager/runs/runs.h"
#include "tests/unit/store_test.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW 1700000000
#define WHY "{\"code\":\"interrupted\"}"

static struct cuv_error err;
#define BIG (300u << 10)
static uint32_t runs_max = 100; /* of one client */
static struct cuv_backends in;

static int open_backends(void **state)
{
	return set_up(state) < 0 ? -1 : cuv_backends_open_local(store, folder, runs_max, &in, &err);
}

static int close_backends(void **state)
{
	cuv_backends_close(&in);
	return tear_down(state);
}

static void open_again(void)
{
	cuv_backends_close(&in);
	cuv_store_close(&store);
	assert_ok(cuv_store_open(folder, &store, &err));
	assert_ok(cuv_backends_open_local(store, folder, runs_max, &in, &err));
}

static void add(const char *id, const char *tenant, const char *request)
{
	struct cuv_runs_row row = {.state = CUV_RUNS_QUEUED, .accepted_s = NOW};
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(100);

	(void)snprintf(row.id, sizeof(row.id), "%s", id);
	(void)snprintf(row.tenant, sizeof(row.tenant), "%s", tenant);
	cuv_buf_add_str(&b, request);
	assert_ok(in.queue->add(in.queue, &row, &b, &err));
}

static int end(const char *id, enum cuv_runs_state state, int64_t now_s, const char *answer)
{
	return in.results->end(in.results, id, state, now_s, answer, strlen(answer), &err);
}

static int begin(const char *id, const char *request)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(100);
	int r = in.queue->begin(in.queue, id, &b, &err);

	if (r == 0)
		assert_string_equal(cuv_buf_str(&b), request);
	return r;
}

/* Negative, or its state; its answer is to be this. */
static int state_of(const char *id, const char *tenant, const char *answer)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(BIG + 1);
	struct cuv_charge charge = CUV_CHARGE_INIT(NULL);
	struct cuv_runs_row row;
	int r = in.results->get(in.results, id, tenant, &row, &charge, &b, &err);

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

/* tenant: who may not begin one just now. */
static bool all_but(void *arg, const char *tenant)
{
	return strcmp(tenant, arg) != 0;
}

static bool each_kept(void *arg, const struct cuv_runs_row *row, size_t bytes)
{
	(void)arg;
	(void)row;
	(void)bytes;
	return true;
}

/* The ids of those that are next, in order. */
static void assert_next(const char *ids, const char *busy)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(100);
	_cleanup_free_ char *who = strdup(busy);
	struct cuv_runs_row row;

	assert_non_null(who);
	while (in.queue->next(in.queue, all_but, who, &row) > 0)
		assert_ok(cuv_buf_add_str(&b, row.id));
	assert_string_equal(cuv_buf_str(&b), ids);
}

TEST(lines_take_turns_whatever_their_length)
{
	static const char *const many[] = {"a", "b", "c", "d"};

	for (int i = 0; i < 4; i++)
		add(many[i], "me", "request");
	add("x", "you", "request");
	add("y", "you", "request");
	add("z", "busy", "request");
	assert_int_equal(in.queue->waiting(in.queue), 7);
	assert_int_equal(in.queue->position(in.queue, "me", "c"), 3);
	assert_int_equal(in.queue->position(in.queue, "you", "c"), 0);
	assert_next("axbycd", "busy");
	assert_int_equal(in.queue->waiting(in.queue), 1);
	assert_int_equal(in.queue->position(in.queue, "me", "c"), 0);
	assert_next("z", "");
	assert_next("", "");
}

/* One client's thousand are there first; another's one is the second that begins. */
TEST(a_thousand_of_one_do_not_hold_up_the_one_of_another)
{
	struct cuv_runs_row row;
	char id[16];

	runs_max = 1000;
	open_again();
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(id, sizeof(id), "%d", i);
		add(id, "many", "request");
	}
	add("alone", "one", "request");
	assert_int_equal(in.queue->position(in.queue, "one", "alone"), 1);
	assert_int_equal(in.queue->next(in.queue, all_but, (char[]){""}, &row), 1);
	assert_string_equal(row.id, "0");
	assert_int_equal(in.queue->next(in.queue, all_but, (char[]){""}, &row), 1);
	assert_string_equal(row.id, "alone");
	/* And after a kill. */
	open_again();
	assert_ok(in.queue->recover(in.queue, each_kept, NULL, &err));
	assert_int_equal(in.queue->waiting(in.queue), 1001);
	assert_int_equal(in.queue->next(in.queue, all_but, (char[]){""}, &row), 1);
	assert_int_equal(in.queue->next(in.queue, all_but, (char[]){""}, &row), 1);
	assert_string_equal(row.id, "alone");
	runs_max = 100;
}

static void add_of_session(const char *id, int64_t session)
{
	struct cuv_runs_row row = {.tenant = "me", .state = CUV_RUNS_QUEUED, .session = session, .task = "t"};
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(100);

	(void)snprintf(row.id, sizeof(row.id), "%s", id);
	assert_ok(in.queue->add(in.queue, &row, &b, &err));
}

TEST(runs_of_a_session_take_turns)
{
	struct cuv_runs_row row;

	add_of_session("a", 7);
	add_of_session("b", 7);
	add_of_session("c", 8);
	add_of_session("d", 0);
	assert_next("acd", "");
	assert_next("", "");
	in.queue->release(in.queue, 8);
	assert_next("", "");
	in.queue->release(in.queue, 7);
	assert_next("b", "");
	for (int i = 0; i < CUV_RUNS_SESSION_MAX; i++) {
		char id[8];

		(void)snprintf(id, sizeof(id), "%d", i);
		add_of_session(id, 9);
	}
	row = (struct cuv_runs_row){.id = "x", .tenant = "me", .session = 9};
	assert_true(in.queue->add(in.queue, &row, &CUV_BUF_INIT(1), &err) < 0);
	assert_int_equal(err.code, CUV_E_OVERLOADED);
}

TEST(of_beginning_and_cancelling_one_succeeds)
{
	add("a", "me", "request");
	add("b", "me", "request");
	add("c", "me", "request");
	assert_ok(in.queue->cancel(in.queue, "me", "b", NOW, &err));
	assert_int_equal(state_of("b", "me", ""), CUV_RUNS_CANCELLED);
	assert_int_equal(in.queue->cancel(in.queue, "me", "b", NOW, &err), -ENOENT);
	assert_next("ac", "");
	assert_ok(begin("a", "request"));
	assert_int_equal(in.queue->cancel(in.queue, "me", "a", NOW, &err), -ENOENT);
	/* It was taken from its line, and has not begun. */
	assert_ok(in.queue->cancel(in.queue, "me", "c", NOW, &err));
	assert_int_equal(begin("c", "request"), -ENOENT);
	assert_int_equal(end("c", CUV_RUNS_DONE, NOW, "late"), -ENOENT);
	assert_int_equal(state_of("c", "me", ""), CUV_RUNS_CANCELLED);
}

TEST(a_line_has_an_end_and_so_have_all)
{
	char id[16];

	for (int i = 0; i < 100; i++) {
		(void)snprintf(id, sizeof(id), "%d", i);
		assert_ok(in.queue->check_room(in.queue, "me", 7, &err));
		add(id, "me", "request");
	}
	assert_true(in.queue->check_room(in.queue, "me", 7, &err) < 0);
	assert_int_equal(err.code, CUV_E_OVERLOADED);
	assert_ok(in.queue->check_room(in.queue, "you", 7, &err));
	assert_true(in.queue->check_room(in.queue, "you", SIZE_MAX, &err) < 0);
	add("x", "you", "request");
	assert_true(in.queue->check_room(in.queue, "you", 128u << 20, &err) < 0);
}

#define ALL ~0u
static void list_one(void *arg, const struct cuv_runs_row *row)
{
	assert_ok(cuv_buf_add_str(arg, row->id));
}

static int list(const char *tenant, unsigned states, const char *after, uint32_t max, const char *ids)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(100);
	int r = in.results->list(in.results, tenant, states, NOW, after, max, list_one, &b, &err);

	assert_string_equal(cuv_buf_str(&b), ids);
	return r;
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

TEST(a_list_has_ones_own_the_latest_first_in_pages)
{
	for (char id[2] = "a"; id[0] <= 'g'; id[0]++)
		add(id, id[0] == 'd' ? "you" : "me", "request");
	assert_ok(begin("a", "request"));
	assert_ok(end("b", CUV_RUNS_DONE, NOW, "answer"));
	assert_ok(end("c", CUV_RUNS_DONE, NOW - 1, "has expired"));
	add_of_session("s", 1);
	assert_int_equal(list("me", ALL, NULL, 5, "gfeba"), 0);
	assert_int_equal(list("me", ALL, NULL, 2, "gf"), 1);
	assert_int_equal(list("me", ALL, "f", 2, "eb"), 1);
	assert_int_equal(list("me", ALL, "b", 2, "a"), 0);
	assert_int_equal(list("me", 1u << CUV_RUNS_QUEUED, NULL, 9, "gfe"), 0);
	assert_int_equal(list("me", 1u << CUV_RUNS_RUNNING, NULL, 9, "a"), 0);
	assert_int_equal(list("me", 1u << CUV_RUNS_DONE | 1u << CUV_RUNS_FAILED, NULL, 9, "b"), 0);
	assert_int_equal(list("you", ALL, NULL, 9, "d"), 0);
	assert_int_equal(list("nobody", ALL, NULL, 9, ""), 0);
	assert_int_equal(list("me", ALL, "d", 9, ""), -ENOENT);
	assert_int_equal(err.code, CUV_E_NOT_FOUND);
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

static bool collect(void *arg, const struct cuv_runs_row *row, size_t bytes)
{
	struct cuv_buf *ids = arg;

	assert_int_equal(row->state, CUV_RUNS_QUEUED);
	assert_int_equal(bytes, 7);
	assert_ok(cuv_buf_add_str(ids, row->id));
	return strcmp(row->tenant, "lost") != 0;
}

TEST(after_a_kill_what_waits_is_found_and_what_had_begun_was_interrupted)
{
	_cleanup_buf_ struct cuv_buf ids = CUV_BUF_INIT(16);

	add("a", "me", "request");
	add("c", "me", "request");
	add("b", "you", "request");
	add("d", "me", "request");
	add("e", "lost", "request");
	assert_ok(begin("c", "request"));
	assert_ok(end("d", CUV_RUNS_DONE, NOW, "answer"));
	open_again();
	assert_ok(in.results->interrupt(in.results, NOW + 1, WHY, &err));
	assert_ok(in.queue->recover(in.queue, collect, &ids, &err));
	assert_string_equal(cuv_buf_str(&ids), "abe");
	assert_int_equal(in.queue->waiting(in.queue), 2);
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
	assert_ok(in.results->expire(in.results, NOW + 1, 1000, 1000, &err));
	assert_int_equal(state_of("a", "me", ""), -ENOENT);
	assert_int_equal(state_of("b", "me", "1234567890"), CUV_RUNS_DONE);
	assert_ok(in.results->expire(in.results, 0, 39, 1000, &err));
	assert_int_equal(state_of("b", "me", ""), -ENOENT);
	assert_int_equal(state_of("c", "me", "1234567890"), CUV_RUNS_DONE);
	assert_ok(in.results->expire(in.results, 0, 1000, 1, &err));
	assert_int_equal(state_of("d", "me", ""), -ENOENT);
	assert_int_equal(state_of("e", "me", "1234567890"), CUV_RUNS_DONE);
	assert_int_equal(state_of("waits", "me", ""), CUV_RUNS_QUEUED);
}

/* Ends so many of the client's, of 10 bytes each, the later ones later. */
static void end_many(const char *tenant, int n, int64_t now_s)
{
	char id[16];

	for (int i = 0; i < n; i++) {
		(void)snprintf(id, sizeof(id), "%s%d", tenant, i);
		add(id, tenant, "r");
		assert_ok(end(id, CUV_RUNS_DONE, now_s + i, "1234567890"));
	}
}

/* The oldest of each are gone: so many are left of this client's. */
static void assert_left(const char *tenant, int n, int left)
{
	char id[16];

	for (int i = 0; i < n; i++) {
		(void)snprintf(id, sizeof(id), "%s%d", tenant, i);
		assert_int_equal(state_of(id, tenant, i < n - left ? "" : "1234567890"),
				 i < n - left ? -ENOENT : CUV_RUNS_DONE);
	}
}

TEST(answers_of_one_client_push_out_its_own_first)
{
	end_many("few", 3, NOW);
	end_many("many", 40, NOW + 100);
	assert_ok(in.results->expire(in.results, 0, 200, 1000, &err));
	assert_left("few", 3, 3);
	assert_left("many", 40, 17);
	assert_ok(in.results->expire(in.results, 0, 1000, 10, &err));
	assert_left("few", 3, 3);
	assert_left("many", 40, 7);
	/* Equal parts; what is too old takes none. */
	end_many("more", 6, NOW + 200);
	assert_ok(in.results->expire(in.results, 0, 120, 1000, &err));
	assert_left("few", 3, 3);
	assert_left("many", 40, 4);
	assert_left("more", 6, 5);
	assert_ok(in.results->expire(in.results, NOW + 100, 1000, 9, &err));
	assert_left("few", 3, 0);
	assert_left("many", 40, 4);
	assert_left("more", 6, 5);
	/* Alone it may have all. */
	end_many("one", 20, NOW + 1000);
	assert_ok(in.results->expire(in.results, NOW + 1000, 200, 20, &err));
	assert_left("one", 20, 20);
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

static const char *x_of(size_t len)
{
	static char x[4 * 4096];

	assert_true(len <= sizeof(x));
	memset(x, 'x', len);
	return x;
}

/* Of this length, of this character alone. */
static char *big(char c, size_t len)
{
	char *text = malloc(len + 1);

	assert_non_null(text);
	memset(text, c, len);
	text[len] = '\0';
	return text;
}

TEST(a_big_answer_is_a_file_and_like_any_other)
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

TEST(a_file_whose_run_did_not_come_to_its_end_is_removed)
{
	_cleanup_free_ char *x = big('x', BIG);

	add("a", "me", "request");
	assert_ok(begin("a", "request"));
	/* As far as it came before somebody was killed. */
	assert_ok(in.files->put(in.files, "runs/a", x, BIG, &err));
	/* Or came to another end, while a file could not be removed; and one of somebody else. */
	add("b", "me", "request");
	assert_ok(end("b", CUV_RUNS_FAILED, NOW, WHY));
	assert_ok(in.files->put(in.files, "runs/b", x, BIG, &err));
	assert_ok(in.files->put(in.files, "runs/never", x, BIG, &err));
	assert_int_equal(file_size(), 3 * BIG);
	open_again();
	assert_int_equal(file_size(), 0);
	assert_ok(in.results->interrupt(in.results, NOW, WHY, &err));
	assert_int_equal(state_of("a", "me", WHY), CUV_RUNS_FAILED);
	assert_int_equal(state_of("b", "me", WHY), CUV_RUNS_FAILED);
	assert_ok(in.files->put(in.files, "others/b", x, BIG, &err));
	open_again();
	assert_int_equal(file_size(), BIG);
	assert_ok(in.files->remove(in.files, "others/b", &err));
	/* And what was written when not even the row was. */
	assert_ok(truncate_to(5000));
	open_again();
	assert_int_equal(file_size(), 0);
}

TEST(files_are_whole_or_not_there_and_have_an_end)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(BIG);
	struct cuv_budget budget;
	struct cuv_charge charge = CUV_CHARGE_INIT(&budget);
	struct cuv_files *f = NULL;

	cuv_budget_init(&budget, 100);
	assert_ok(cuv_files_local_new(store, folder, 3 * 4096, &f, &err));
	assert_ok(f->put(f, "a", "1", 1, &err));
	assert_ok(f->put(f, "b", "2", 1, &err));
	assert_ok(f->put(f, "c", "3", 1, &err));
	assert_true(f->put(f, "d", "4", 1, &err) < 0);
	assert_int_equal(err.code, CUV_E_NO_SPACE);
	assert_int_equal(f->get(f, "d", &charge, &b, &err), -ENOENT);
	assert_ok(f->put(f, "b", "new", 3, &err));
	assert_ok(f->get(f, "b", &charge, &b, &err));
	assert_string_equal(cuv_buf_str(&b), "new");
	assert_int_equal(charge.bytes, 3);
	assert_ok(f->remove(f, "a", &err));
	assert_ok(f->remove(f, "a", &err));
	assert_true(f->put(f, "d", x_of(2 * 4096), 2 * 4096, &err) < 0);
	assert_ok(f->put(f, "d", x_of(4096), 4096, &err));
	assert_true(f->get(f, "d", &charge, &b, &err) < 0);
	assert_int_equal(err.code, CUV_E_OVERLOADED);
	f->close(f);
	assert_true(cuv_files_name_valid("runs/0af-_"));
	assert_false(cuv_files_name_valid("runs/.."));
	assert_false(cuv_files_name_valid(""));
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

#define WITH_BACKENDS(name) cmocka_unit_test_setup_teardown(name, open_backends, close_backends)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BACKENDS(a_run_begins_once_and_ends_once),
		WITH_BACKENDS(lines_take_turns_whatever_their_length),
		WITH_BACKENDS(a_thousand_of_one_do_not_hold_up_the_one_of_another),
		WITH_BACKENDS(runs_of_a_session_take_turns),
		WITH_BACKENDS(of_beginning_and_cancelling_one_succeeds),
		WITH_BACKENDS(a_line_has_an_end_and_so_have_all),
		WITH_BACKENDS(who_asks_does_not_wait_for_who_writes),
		WITH_BACKENDS(a_list_has_ones_own_the_latest_first_in_pages),
		WITH_BACKENDS(a_list_reads_no_bodies),
		WITH_BACKENDS(others_dont_find_it),
		WITH_BACKENDS(after_a_kill_what_waits_is_found_and_what_had_begun_was_interrupted),
		WITH_BACKENDS(answers_expire_by_age_bytes_and_number_the_oldest_first),
		WITH_BACKENDS(answers_of_one_client_push_out_its_own_first),
		WITH_BACKENDS(a_big_answer_is_a_file_and_like_any_other),
		WITH_BACKENDS(a_file_whose_run_did_not_come_to_its_end_is_removed),
		WITH_BACKENDS(files_are_whole_or_not_there_and_have_an_end),
		WITH_BACKENDS(a_file_of_the_first_version_gets_its_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
