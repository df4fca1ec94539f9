/* SPDX-License-Identifier: MIT */
/* Who gets the next box. */
#include "worker-image/launcher/turn.h"

#include "tests/unit/unit.h"

#include <stdio.h>

static struct cuv_slots slots;
static struct cuv_task tasks[1100];
static struct cuv_task *queue[1100];
static size_t n_tasks, n_queue;

static struct cuv_task *task_of(const char *tenant)
{
	struct cuv_task *t = &tasks[n_tasks++];

	assert_true(n_tasks <= ARRAY_SIZE(tasks));
	t->run.stream = false;
	snprintf(t->run.tenant, sizeof(t->run.tenant), "%s", tenant);
	return t;
}

static void set_up(unsigned boxes)
{
	slots.n = boxes;
	for (size_t i = 0; i < boxes; i++)
		slots.slot[i].task = NULL;
	n_tasks = n_queue = 0;
}

static void wait_for_box(const char *tenant)
{
	queue[n_queue++] = task_of(tenant);
}

/* The tenant of the next one, which goes into this box. */
static const char *next(unsigned box)
{
	const size_t i = cuv_turn_next(&slots, queue, n_queue);
	struct cuv_task *t = queue[i];

	memmove(&queue[i], &queue[i + 1], (n_queue - i - 1) * sizeof(queue[0]));
	n_queue--;
	slots.slot[box].task = t;
	return t->run.tenant;
}

TEST(one_of_another_is_before_a_thousand_of_one)
{
	set_up(2);
	slots.slot[0].task = task_of("many");
	slots.slot[1].task = task_of("many");
	for (int i = 0; i < 1000; i++)
		wait_for_box("many");
	wait_for_box("one");
	assert_string_equal(next(0), "one");
	assert_string_equal(next(1), "many");
	/* It has a box, and another one of its own that waits. */
	wait_for_box("one");
	assert_string_equal(next(1), "many");
	slots.slot[0].task = NULL;
	assert_string_equal(next(0), "one");
}

/* A kept ruff, or a source that is built. */
TEST(a_run_with_a_stream_is_no_box_of_its_tenant)
{
	set_up(2);
	slots.slot[0].task = task_of("");
	slots.slot[0].task->run.stream = true;
	slots.slot[1].task = task_of("many");
	wait_for_box("many");
	wait_for_box("");
	assert_string_equal(next(1), "");
	slots.slot[0].task = NULL;
}

TEST(there_may_be_any_number_of_tenants)
{
	char name[16];

	set_up(50);
	for (unsigned i = 0; i < 50; i++) {
		(void)snprintf(name, sizeof(name), "t%u", i);
		slots.slot[i].task = task_of(name);
		wait_for_box(name);
	}
	wait_for_box("last");
	assert_string_equal(next(0), "last");
}

TEST(the_oldest_goes_first_where_all_have_as_much)
{
	set_up(3);
	wait_for_box("b");
	wait_for_box("a");
	wait_for_box("b");
	wait_for_box("c");
	assert_string_equal(next(0), "b");
	assert_string_equal(next(1), "a");
	assert_string_equal(next(2), "c");
	assert_string_equal(next(0), "b");
	assert_int_equal(n_queue, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_of_another_is_before_a_thousand_of_one),
		cmocka_unit_test(the_oldest_goes_first_where_all_have_as_much),
		cmocka_unit_test(a_run_with_a_stream_is_no_box_of_its_tenant),
		cmocka_unit_test(there_may_be_any_number_of_tenants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
