/* SPDX-License-Identifier: MIT */
/*
 * The pool against a launcher that is played: it gives each run with a stream to
 * a thread that plays ruff, well or badly as the document asks for. However it
 * behaves, whoever asked hears that there is no answer, and the next document
 * finds another server.
 */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "manager/ruff/pool.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HASH "0123456789abcdfghijklmnpqrsvwxyz"
#define PATIENCE_MS 90000

struct launcher {
	int pair[2]; /* ours, the pool's control socket */
	pthread_t thread;
	_Atomic unsigned runs; /* that were asked for */
	_Atomic bool refusing; /* every run fails */
};

/* --- ruff, played --- */

struct ruff {
	int stream, session;
	char *text; /* of the document that is open */
};

/* Documents that were left with nothing in them. A ruff may outlive its test. */
static _Atomic unsigned emptied;

static void say(const struct ruff *r, const char *text)
{
	char head[64];

	snprintf(head, sizeof(head), "Content-Length: %zu\r\n\r\n", strlen(text));
	(void)send(r->stream, head, strlen(head), MSG_NOSIGNAL);
	(void)send(r->stream, text, strlen(text), MSG_NOSIGNAL);
}

static void answer(const struct ruff *r, json_int_t id, const char *result)
{
	char text[1024];

	snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":%s}", (long long)id, result);
	say(r, text);
}

static void flood(const struct ruff *r)
{
	static const char filler[65536] = {'x'};

	(void)send(r->stream, "Content-Length: 8388608\r\n\r\n", 27, MSG_NOSIGNAL);
	while (send(r->stream, filler, sizeof(filler), MSG_NOSIGNAL) > 0)
		;
}

static void diagnose(const struct ruff *r, json_int_t version, const char *items)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "{\"jsonrpc\":\"2.0\",\"method\":\"textDocument/publishDiagnostics\",\"params\":{\"version\":%lld,"
		 "\"diagnostics\":%s}}",
		 (long long)version, items);
	say(r, text);
}

/* False: it is over. */
static bool on_document(struct ruff *r, json_int_t id)
{
	int i;

	if (strstr(r->text, "die"))
		return false;
	if (strstr(r->text, "silent"))
		return true;
	if (strstr(r->text, "garbage"))
		say(r, "this is no JSON");
	if (strstr(r->text, "flood"))
		flood(r);
	if (strstr(r->text, "chatter"))
		for (i = 0; i < 1000; i++)
			say(r, "{\"method\":\"window/logMessage\"}");
	if (strstr(r->text, "other"))
		id += 1000;
	if (strstr(r->text, "odd"))
		diagnose(r, id, "[{}]");
	diagnose(r, id,
		 strstr(r->text, "syntax") ? "[{\"code\":\"invalid-syntax\",\"message\":\"m\",\"range\":"
					     "{\"start\":{\"line\":0,\"character\":0},"
					     "\"end\":{\"line\":0,\"character\":1}}}]"
					   : "[]");
	return true;
}

static void on_formatting(const struct ruff *r, json_int_t id)
{
	if (strstr(r->text, "silent"))
		return;
	/* What has a line before it was sent to see whether it can be parsed. */
	answer(r, id, r->text[0] == '\n' && strstr(r->text, "passes") ? "[]" : "null");
}

static bool on_message(struct ruff *r, const json_t *m)
{
	const char *method = json_string_value(json_object_get(m, "method"));
	const json_t *params = json_object_get(m, "params"), *document = json_object_get(params, "textDocument");
	const json_int_t id = json_integer_value(json_object_get(m, "id"));

	if (strcmp(method, "initialize") == 0)
		answer(r, id, "{\"capabilities\":{\"positionEncoding\":\"utf-32\"}}");
	if (strcmp(method, "textDocument/didOpen") == 0 || strcmp(method, "textDocument/didChange") == 0) {
		const json_t *change = json_array_get(json_object_get(params, "contentChanges"), 0);

		/* It is opened once. */
		if ((r->text != NULL) != (change != NULL))
			abort();
		free(r->text);
		r->text = strdup(json_string_value(json_object_get(change ? change : document, "text")));
		emptied += r->text[0] == '\0';
		return on_document(r, json_integer_value(json_object_get(document, "version")));
	}
	if (strcmp(method, "textDocument/formatting") == 0)
		on_formatting(r, id);
	return true;
}

static void *ruff_main(void *arg)
{
	struct ruff *r = arg;
	struct cuv_lsp_reader reader;
	char data[4096];
	ssize_t n;
	bool on = true;

	cuv_lsp_reader_init(&reader);
	while (on && (n = read(r->stream, data, sizeof(data))) > 0) {
		struct cuv_json text;

		(void)cuv_lsp_push(&reader, data, (size_t)n);
		while (on && cuv_lsp_next(&reader, &text) == 1) {
			json_t *m = json_loadb(text.at, text.len, 0, NULL);

			on = on_message(r, m);
			json_decref(m);
		}
	}
	cuv_lsp_reader_done(&reader);
	close(r->stream);
	close(r->session);
	free(r->text);
	free(r);
	return NULL;
}

