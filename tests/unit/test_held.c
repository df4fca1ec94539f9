/* SPDX-License-Identifier: MIT */
/* Environments that are held for a moment: for whom, how long, and what the builder is told. */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/proto/frame.h"
#include "manager/held.h"
#include "manager/job.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define HASH "0123456789abcdfghijklmnpqrsvwxyz"
#define TEXT "idna\n"
#define LEN (sizeof(TEXT) - 1)
#define WAIT_MS 60000
#define ASK                                                                                                            \
	((struct cuv_env_ask){.source = CUV_ENV_REQUIREMENTS,                                                          \
			      .python = "3.11",                                                                        \
			      .exclude_s = 1700000000,                                                                 \
			      .resolve_ms = 5,                                                                         \
			      .sdist = true})

struct table {
	struct cuv_held held;
	struct cuv_peers peers;
	int builder; /* the other end of its control socket */
};

static void open_table(struct table *t)
{
	int pair[2];

	assert_ok(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	t->peers = CUV_PEERS_INIT;
	t->peers.builder_control = pair[0];
	t->builder = pair[1];
	assert_ok(cuv_held_start(&t->held, &t->peers));
}

static void close_table(struct table *t)
{
	cuv_held_stop(&t->held);
	cuv_close(t->peers.builder_control);
	cuv_close(t->builder);
}

/* What stands for the lease is a file, which is written to where it is wanted back. */
static struct cuv_held_env *put(struct table *t, const struct cuv_env_ask *ask, const char *text, int *ret_lease)
{
	_cleanup_environment_ struct cuv_environment e = {.digest = HASH, .store_name = HASH "-env", .build_ns = 7};
	int lock = cuv_memfd("lock", "# lock\n", 7), lease = memfd_create("lease", MFD_CLOEXEC);
	struct cuv_held_env *env;

	assert_ok(cuv_strv_add(&e.closure, HASH "-env"));
	*ret_lease = fcntl(lease, F_DUPFD_CLOEXEC, 0);
	env = cuv_held_put(&t->held, ask, text, strlen(text), &e, &lock, &lease);
	if (env)
		assert_true(lock == -1 && lease == -1);
	cuv_close(lock);
	cuv_close(lease);
	return env;
}

static bool has(struct table *t, const struct cuv_env_ask *ask, const char *text)
{
	_cleanup_environment_ struct cuv_environment e = CUV_ENVIRONMENT_INIT;
	struct cuv_held_env *env = cuv_held_take(&t->held, ask, text, text ? strlen(text) : 0, &e);

	if (!env)
		return false;
	assert_string_equal(e.digest, HASH);
	assert_int_equal(e.closure.n, 1);
	assert_true(e.cached && e.build_ns == 0);
	assert_int_equal(lseek(cuv_held_lock_fd(env), 0, SEEK_END), 7);
	cuv_held_unref(env);
	return true;
}

/* Of the next message to the builder; its session has been closed. */
static uint32_t told(struct table *t)
{
	_cleanup_frame_ struct cuv_frame open = CUV_FRAME_INIT, f = CUV_FRAME_INIT, end = CUV_FRAME_INIT;
	struct cuv_env_used used;

	assert_ok(cuv_frame_recv_until(t->builder, cuv_deadline_ms(WAIT_MS), &open));
	assert_int_equal(open.type, CUV_MSG_SESSION_OPEN);
	assert_ok(cuv_frame_recv_until(open.fds[0], cuv_deadline_ms(WAIT_MS), &f));
	assert_int_equal(f.type, CUV_MSG_ENV_USED);
	assert_ok(cuv_env_used_get(&f.body, &used));
	assert_string_equal(used.digest, HASH);
	assert_int_equal(cuv_frame_recv_until(open.fds[0], cuv_deadline_ms(WAIT_MS), &end), 1);
	return used.count;
}

TEST(it_is_for_the_same_ask_only)
{
	struct cuv_env_ask other[] = {ASK, ASK, ASK, ASK, {.source = CUV_ENV_DIGEST, .python = "3.11", .digest = HASH}};
	struct cuv_env_ask ask = ASK, slower = ASK;
	struct table t;
	int lease;

	other[0].exclude_s++;
	other[1].exclude_s = 0;
	memcpy(other[2].python, "3.13", 5);
	other[3].source = CUV_ENV_LOCK;
	slower.resolve_ms = 9;
	open_table(&t);
	assert_false(has(&t, &ask, TEXT));
	cuv_held_unref(put(&t, &ask, TEXT, &lease));
	/* The second that it is held for may be over on a machine that stands still. */
	if (has(&t, &ask, TEXT))
		assert_true(has(&t, &slower, TEXT) || !has(&t, &ask, TEXT));
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		assert_false(has(&t, &other[i], TEXT));
	assert_false(has(&t, &ask, "six\n"));
	assert_false(has(&t, &ask, "idna\nsix\n"));
	assert_false(has(&t, &ask, NULL));
	close_table(&t);
	cuv_close(lease);
}

TEST(the_builder_is_told_of_uses_when_it_is_over)
{
	struct cuv_env_ask ask = ASK;
	uint32_t uses = 0;
	struct table t;
	int lease;

	open_table(&t);
	do {
		cuv_held_unref(put(&t, &ask, TEXT, &lease));
		while (uses < 3 && has(&t, &ask, TEXT))
			uses++;
		cuv_close(lease);
	} while (uses == 0);
	assert_int_equal(told(&t), uses);
	assert_false(has(&t, &ask, TEXT));
	close_table(&t);
}

TEST(one_that_is_wanted_goes_at_once)
{
	struct cuv_env_ask ask = ASK;
	struct cuv_held_env *env;
	struct table t;
	int lease;

	open_table(&t);
	env = put(&t, &ask, TEXT, &lease);
	assert_non_null(env);
	assert_ok(ftruncate(lease, 1));
	assert_false(has(&t, &ask, TEXT));
	/* Who runs in it has it to the end. */
	assert_int_equal(lseek(cuv_held_lock_fd(env), 0, SEEK_END), 7);
	cuv_held_unref(env);
	close_table(&t);
	cuv_close(lease);
}

TEST(nothing_is_kept_after_it)
{
	struct cuv_env_ask ask = ASK;
	struct pollfd p = {.events = POLLIN};
	struct table t;
	int pipes[2], lock;
	struct cuv_environment e = {.digest = HASH};

	open_table(&t);
	assert_ok(pipe2(pipes, O_CLOEXEC));
	lock = cuv_memfd("lock", NULL, 0);
	cuv_held_unref(cuv_held_put(&t.held, &ask, TEXT, LEN, &e, &lock, &pipes[1]));
	assert_int_equal(pipes[1], -1);
	p.fd = pipes[0];
	/* Its end: nobody has the lease any more. */
	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	cuv_close(pipes[0]);
	close_table(&t);
}

TEST(there_are_only_so_many)
{
	struct cuv_env_ask ask = ASK;
	struct table t;
	char text[16];
	int lease;

	open_table(&t);
	for (int i = 0; i < 3 * CUV_HELD_MAX; i++) {
		(void)snprintf(text, sizeof(text), "n%d\n", i);
		cuv_held_unref(put(&t, &ask, text, &lease));
		cuv_close(lease);
		pthread_mutex_lock(&t.held.lock);
		assert_true(t.held.n <= CUV_HELD_MAX);
		pthread_mutex_unlock(&t.held.lock);
	}
	close_table(&t);
}

TEST(long_ones_are_not_held)
{
	static char text[CUV_HELD_TEXT_MAX + 2];
	struct cuv_env_ask ask = ASK;
	struct table t;
	int lease;

	memset(text, '#', sizeof(text) - 1);
	open_table(&t);
	assert_null(put(&t, &ask, text, &lease));
	cuv_close(lease);
	close_table(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_for_the_same_ask_only),
		cmocka_unit_test(the_builder_is_told_of_uses_when_it_is_over),
		cmocka_unit_test(one_that_is_wanted_goes_at_once),
		cmocka_unit_test(nothing_is_kept_after_it),
		cmocka_unit_test(there_are_only_so_many),
		cmocka_unit_test(long_ones_are_not_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
