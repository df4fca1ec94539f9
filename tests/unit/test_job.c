/* SPDX-License-Identifier: MIT */
/*
 * A job's loop against two peers that follow a script, each a thread at the
 * other end of real control sockets: what is asked, in which order, and what
 * becomes of every way in which a side can end. (The same job against the real
 * launcher and builder is tests/api.)
 */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "manager/held.h"
#include "manager/job.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HASH "0123456789abcdfghijklmnpqrsvwxyz"
#define ENV HASH "-env"
#define WAIT_MS 60000

enum what {
	GOOD,
	FAILURE, /* says so */
	HANG_UP, /* closes without a word */
	SILENT,	 /* says nothing until the other side closes */
	GARBAGE, /* another message than may come */
};

/* The script, and what was seen. */
struct peers {
	enum what environment, program, format, check;
	int format_exit, check_exit;
	const char *lint;
	const char *output;
	size_t output_repeat;

	int control[2][2]; /* launcher, builder; ours and theirs */
	pthread_t thread[2];
	struct cuv_peers peers;
	char seen_sharing[320], seen_lint_zygote[256];
	char seen_program[2048], seen_stdin[64], seen_file[64], seen_requirements[64];
	struct cuv_env_ask seen_ask;
	bool silent; /* the launcher does not say that the run is begun, nor how it ends */
	struct cuv_held *held;
	int lease; /* the other end of what stands for it */
	bool leased_at_end, leased_afterwards;
};

static void send_environment(struct peers *s, int fd)
{
	_cleanup_environment_ struct cuv_environment e = CUV_ENVIRONMENT_INIT;
	_cleanup_writer_ struct cuv_writer w;
	_cleanup_writer_ struct cuv_writer p;
	struct cuv_env_progress progress = {.phase = CUV_PHASE_BUILDING, .done = 1, .total = 2};
	int fds[2], pair[2];

	cuv_writer_init(&p, CUV_MSG_ENV_PROGRESS);
	cuv_env_progress_put(&p, &progress);
	cuv_writer_send(&p, fd, NULL, 0);
	snprintf(e.digest, sizeof(e.digest), HASH);
	snprintf(e.store_name, sizeof(e.store_name), ENV);
	snprintf(e.image, sizeof(e.image), HASH "-image");
	cuv_strv_add(&e.closure, ENV);
	cuv_strv_add(&e.closure, HASH "-wheel");
	cuv_writer_init(&w, CUV_MSG_ENV_READY);
	cuv_environment_put(&w, &e);
	fds[0] = cuv_memfd("lock", "# lock\n", 7);
	assert_ok(pipe2(pair, O_CLOEXEC));
	s->lease = pair[0];
	fds[1] = pair[1];
	cuv_writer_send(&w, fd, fds, 2);
	cuv_close(fds[0]);
	cuv_close(fds[1]);
}

static bool is_leased(const struct peers *s)
{
	struct pollfd p = {.fd = s->lease, .events = POLLIN};

	return poll(&p, 1, 0) == 0;
}

static void wait_for_close(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	poll(&p, 1, WAIT_MS);
}

static void send_output(int fd, enum cuv_stream stream, const char *text, size_t len)
{
	struct cuv_output o = {.stream = stream, .data = (const uint8_t *)text, .len = len};
	_cleanup_writer_ struct cuv_writer w;

	cuv_writer_init(&w, CUV_MSG_RUN_OUTPUT);
	cuv_output_put(&w, &o);
	cuv_writer_send(&w, fd, NULL, 0);
}

static void send_result(int fd, int exit_code)
{
	struct cuv_run_result m = {.status = exit_code ? CUV_RUN_ERROR : CUV_RUN_SUCCESS, .exit_code = exit_code};
	_cleanup_writer_ struct cuv_writer w;

	cuv_writer_init(&w, CUV_MSG_RUN_RESULT);
	cuv_run_result_put(&w, &m);
	cuv_writer_send(&w, fd, NULL, 0);
}

