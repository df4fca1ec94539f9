/* SPDX-License-Identifier: MIT */
/*
 * What queue.h, results.h and files.h promise, whatever does it: each test is to pass with each implementation
 * there is. Who includes this has one of them: runs in `in`, and a function that closes it and opens it
 * again as another process would; a store of files in `files`. Lists of tests are at the end.
 */
#ifndef CUV_TEST_BACKENDS_CONTRACT_H
#define CUV_TEST_BACKENDS_CONTRACT_H

#include "manager/backends.h"
#include "manager/runs/runs.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1700000000
#define WHY "{\"code\":\"interrupted\"}"
/* Of an answer: so that it is no row. */
#define BIG (300u << 10)

static struct cuv_error err;
static uint32_t runs_max = 100; /* of one client that may wait */
static struct cuv_backends in;
static void (*open_again)(void); /* set before the first test */
static struct cuv_files *files;

/* --- runs --- */

static void add(const char *id, const char *tenant, const char *request)
{
	struct cuv_runs_row row = {.state = CUV_RUNS_QUEUED, .accepted_s = NOW};
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(BIG + 1);

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
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(BIG + 1);
	struct cuv_charge charge = CUV_CHARGE_INIT(NULL);
	int r = in.queue->begin(in.queue, id, &charge, &b, &err);

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

/* Of this length, of this character alone. */
static char *big(char c, size_t len)
{
	char *text = malloc(len + 1);

	assert_non_null(text);
	memset(text, c, len);
	text[len] = '\0';
	return text;
}

/* Others read it meanwhile, and after a kill. */
TEST(a_big_answer_is_like_any_other)
{
	_cleanup_free_ char *x = big('x', BIG), *y = big('y', BIG - 5000);

	for (char id[2] = "a"; id[0] <= 'c'; id[0]++) {
		add(id, "me", "request");
		assert_ok(begin(id, "request"));
	}
	assert_ok(end("a", CUV_RUNS_DONE, NOW, x));
	assert_ok(end("b", CUV_RUNS_DONE, NOW + 1, y));
	assert_int_equal(end("b", CUV_RUNS_DONE, NOW + 3, x), -ENOENT);
	assert_int_equal(end("z", CUV_RUNS_DONE, NOW + 3, x), -ENOENT);
	assert_int_equal(state_of("a", "you", ""), -ENOENT);
	open_again();
	assert_int_equal(state_of("a", "me", x), CUV_RUNS_DONE);
	assert_int_equal(state_of("b", "me", y), CUV_RUNS_DONE);
	assert_ok(in.results->expire(in.results, 0, BIG, 1000, &err));
	assert_int_equal(state_of("a", "me", ""), -ENOENT);
	assert_int_equal(state_of("b", "me", y), CUV_RUNS_DONE);
}

static bool add_bytes(void *arg, const struct cuv_runs_row *row, size_t bytes)
{
	(void)row;
	*(size_t *)arg += bytes;
	return true;
}

TEST(a_big_request_is_like_any_other)
{
	_cleanup_free_ char *x = big('x', BIG);
	struct cuv_budget little;
	struct cuv_charge charge = CUV_CHARGE_INIT(&little);
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(BIG + 1);
	size_t bytes = 0;

	for (char id[2] = "a"; id[0] <= 'f'; id[0]++)
		add(id, "me", id[0] == 'e' ? "request" : x);
	assert_ok(in.queue->cancel(in.queue, "me", "b", NOW, &err));
	assert_int_equal(begin("b", x), -ENOENT);
	open_again();
	assert_ok(in.queue->recover(in.queue, add_bytes, &bytes, &err));
	assert_int_equal(bytes, 4 * BIG + 7);
	assert_next("acdef", "");
	assert_ok(begin("a", x));
	assert_int_equal(begin("a", x), -ENOENT);
	/* It is charged for, big or not. */
	cuv_budget_init(&little, 10);
	assert_true(in.queue->begin(in.queue, "c", &charge, &b, &err) < 0);
	assert_int_equal(err.code, CUV_E_OVERLOADED);
	assert_true(in.queue->begin(in.queue, "e", &charge, &b, &err) < 0);
	assert_int_equal(err.code, CUV_E_OVERLOADED);
	assert_ok(end("d", CUV_RUNS_FAILED, NOW, "revoked"));
	in.queue->forget(in.queue, "d");
	assert_int_equal(state_of("d", "me", "revoked"), CUV_RUNS_FAILED);
	assert_ok(begin("f", x));
	assert_ok(end("f", CUV_RUNS_DONE, NOW, "answer"));
	assert_int_equal(state_of("f", "me", "answer"), CUV_RUNS_DONE);
}

/* --- files --- */

static int get_file(const char *name, const char *content)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(BIG);
	struct cuv_charge charge = CUV_CHARGE_INIT(NULL);
	int r = files->get(files, name, &charge, &b, &err);

	assert_string_equal(cuv_buf_str(&b), r == 0 ? content : "");
	return r;
}