/* --- the launcher, played --- */

static void on_run(struct launcher *l, int session)
{
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	_cleanup_run_ struct cuv_run run = CUV_RUN_INIT;
	struct ruff *r = calloc(1, sizeof(*r));
	pthread_t thread;

	l->runs++;
	if (cuv_frame_recv(session, &f) != 0 || cuv_run_get(&f.body, &run) < 0 || !run.stream || f.n_fds != 1)
		abort();
	if (l->refusing) {
		struct cuv_error err;

		cuv_error_set(&err, CUV_E_OVERLOADED, "no place");
		(void)cuv_failure_send(session, &err);
		close(session);
		free(r);
		return;
	}
	*r = (struct ruff){.stream = cuv_frame_take_fd(&f, 0), .session = session};
	(void)cuv_msg_send_plain(session, CUV_MSG_RUN_STARTED, NULL, 0);
	pthread_create(&thread, NULL, ruff_main, r);
	pthread_detach(thread);
}

static void *launcher_main(void *arg)
{
	struct launcher *l = arg;

	for (;;) {
		_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;

		if (cuv_frame_recv(l->pair[0], &f) != 0)
			return NULL;
		on_run(l, cuv_frame_take_fd(&f, 0));
	}
}

/* --- tests --- */

struct fixture {
	struct launcher launcher;
	struct cuv_peers peers;
	struct cuv_ruff_pool pool;
};

static void start(struct fixture *f, unsigned servers)
{
	struct cuv_tools tools = {.pythons = {{.image = HASH "-image"}}, .n_pythons = 1, .ruff = HASH "-ruff"};

	*f = (struct fixture){.peers = CUV_PEERS_INIT};
	assert_ok(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, f->launcher.pair));
	f->peers.launcher_control = f->launcher.pair[1];
	pthread_create(&f->launcher.thread, NULL, launcher_main, &f->launcher);
	assert_ok(cuv_ruff_pool_start(&f->pool, servers));
	cuv_ruff_pool_open(&f->pool, &f->peers, &tools);
}

static unsigned ready(struct fixture *f)
{
	unsigned n;

	pthread_mutex_lock(&f->pool.lock);
	n = f->pool.ready;
	pthread_mutex_unlock(&f->pool.lock);
	return n;
}

static void wait_ready(struct fixture *f, unsigned n)
{
	const uint64_t deadline = cuv_deadline_ms(PATIENCE_MS);

	while (ready(f) < n && cuv_now_ns() < deadline)
		usleep(1000);
	assert_int_equal(ready(f), n);
}

static void stop(struct fixture *f)
{
	cuv_ruff_pool_stop(&f->pool);
	shutdown(f->launcher.pair[0], SHUT_RDWR);
	pthread_join(f->launcher.thread, NULL);
	close(f->launcher.pair[0]);
	close(f->launcher.pair[1]);
}

static struct cuv_ruff_ticket *ask(struct fixture *f, const char *code)
{
	struct cuv_ruff_key key;

	cuv_ruff_cache_key("ruff", code, strlen(code), &key);
	return cuv_ruff_pool_ask(&f->pool, &key, code, strlen(code));
}

static enum cuv_ruff_known known(struct fixture *f, const char *code)
{
	struct cuv_ruff_report r;
	enum cuv_ruff_known k;
	struct cuv_ruff_key key;

	cuv_ruff_report_init(&r);
	cuv_ruff_cache_key("ruff", code, strlen(code), &key);
	k = cuv_ruff_cache_get(&f->pool.cache, &key, &r);
	cuv_ruff_report_done(&r);
	return k;
}

/* Waits for the end of a ticket; whether there was an answer, and which. */
static bool end(struct fixture *f, struct cuv_ruff_ticket *t, struct cuv_ruff_report *ret)
{
	struct pollfd p = {.fd = cuv_ruff_ticket_fd(t), .events = POLLIN};

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	return cuv_ruff_ticket_end(&f->pool, t, ret);
}

static void assert_answered(struct fixture *f, const char *code, bool parsed, const char *warnings)
{
	struct cuv_ruff_ticket *t = ask(f, code);
	struct cuv_ruff_report r;

	cuv_ruff_report_init(&r);
	assert_non_null(t);
	assert_true(end(f, t, &r));
	assert_int_equal(r.parsed, parsed);
	assert_string_equal(cuv_buf_str(&r.formatted), parsed ? code : "");
	if (warnings)
		assert_string_equal(cuv_buf_str(&r.warnings), warnings);
	cuv_ruff_report_done(&r);
}

TEST(a_document_is_answered_and_remembered)
{
	struct fixture f;

	start(&f, 2);
	wait_ready(&f, 2);
	assert_int_equal(known(&f, "x = 1\n"), CUV_RUFF_UNKNOWN);
	assert_answered(&f, "x = 1\n", true, "[]");
	assert_int_equal(known(&f, "x = 1\n"), CUV_RUFF_KNOWN);
	assert_int_equal(f.launcher.runs, 2);
	stop(&f);
}