/* True when the script has taken care of the session. */
static bool misbehave(int fd, enum what what, const char *who)
{
	struct cuv_error err;

	switch (what) {
	case FAILURE:
		cuv_error_set(&err, CUV_E_NO_SPACE, "%s failed", who);
		err.retry_after_s = 11;
		cuv_failure_send(fd, &err);
		wait_for_close(fd);
		return true;
	case HANG_UP:
		return true;
	case SILENT:
		wait_for_close(fd);
		return true;
	case GARBAGE:
		cuv_msg_send_plain(fd, CUV_MSG_READY, NULL, 0);
		wait_for_close(fd);
		return true;
	case GOOD:
	default:
		return false;
	}
}

static void see(struct cuv_frame *f, size_t i, char *dst, size_t size)
{
	ssize_t n = i < f->n_fds ? pread(f->fds[i], dst, size - 1, 0) : -1;

	dst[n > 0 ? n : 0] = '\0';
}

static void ruff(struct peers *s, int fd, bool check)
{
	if (misbehave(fd, check ? s->check : s->format, "ruff"))
		return;
	cuv_msg_send_plain(fd, CUV_MSG_RUN_STARTED, NULL, 0);
	if (check)
		send_output(fd, CUV_STREAM_STDOUT, s->lint, strlen(s->lint));
	else if (s->format_exit == 0)
		send_output(fd, CUV_STREAM_STDOUT, "formatted\n", 10);
	send_output(fd, CUV_STREAM_STDERR, "noise", 5);
	send_result(fd, check ? s->check_exit : s->format_exit);
	wait_for_close(fd);
}

static void program(struct peers *s, int fd)
{
	size_t i;

	if (misbehave(fd, s->program, "program"))
		return;
	if (!s->silent)
		cuv_msg_send_plain(fd, CUV_MSG_RUN_STARTED, NULL, 0);
	for (i = 0; i < s->output_repeat; i++)
		send_output(fd, CUV_STREAM_STDOUT, s->output, strlen(s->output));
	send_output(fd, CUV_STREAM_STDERR, "err", 3);
	s->leased_at_end = is_leased(s);
	if (s->silent)
		return;
	send_result(fd, 3);
	wait_for_close(fd);
}

static void launcher_session(struct peers *s, int fd, struct cuv_frame *f)
{
	_cleanup_run_ struct cuv_run run = CUV_RUN_INIT;

	if (f->type != CUV_MSG_RUN || cuv_run_get(&f->body, &run) < 0)
		return;
	if (strstr(run.argv.items[0], "/ruff")) {
		snprintf(s->seen_lint_zygote, sizeof(s->seen_lint_zygote), "%s", run.zygote);
		ruff(s, fd, strcmp(run.argv.items[1], "check") == 0);
		return;
	}
	see(f, 0, s->seen_stdin, sizeof(s->seen_stdin));
	see(f, 1, s->seen_file, sizeof(s->seen_file));
	snprintf(s->seen_sharing, sizeof(s->seen_sharing), "%s %s %d", run.zygote, run.tenant, run.strict);
	snprintf(s->seen_program, sizeof(s->seen_program), "%s %s %s|%s|%s|%zu %s", run.argv.items[0],
		 run.argv.items[1], run.argv.n == 3 ? run.argv.items[2] : "?", run.env, run.image, run.closure.n,
		 run.files.items[0]);
	program(s, fd);
}

static void builder_session(struct peers *s, int fd, struct cuv_frame *f)
{
	if (f->type != CUV_MSG_ENV_ASK || cuv_env_ask_get(&f->body, &s->seen_ask) < 0)
		return;
	see(f, 0, s->seen_requirements, sizeof(s->seen_requirements));
	if (misbehave(fd, s->environment, "environment"))
		return;
	send_environment(s, fd);
}

struct session {
	struct peers *s;
	int fd;
	bool builder;
};

static void *session_thread(void *arg)
{
	_cleanup_free_ struct session *session = arg;
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	_cleanup_close_ int fd = session->fd;

	if (cuv_frame_recv_until(fd, cuv_deadline_ms(WAIT_MS), &f) != 0)
		return NULL;
	if (session->builder)
		builder_session(session->s, fd, &f);
	else
		launcher_session(session->s, fd, &f);
	return NULL;
}