static int put_file(const char *name, const char *content)
{
	return files->put(files, &(struct cuv_files_content){name, content, strlen(content)}, 1, &err);
}

static int remove_file(const char *name)
{
	return files->remove(files, &name, 1, &err);
}

TEST(a_content_is_there_until_it_is_removed_or_replaced)
{
	assert_int_equal(get_file("runs/a", ""), -ENOENT);
	assert_ok(put_file("runs/a", "first"));
	assert_ok(put_file("runs/b", "second"));
	assert_ok(get_file("runs/a", "first"));
	assert_ok(put_file("runs/a", "new"));
	assert_ok(get_file("runs/a", "new"));
	assert_ok(remove_file("runs/a"));
	assert_ok(remove_file("runs/a"));
	assert_int_equal(get_file("runs/a", ""), -ENOENT);
	assert_ok(get_file("runs/b", "second"));
	assert_int_equal(get_file("runs/", ""), -ENOENT);
	assert_int_equal(get_file("RUNS/b", ""), -ENOENT);
}

TEST(many_contents_are_put_and_removed_at_once)
{
	const struct cuv_files_content contents[] = {{"a", "1", 1}, {"b", "22\0 22", 6}, {"c", "333", 3}};
	const char *const names[] = {"a", "none", "c"};

	assert_ok(put_file("b", "before"));
	assert_ok(files->put(files, NULL, 0, &err));
	assert_ok(files->put(files, contents, 3, &err));
	assert_ok(get_file("a", "1"));
	assert_ok(get_file("c", "333"));
	assert_ok(files->remove(files, NULL, 0, &err));
	assert_ok(files->remove(files, names, 3, &err));
	assert_int_equal(get_file("a", ""), -ENOENT);
	assert_int_equal(get_file("c", ""), -ENOENT);
}

TEST(what_is_read_is_charged_for)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(1000);
	struct cuv_budget budget;
	struct cuv_charge charge = CUV_CHARGE_INIT(&budget);

	cuv_budget_init(&budget, 10);
	assert_ok(put_file("a", "12345678901"));
	assert_true(files->get(files, "a", &charge, &b, &err) < 0);
	assert_int_equal(err.code, CUV_E_OVERLOADED);
	assert_int_equal(b.len, 0);
	assert_ok(put_file("a", "1234567890"));
	assert_ok(cuv_buf_add_str(&b, "before "));
	assert_ok(files->get(files, "a", &charge, &b, &err));
	assert_string_equal(cuv_buf_str(&b), "before 1234567890");
	cuv_charge_done(&charge);
}

/* Of this length, whole, one of two: who reads sees no third one. */
static void *replace_many(void *arg)
{
	_cleanup_free_ char *x = big('x', 9000), *y = big('y', 5000);
	struct cuv_error why;

	for (int i = 0; i < 16; i++) {
		const struct cuv_files_content c = {"a", i % 2 ? x : y, i % 2 ? 9000 : 5000};

		if (files->put(files, &c, 1, &why) < 0)
			return arg;
	}
	return NULL;
}

