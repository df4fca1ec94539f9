/* SPDX-License-Identifier: MIT */
/* Who is counted in a zygote, and when its entry may be another's. */
#include "lib/base/clock.h"
#include "worker-image/launcher/slots.h"

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOBODY 0x3fffffff /* no process has such an id */

static const struct cuv_host host = {.proc_fd = -1, .leases_fd = -1};
static const struct cuv_cgroups cgroups = {.controllers = CUV_CG_MEMORY | CUV_CG_PIDS};

static struct cuv_zygotes *zygotes(unsigned max)
{
	static struct cuv_zygotes z;
	const struct cuv_zygotes_settings set = {
		.max = max, .memory_bytes = UINT64_MAX, .runs = 100, .age_ns = UINT64_MAX / 4, .pool = 1};

	cuv_zygotes_init(&z, &set, &host, &cgroups);
	return &z;
}

static void fill_run(struct cuv_run *ret, char env)
{
	*ret = CUV_RUN_INIT;
	cuv_limits_default(&ret->limits);
	snprintf(ret->env, sizeof(ret->env), "%c", env);
	snprintf(ret->zygote, sizeof(ret->zygote), "z");
	assert_ok(cuv_strv_add(&ret->argv, "/bin/true"));
	assert_ok(cuv_strv_add(&ret->argv, "main.py"));
}

/* One that has a keeper, which never is signalled: its number is no process's. */
static struct cuv_zygote *add(struct cuv_zygotes *z, size_t i, enum cuv_zygote_state state, char env)
{
	z->zygote[i].state = state;
	z->zygote[i].keeper = NOBODY - (pid_t)i;
	fill_run(&z->zygote[i].run, env);
	return &z->zygote[i];
}

static void an_entry_outlives_its_zygote_while_keepers_are_counted_in_it(void **state)
{
	struct cuv_zygotes *z = zygotes(2);
	struct cuv_zygote *g = add(z, 0, CUV_ZYGOTE_ENDING, 'a');

	(void)state;
	g->keepers = 2;
	assert_true(cuv_zygotes_reaped(z, g->keeper));
	assert_int_equal(g->state, CUV_ZYGOTE_ENDING);
	assert_int_equal(g->keepers, 2);
	(void)cuv_zygotes_tick(z);
	assert_int_equal(g->state, CUV_ZYGOTE_ENDING);
	g->keepers = 0;
	(void)cuv_zygotes_tick(z);
	assert_int_equal(g->state, CUV_ZYGOTE_NONE);
}

static unsigned count(const struct cuv_zygotes *z, enum cuv_zygote_state state)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < CUV_ZYGOTES_MAX; i++)
		n += z->zygote[i].state == state;
	return n;
}

static void one_goes_for_one_that_comes(void **state)
{
	struct cuv_zygotes *z = zygotes(3);
	char why[CUV_WHY_COLD_SIZE];
	struct cuv_run run;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct cuv_zygote *g = add(z, i, CUV_ZYGOTE_WARM, (char)('a' + i));

		g->keepers = g->waiting = 1; /* so that it takes a while */
		g->started_ns = cuv_now_ns();
		g->pss_bytes = 100;
	}
	fill_run(&run, 'x');
	for (i = 0; i < 5; i++)
		assert_null(cuv_zygotes_find(z, &run, why));
	assert_int_equal(count(z, CUV_ZYGOTE_ENDING), 1);
	assert_int_equal(count(z, CUV_ZYGOTE_WARM), 2);
	/* and so where memory is short */
	z->set.memory_bytes = 150;
	for (i = 0; i < 5; i++)
		(void)cuv_zygotes_tick(z);
	assert_int_equal(count(z, CUV_ZYGOTE_ENDING), 2);
	cuv_run_done(&run);
	for (i = 0; i < 3; i++)
		cuv_run_done(&z->zygote[i].run);
}

static void a_run_for_which_no_slot_is_left_is_refused(void **state)
{
	static struct cuv_slots s;
	const struct cuv_zygotes_settings none = {0};
	struct cuv_task *task = calloc(1, sizeof(*task));
	char answer[4096];
	int pair[2];
	unsigned i;

	(void)state;
	cuv_slots_init(&s, 1, 0, &none, &host, &cgroups);
	for (i = 0; i < s.n; i++)
		s.slot[i].keeper = NOBODY;
	assert_non_null(task);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	fill_run(&task->run, 'a');
	task->session = pair[0];
	cuv_slots_start(&s, task);
	assert_true(recv(pair[1], answer, sizeof(answer), MSG_DONTWAIT) > 0);
	assert_int_equal(recv(pair[1], answer, sizeof(answer), MSG_DONTWAIT), 0);
	assert_int_equal(s.busy, 0);
	close(pair[1]);
}

static void those_that_stand_by_make_room(void **state)
{
	static struct cuv_slots s;
	const struct cuv_zygotes_settings none = {0};
	struct cuv_zygote *g;
	unsigned i, kept = 0;

	(void)state;
	cuv_slots_init(&s, 1, 0, &none, &host, &cgroups);
	g = &s.zygotes.zygote[0];
	g->keepers = g->waiting = s.n;
	assert_false(cuv_slots_full(&s));
	for (i = 0; i < s.n; i++) {
		s.slot[i].keeper = NOBODY;
		s.slot[i].zygote = g;
		s.slot[i].orders = dup(0);
	}
	assert_true(cuv_slots_full(&s));
	for (i = 0; i < 3; i++) /* those that are leaving count */
		cuv_slots_make_room(&s, 2);
	assert_int_equal(g->leaving, 2);
	for (i = 0; i < s.n; i++) {
		kept += s.slot[i].orders >= 0;
		if (s.slot[i].orders >= 0)
			close(s.slot[i].orders);
	}
	assert_int_equal(kept, s.n - 2);
}