TEST(a_server_that_has_nothing_to_do_keeps_no_text)
{
	const uint64_t deadline = cuv_deadline_ms(4 * PATIENCE_MS);
	struct fixture f;

	emptied = 0;
	start(&f, 1);
	wait_ready(&f, 1);
	assert_answered(&f, "x = 1\n", true, "[]");
	while (emptied == 0 && cuv_now_ns() < deadline)
		usleep(1000);
	assert_int_equal(emptied, 1);
	/* What was said of nothing is not taken for the next one's. */
	assert_answered(&f, "syntax passes", true, NULL);
	stop(&f);
}

TEST(what_can_not_be_parsed_is_told_from_what_only_ruff_calls_so)
{
	struct fixture f;

	start(&f, 1);
	wait_ready(&f, 1);
	assert_answered(&f, "syntax", false, NULL);
	assert_answered(&f, "syntax passes", true, NULL);
	stop(&f);
}

TEST(however_a_server_fails_there_is_no_answer_and_then_another_server)
{
	static const char *const bad[] = {"die", "silent", "garbage", "flood", "chatter", "other", "odd"};
	struct cuv_ruff_report r;
	struct fixture f;
	size_t i;

	start(&f, 1);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cuv_ruff_ticket *t;

		wait_ready(&f, 1);
		assert_int_equal(f.launcher.runs, i + 1);
		t = ask(&f, bad[i]);
		assert_non_null(t);
		cuv_ruff_report_init(&r);
		if (end(&f, t, &r))
			fail_msg("`%s` was answered", bad[i]);
		assert_int_equal(r.formatted.len + r.warnings.len, 0);
		cuv_ruff_report_done(&r);
		if (known(&f, bad[i]) != CUV_RUFF_TOO_MUCH)
			fail_msg("`%s` would be given to a server again", bad[i]);
	}
	wait_ready(&f, 1);
	assert_answered(&f, "x = 1\n", true, "[]");
	stop(&f);
}

TEST(one_document_that_hangs_does_not_hold_up_the_others)
{
	struct cuv_ruff_ticket *hangs;
	struct fixture f;
	int i;

	start(&f, 2);
	wait_ready(&f, 2);
	hangs = ask(&f, "silent");
	for (i = 0; i < 50; i++)
		assert_answered(&f, "x = 1\n", true, "[]");
	assert_false(end(&f, hangs, NULL));
	stop(&f);
}

TEST(whoever_goes_away_leaves_nothing)
{
	struct cuv_ruff_ticket *t[20];
	struct fixture f;
	size_t i;

	start(&f, 1);
	wait_ready(&f, 1);
	for (i = 0; i < ARRAY_SIZE(t); i++)
		t[i] = ask(&f, i == 0 ? "silent" : "x = 1\n");
	for (i = ARRAY_SIZE(t); i-- > 0;)
		assert_false(cuv_ruff_ticket_end(&f.pool, t[i], NULL));
	wait_ready(&f, 1);
	assert_answered(&f, "x = 2\n", true, "[]");
	stop(&f);
}

TEST(without_a_launcher_nobody_waits)
{
	struct cuv_ruff_ticket *t;
	struct fixture f;

	start(&f, 1);
	wait_ready(&f, 1);
	f.launcher.refusing = true;
	assert_false(end(&f, ask(&f, "die"), NULL));
	t = ask(&f, "x = 1\n"); /* while another one is tried, or after it */
	assert_true(!t || !end(&f, t, NULL));
	assert_null(ask(&f, "x = 2\n"));
	f.launcher.refusing = false;
	wait_ready(&f, 1);
	assert_answered(&f, "x = 1\n", true, "[]");
	stop(&f);
}

TEST(too_much_for_a_server_is_refused_at_once)
{
	struct fixture f;

	start(&f, 1);
	wait_ready(&f, 1);
	assert_null(cuv_ruff_pool_ask(&f.pool, &(struct cuv_ruff_key){{0}}, "a\0b", 3));
	stop(&f);
	start(&f, 0);
	assert_null(ask(&f, "x = 1\n"));
	assert_int_equal(f.launcher.runs, 0);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_is_answered_and_remembered),
		cmocka_unit_test(a_server_that_has_nothing_to_do_keeps_no_text),
		cmocka_unit_test(what_can_not_be_parsed_is_told_from_what_only_ruff_calls_so),
		cmocka_unit_test(however_a_server_fails_there_is_no_answer_and_then_another_server),
		cmocka_unit_test(one_document_that_hangs_does_not_hold_up_the_others),
		cmocka_unit_test(whoever_goes_away_leaves_nothing),
		cmocka_unit_test(without_a_launcher_nobody_waits),
		cmocka_unit_test(too_much_for_a_server_is_refused_at_once),
	};

	return cmocka_run_group_tests_name("ruff_pool", tests, NULL, NULL);
}