TEST(who_reads_while_others_write_reads_one_whole)
{
	_cleanup_free_ char *x = big('x', 9000);
	pthread_t writer;
	void *failed;

	assert_ok(put_file("a", x));
	assert_ok(pthread_create(&writer, NULL, replace_many, files));
	for (int i = 0; i < 100; i++) {
		_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(BIG);
		struct cuv_charge charge = CUV_CHARGE_INIT(NULL);
		struct cuv_error why;
		int r = files->get(files, "a", &charge, &b, &why);

		if (r < 0)
			assert_int_equal(r, -ENOENT);
		else
			assert_true(b.len == (b.data[0] == 'x' ? 9000 : 5000) &&
				    strspn(cuv_buf_str(&b), b.data[0] == 'x' ? "x" : "y") == b.len);
	}
	assert_ok(pthread_join(writer, &failed));
	assert_null(failed);
	assert_ok(get_file("a", x));
}

/* The store has room for 100 KiB and not for 600: after an error nothing of it is there, and the rest is. */
TEST(what_there_is_no_room_for_is_not_there)
{
	_cleanup_free_ char *x = big('x', BIG);
	const struct cuv_files_content contents[] = {{"a", "new", 3}, {"b", x, BIG}, {"c", x, BIG}};

	assert_ok(put_file("a", "old"));
	assert_ok(put_file("other", "1"));
	assert_true(files->put(files, contents, 3, &err) < 0);
	assert_int_equal(err.code, CUV_E_NO_SPACE);
	assert_true(err.retry_after_s > 0);
	assert_int_equal(get_file("a", ""), -ENOENT);
	assert_int_equal(get_file("b", ""), -ENOENT);
	assert_ok(get_file("other", "1"));
	x[100 << 10] = '\0';
	assert_ok(put_file("b", x));
	assert_ok(get_file("b", x));
}

TEST(names_are_not_what_clients_choose)
{
	assert_true(cuv_files_name_valid("runs/0af-_"));
	assert_false(cuv_files_name_valid("runs/.."));
	assert_false(cuv_files_name_valid("a b"));
	assert_false(cuv_files_name_valid(""));
}

/* --- lists of tests --- */

#define OF(open, close, name) cmocka_unit_test_setup_teardown(name, open, close)

/* open makes `in`, close ends it. */
#define RUNS_CONTRACT(open, close)                                                                                     \
	OF(open, close, a_run_begins_once_and_ends_once), OF(open, close, others_dont_find_it),                        \
		OF(open, close, lines_take_turns_whatever_their_length),                                               \
		OF(open, close, a_thousand_of_one_do_not_hold_up_the_one_of_another),                                  \
		OF(open, close, runs_of_a_session_take_turns),                                                         \
		OF(open, close, of_beginning_and_cancelling_one_succeeds),                                             \
		OF(open, close, a_line_has_an_end_and_so_have_all),                                                    \
		OF(open, close, a_list_has_ones_own_the_latest_first_in_pages),                                        \
		OF(open, close, after_a_kill_what_waits_is_found_and_what_had_begun_was_interrupted),                  \
		OF(open, close, answers_expire_by_age_bytes_and_number_the_oldest_first),                              \
		OF(open, close, answers_of_one_client_push_out_its_own_first),                                         \
		OF(open, close, a_big_answer_is_like_any_other), OF(open, close, a_big_request_is_like_any_other)

/* open makes `files`, empty and with room for 400 KiB, close ends it. */
#define FILES_CONTRACT(open, close)                                                                                    \
	OF(open, close, a_content_is_there_until_it_is_removed_or_replaced),                                           \
		OF(open, close, many_contents_are_put_and_removed_at_once),                                            \
		OF(open, close, what_is_read_is_charged_for),                                                          \
		OF(open, close, who_reads_while_others_write_reads_one_whole),                                         \
		OF(open, close, what_there_is_no_room_for_is_not_there),                                               \
		OF(open, close, names_are_not_what_clients_choose)

#endif