/* Hands out sessions until the control socket is closed, then waits for all. */
static void serve(struct peers *s, bool builder)
{
	pthread_t threads[8];
	size_t i, n = 0;

	for (;;) {
		_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
		struct session *session;

		if (cuv_frame_recv(s->control[builder][1], &f) != 0 || n == ARRAY_SIZE(threads))
			break;
		session = malloc(sizeof(*session));
		*session = (struct session){.s = s, .fd = cuv_frame_take_fd(&f, 0), .builder = builder};
		pthread_create(&threads[n++], NULL, session_thread, session);
	}
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}

static void *launcher_thread(void *arg)
{
	serve(arg, false);
	return NULL;
}

static void *builder_thread(void *arg)
{
	serve(arg, true);
	return NULL;
}

static void peers_start(struct peers *s)
{
	int i;

	for (i = 0; i < 2; i++)
		assert_ok(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->control[i]));
	s->peers = CUV_PEERS_INIT;
	s->peers.held = s->held;
	s->lease = -1;
	s->peers.launcher_control = s->control[0][0];
	s->peers.builder_control = s->control[1][0];
	assert_ok(pthread_create(&s->thread[0], NULL, launcher_thread, s));
	assert_ok(pthread_create(&s->thread[1], NULL, builder_thread, s));
}

static void peers_stop(struct peers *s)
{
	int i;

	for (i = 0; i < 2; i++) {
		cuv_close(s->control[i][0]);
		pthread_join(s->thread[i], NULL);
		cuv_close(s->control[i][1]);
	}
	s->leased_afterwards = is_leased(s);
	s->lease = cuv_close(s->lease);
}

struct outcome {
	struct cuv_job_result result;
	struct cuv_error err;
	int r;
	int progress, started;
};

static void on_progress(void *arg, _unused_ const struct cuv_env_progress *p)
{
	((struct outcome *)arg)->progress++;
}

static void on_started(void *arg)
{
	((struct outcome *)arg)->started++;
}

#define SPEC                                                                                                           \
	((struct cuv_job_spec){.run_id = "id",                                                                         \
			       .code = "print(1)",                                                                     \
			       .code_len = 8,                                                                          \
			       .env_source = CUV_ENV_REQUIREMENTS,                                                     \
			       .requirements = "idna\n",                                                               \
			       .requirements_len = 5,                                                                  \
			       .stdin_data = "in",                                                                     \
			       .stdin_len = 2,                                                                         \
			       .exclude_s = 1700000000,                                                                \
			       .resolve_ms = 1000,                                                                     \
			       .build_ms = 2000,                                                                       \
			       .queue_ms = 60000,                                                                      \
			       .lint = true})

static void run_job(struct peers *s, struct cuv_job_spec *spec, struct cuv_job_events *events, struct outcome *o)
{
	static const struct cuv_tools tools = {
		.pythons = {{.python = "3.11.2", .image = HASH "-image", .made = true, .zygote = HASH "-zygote"},
			    {.python = "3.13.5", .image = HASH "-other", .made = true, .zygote = HASH "-zygote-other"}},
		.n_pythons = 2,
		.uv = HASH "-uv",
		.ruff = HASH "-ruff"};

	*o = (struct outcome){.err = CUV_ERROR_INIT};
	if (!spec->limits.value[CUV_LIMIT_WALL])
		cuv_limits_default(&spec->limits);
	events->arg = o;
	events->progress = on_progress;
	events->started = on_started;
	cuv_job_result_init(&o->result, spec);
	s->lint = s->lint ? s->lint : "[]";
	s->output = s->output ? s->output : "out";
	s->output_repeat = s->output_repeat ? s->output_repeat : 1;
	peers_start(s);
	o->r = cuv_job_run(&s->peers, &tools, spec, events, &o->result, &o->err);
	peers_stop(s);
}

static void simple_job(struct peers *s, struct outcome *o)
{
	struct cuv_job_spec spec = SPEC;
	struct cuv_job_events events = CUV_JOB_EVENTS_INIT;

	run_job(s, &spec, &events, o);
}