/* Ends the keeper of a slot in this zygote, as the code says. */
static void end_keeper(struct cuv_slots *s, struct cuv_zygote *g, enum cuv_keeper_exit code)
{
	s->stopping = true; /* no namespaces are made for the next */
	s->slot[0].zygote = g;
	s->slot[0].keeper = fork();
	assert_true(s->slot[0].keeper >= 0);
	if (s->slot[0].keeper == 0)
		_exit(code);
	while (s->slot[0].keeper > 0)
		(void)cuv_slots_reap(s);
}

static void who_was_told_to_go_is_not_leaving_when_gone(void **state)
{
	static struct cuv_slots s;
	const struct cuv_zygotes_settings none = {0};
	struct cuv_zygote *g;

	(void)state;
	cuv_slots_init(&s, 1, 0, &none, &host, &cgroups);
	g = &s.zygotes.zygote[0];
	g->state = CUV_ZYGOTE_WARM;
	g->keepers = g->waiting = 2;
	g->leaving = 1;
	end_keeper(&s, g, CUV_KEEPER_CLEAN);
	assert_int_equal(g->keepers, 1);
	assert_int_equal(g->waiting, 1);
	assert_int_equal(g->leaving, 0);
}

static void a_zygote_that_only_refuses_is_ended(void **state)
{
	static struct cuv_slots s;
	const struct cuv_zygotes_settings none = {0};
	struct cuv_zygote *g;
	unsigned i;

	(void)state;
	cuv_slots_init(&s, 1, 0, &none, &host, &cgroups);
	g = add(&s.zygotes, 0, CUV_ZYGOTE_WARM, 'a');
	for (i = 0; i < 7; i++) {
		g->keepers = g->waiting = g->leaving = 1;
		end_keeper(&s, g, CUV_KEEPER_GIVEN_BACK);
		assert_int_equal(g->state, CUV_ZYGOTE_WARM);
	}
	cuv_zygotes_left(&s.zygotes, g, false); /* a run */
	for (i = 0; i < 8; i++) {
		assert_int_equal(g->state, CUV_ZYGOTE_WARM);
		g->keepers = g->waiting = g->leaving = 1;
		end_keeper(&s, g, CUV_KEEPER_GIVEN_BACK);
	}
	assert_int_equal(g->state, CUV_ZYGOTE_FAILED);
	cuv_run_done(&g->run);
}

static void say_warm(struct cuv_zygotes *z, struct cuv_zygote *g)
{
	const struct cuv_zygote_news news = {.warm = true};
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(send(pair[1], &news, sizeof(news), 0), sizeof(news));
	g->news = pair[0];
	cuv_zygotes_on_news(z, g);
	assert_int_equal(g->state, CUV_ZYGOTE_WARM);
	g->news = -1;
	close(pair[0]);
	close(pair[1]);
}

static void a_bare_successor_does_not_end_one_that_imports(void **state)
{
	struct cuv_zygotes *z = zygotes(4);
	struct cuv_zygote *full = add(z, 1, CUV_ZYGOTE_WARM, 'a'), *bare = add(z, 2, CUV_ZYGOTE_STARTING, 'a');
	struct cuv_zygote *next = add(z, 0, CUV_ZYGOTE_STARTING, 'a');
	char why[CUV_WHY_COLD_SIZE];
	struct cuv_run run;

	(void)state;
	fill_run(&run, 'a');
	full->replaced = true;
	full->keepers = bare->keepers = 1; /* so that they stay for a while */
	bare->bare = true;
	say_warm(z, bare);
	assert_int_equal(full->state, CUV_ZYGOTE_WARM);
	assert_ptr_equal(cuv_zygotes_find(z, &run, why), full);
	/* One that imports as well ends both. */
	bare->replaced = true;
	say_warm(z, next);
	assert_int_equal(full->state, CUV_ZYGOTE_ENDING);
	assert_int_equal(bare->state, CUV_ZYGOTE_ENDING);
	assert_ptr_equal(cuv_zygotes_find(z, &run, why), next);
	cuv_run_done(&full->run);
	cuv_run_done(&bare->run);
	cuv_run_done(&next->run);
	cuv_run_done(&run);
}

/* The launcher's namespaces are the test's own afterwards, as they were. */
static void a_start_that_fails_keeps_no_descriptor(void **state)
{
	const struct cuv_host own = {.proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	struct cuv_zygotes *z = zygotes(2);
	char why[CUV_WHY_COLD_SIZE];
	struct rlimit before, few;
	struct cuv_run run;
	int next = dup(own.proc_fd);

	(void)state;
	if (geteuid() != 0)
		skip();
	z->host = &own;
	fill_run(&run, 'a');
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = (rlim_t)next + 7; /* the namespaces can be made, the sockets can't */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_null(cuv_zygotes_find(z, &run, why));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(z->zygote[0].state, CUV_ZYGOTE_FAILED);
	assert_int_equal(z->zygote[0].keeper, 0);
	assert_int_equal(z->zygote[0].ns.net, -1);
	close(own.proc_fd);
	cuv_run_done(&z->zygote[0].run);
	cuv_run_done(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_outlives_its_zygote_while_keepers_are_counted_in_it),
		cmocka_unit_test(one_goes_for_one_that_comes),
		cmocka_unit_test(a_run_for_which_no_slot_is_left_is_refused),
		cmocka_unit_test(a_zygote_that_only_refuses_is_ended),
		cmocka_unit_test(those_that_stand_by_make_room),
		cmocka_unit_test(who_was_told_to_go_is_not_leaving_when_gone),
		cmocka_unit_test(a_bare_successor_does_not_end_one_that_imports),
		cmocka_unit_test(a_start_that_fails_keeps_no_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
