/* SPDX-License-Identifier: MIT */
/* Who is counted in a zygote, and when its entry may be another's. */
#include "worker-image/launcher/slots.h"

#include "tests/unit/unit.h"

#include <stdio.h>
#include <unistd.h>

#define NOBODY 0x3fffffff /* no process has such an id */

static const struct cuv_host host = {.proc_fd = -1};
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

static void who_was_told_to_go_is_not_leaving_when_gone(void **state)
{
	static struct cuv_slots s;
	const struct cuv_zygotes_settings none = {0};
	struct cuv_zygote *g;

	(void)state;
	cuv_slots_init(&s, 1, 0, &none, &host, &cgroups);
	s.stopping = true; /* no namespaces are made for the next */
	g = &s.zygotes.zygote[0];
	g->state = CUV_ZYGOTE_WARM;
	g->keepers = g->waiting = 2;
	g->leaving = 1;
	s.slot[0].zygote = g;
	s.slot[0].keeper = fork();
	assert_true(s.slot[0].keeper >= 0);
	if (s.slot[0].keeper == 0)
		_exit(CUV_KEEPER_CLEAN);
	while (s.slot[0].keeper > 0)
		(void)cuv_slots_reap(&s);
	assert_int_equal(g->keepers, 1);
	assert_int_equal(g->waiting, 1);
	assert_int_equal(g->leaving, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_outlives_its_zygote_while_keepers_are_counted_in_it),
		cmocka_unit_test(who_was_told_to_go_is_not_leaving_when_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