TEST(a_whole_job)
{
	struct peers s = {.environment = GOOD};
	_cleanup_strv_ struct cuv_strv args = CUV_STRV_INIT;
	struct cuv_job_events events = CUV_JOB_EVENTS_INIT;
	struct cuv_job_spec spec = SPEC;
	struct outcome o;

	assert_ok(cuv_strv_add(&args, "--flag"));
	spec.args = &args;
	run_job(&s, &spec, &events, &o);
	assert_ok(o.r);
	assert_content(&o.result.out, "out");
	assert_content(&o.result.err, "err");
	assert_int_equal(o.result.run.status, CUV_RUN_ERROR);
	assert_int_equal(o.result.run.exit_code, 3);
	assert_string_equal(o.result.environment.store_name, ENV);
	assert_int_equal(o.result.lint_state, CUV_LINT_DONE);
	assert_true(o.result.format_done);
	assert_content(&o.result.formatted, "formatted\n");
	assert_content(&o.result.lint, "[]");
	assert_int_equal(o.progress, 1);
	assert_int_equal(o.started, 1);
	assert_string_equal(s.seen_requirements, "idna\n");
	assert_string_equal(s.seen_ask.python, "3.11");
	assert_int_equal(s.seen_ask.exclude_s, 1700000000);
	assert_int_equal(s.seen_ask.build_ms, 2000);
	assert_string_equal(s.seen_program,
			    "/nix/store/" ENV "/bin/python main.py --flag|" ENV "|" HASH "-image|2 main.py");
	assert_string_equal(s.seen_stdin, "in");
	assert_string_equal(s.seen_file, "print(1)");
	assert_true(s.leased_at_end);	   /* held while the program ran … */
	assert_false(s.leased_afterwards); /* … and no longer */
	cuv_job_result_done(&o.result);
}

TEST(an_environment_that_is_held_is_not_asked_for)
{
	static const struct cuv_peers nobody = CUV_PEERS_INIT;
	struct cuv_held held;
	int tries = 60;
	bool again;

	assert_ok(cuv_held_start(&held, &nobody));
	do {
		struct peers first = {.held = &held}, second = {.environment = HANG_UP, .held = &held};
		struct outcome o;

		simple_job(&first, &o);
		assert_ok(o.r);
		cuv_job_result_done(&o.result);
		assert_string_equal(first.seen_requirements, "idna\n");
		simple_job(&second, &o);
		/* A machine may stand still for as long as it is held. */
		again = o.r < 0 && tries-- > 0;
		if (!again) {
			assert_ok(o.r);
			assert_string_equal(o.result.environment.store_name, ENV);
			assert_content(&o.result.lock, "# lock\n");
			assert_string_equal(second.seen_requirements, "");
			assert_string_equal(second.seen_program,
					    "/nix/store/" ENV "/bin/python main.py ?|" ENV "|" HASH "-image|2 main.py");
		}
		cuv_job_result_done(&o.result);
	} while (again);
	cuv_held_stop(&held);
}

TEST(a_box_that_nobody_gives_is_waited_for_so_long)
{
	struct peers s = {.program = SILENT};
	struct cuv_job_events events = CUV_JOB_EVENTS_INIT;
	struct cuv_job_spec spec = SPEC;
	uint64_t begun = cuv_now_ns();
	struct outcome o;

	spec.queue_ms = 300;
	run_job(&s, &spec, &events, &o);
	assert_true(o.r < 0);
	assert_int_equal(o.err.code, CUV_E_OVERLOADED);
	assert_true(o.err.retry_after_s > 0);
	assert_true(cuv_now_ns() - begun >= 300 * CUV_NS_PER_MS);
	cuv_job_result_done(&o.result);
}

TEST(output_says_that_the_program_is_begun)
{
	struct peers s = {.silent = true, .output = "out", .output_repeat = 2};
	struct outcome o;

	simple_job(&s, &o);
	assert_true(o.r < 0);
	assert_int_equal(o.started, 1);
	cuv_job_result_done(&o.result);
}

TEST(a_failing_environment_ends_the_job_with_its_error)
{
	struct peers s = {.environment = FAILURE};
	struct outcome o;

	simple_job(&s, &o);
	assert_true(o.r < 0);
	assert_int_equal(o.err.code, CUV_E_NO_SPACE);
	assert_int_equal(o.err.retry_after_s, 11);
	assert_string_equal(o.err.message, "environment failed");
	assert_int_equal(o.started, 0);
	cuv_job_result_done(&o.result);
}

static void assert_ends(enum what environment, enum what program_, enum cuv_error_code code)
{
	struct peers s = {.environment = environment, .program = program_};
	struct outcome o;

	simple_job(&s, &o);
	assert_true(o.r < 0);
	if (o.err.code != code)
		fail_msg("%s: %s", cuv_error_name(o.err.code), o.err.message);
	cuv_job_result_done(&o.result);
}

TEST(whatever_a_side_does_the_job_ends)
{
	assert_ends(HANG_UP, GOOD, CUV_E_UNAVAILABLE);
	assert_ends(GARBAGE, GOOD, CUV_E_INTERNAL);
	assert_ends(GOOD, FAILURE, CUV_E_NO_SPACE);
	assert_ends(GOOD, HANG_UP, CUV_E_UNAVAILABLE);
	assert_ends(GOOD, GARBAGE, CUV_E_INTERNAL);
}

TEST(ruff_can_not_fail_a_job)
{
	static const enum what ways[] = {FAILURE, HANG_UP, GARBAGE};
	size_t i;

	for (i = 0; i < 2 * ARRAY_SIZE(ways); i++) {
		struct peers s = {.format = i % 2 ? GOOD : ways[i / 2], .check = i % 2 ? ways[i / 2] : GOOD};
		struct outcome o;

		simple_job(&s, &o);
		assert_ok(o.r);
		assert_int_equal(o.err.code, CUV_E_NONE);
		assert_int_equal(o.result.lint_state, CUV_LINT_UNAVAILABLE);
		assert_content(&o.result.out, "out");
		cuv_job_result_done(&o.result);
	}
}

static void assert_lint(int format_exit, int check_exit, const char *lint, enum cuv_lint_state state, bool format_done)
{
	struct peers s = {.format_exit = format_exit, .check_exit = check_exit, .lint = lint};
	struct outcome o;

	simple_job(&s, &o);
	assert_ok(o.r);
	assert_int_equal(o.result.lint_state, state);
	assert_int_equal(o.result.format_done, format_done);
	cuv_job_result_done(&o.result);
}

TEST(exits_of_ruff_are_told_apart)
{
	assert_lint(0, 0, "[]", CUV_LINT_DONE, true);
	assert_lint(2, 0, "[{\"code\":null}]", CUV_LINT_DONE, false);
	assert_lint(2, 0, "[]", CUV_LINT_UNAVAILABLE, false); /* it failed for another reason */
	assert_lint(0, 2, "", CUV_LINT_UNAVAILABLE, false);
}

TEST(without_lint_ruff_is_not_asked)
{
	struct peers s = {.format = GARBAGE, .check = GARBAGE};
	struct cuv_job_events events = CUV_JOB_EVENTS_INIT;
	struct cuv_job_spec spec = SPEC;
	struct outcome o;

	spec.lint = false;
	run_job(&s, &spec, &events, &o);
	assert_ok(o.r);
	assert_int_equal(o.result.lint_state, CUV_LINT_SKIPPED);
	cuv_job_result_done(&o.result);
}

TEST(output_stops_at_its_limit)
{
	struct peers s = {.output = "0123456789", .output_repeat = 3};
	struct cuv_job_events events = CUV_JOB_EVENTS_INIT;
	struct cuv_job_spec spec = SPEC;
	struct outcome o;

	cuv_limits_default(&spec.limits);
	spec.limits.value[CUV_LIMIT_STDOUT] = 15;
	run_job(&s, &spec, &events, &o);
	assert_ok(o.r);
	assert_content(&o.result.out, "012345678901234");
	cuv_job_result_done(&o.result);
}

static bool refuse(_unused_ void *arg, _unused_ size_t bytes)
{
	return false;
}

TEST(output_without_memory_ends_the_job)
{
	struct peers s = {.environment = GOOD};
	struct cuv_job_events events = CUV_JOB_EVENTS_INIT;
	struct cuv_job_spec spec = SPEC;
	struct outcome o;

	events.charge = refuse;
	run_job(&s, &spec, &events, &o);
	assert_true(o.r < 0);
	assert_int_equal(o.err.code, CUV_E_OVERLOADED);
	cuv_job_result_done(&o.result);
}

TEST(a_client_that_goes_away_cancels)
{
	struct peers s = {.environment = SILENT, .format = SILENT, .check = SILENT};
	struct cuv_job_events events = CUV_JOB_EVENTS_INIT;
	struct cuv_job_spec spec = SPEC;
	uint64_t begun = cuv_now_ns();
	struct outcome o;
	int client[2];

	assert_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, client));
	events.cancel_fd = client[0];
	events.cancel_events = POLLRDHUP;
	/* bytes are no hang-up */
	assert_int_equal(write(client[1], "x", 1), 1);
	assert_ok(shutdown(client[1], SHUT_WR));
	run_job(&s, &spec, &events, &o);
	assert_true(o.r < 0);
	assert_int_equal(o.err.code, CUV_E_CANCELLED);
	/* all sessions were closed: the silent peers did not wait to the end of their time */
	assert_true(cuv_now_ns() - begun < WAIT_MS / 2 * CUV_NS_PER_MS);
	cuv_job_result_done(&o.result);
	cuv_close(client[0]);
	cuv_close(client[1]);
}

TEST(peers_that_are_not_there_are_unavailable)
{
	struct cuv_peers none = CUV_PEERS_INIT, gone = CUV_PEERS_INIT;
	struct cuv_layers layers;
	struct cuv_tools tools;
	struct cuv_error err;
	int pair[2];

	assert_true(cuv_peers_layers(&none, 100, &layers, &err) < 0);
	assert_int_equal(err.code, CUV_E_UNAVAILABLE);
	none.builder_path = "/nonexistent/socket";
	assert_true(cuv_peers_tools(&none, 100, &tools, &err) < 0);
	assert_int_equal(err.code, CUV_E_UNAVAILABLE);
	assert_ok(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	gone.launcher_control = pair[0];
	/* there, but not answering */
	assert_true(cuv_peers_layers(&gone, 50, &layers, &err) < 0);
	assert_int_equal(err.code, CUV_E_UNAVAILABLE);
	cuv_close(pair[1]);
	assert_true(cuv_peers_layers(&gone, 50, &layers, &err) < 0);
	assert_int_equal(err.code, CUV_E_UNAVAILABLE);
	cuv_close(pair[0]);
}

TEST(a_run_says_what_it_may_share)
{
	struct peers s = {0};
	struct cuv_job_spec spec = SPEC;
	struct cuv_job_events events = CUV_JOB_EVENTS_INIT;
	struct outcome o;

	spec.tenant = "somebody";
	run_job(&s, &spec, &events, &o);
	assert_ok(o.r);
	assert_string_equal(s.seen_sharing, HASH "-zygote somebody 0");
	assert_string_equal(s.seen_lint_zygote, "");
	cuv_job_result_done(&o.result);
	s = (struct peers){0};
	spec.tenant = NULL;
	spec.strict = true;
	run_job(&s, &spec, &events, &o);
	assert_ok(o.r);
	assert_string_equal(s.seen_sharing, HASH "-zygote  1");
	cuv_job_result_done(&o.result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_says_what_it_may_share),
		cmocka_unit_test(a_whole_job),
		cmocka_unit_test(an_environment_that_is_held_is_not_asked_for),
		cmocka_unit_test(a_box_that_nobody_gives_is_waited_for_so_long),
		cmocka_unit_test(output_says_that_the_program_is_begun),
		cmocka_unit_test(a_failing_environment_ends_the_job_with_its_error),
		cmocka_unit_test(whatever_a_side_does_the_job_ends),
		cmocka_unit_test(ruff_can_not_fail_a_job),
		cmocka_unit_test(exits_of_ruff_are_told_apart),
		cmocka_unit_test(without_lint_ruff_is_not_asked),
		cmocka_unit_test(output_stops_at_its_limit),
		cmocka_unit_test(output_without_memory_ends_the_job),
		cmocka_unit_test(a_client_that_goes_away_cancels),
		cmocka_unit_test(peers_that_are_not_there_are_unavailable),
	};

	return cmocka_run_group_tests_name("job", tests, NULL, NULL);
}
