/* SPDX-License-Identifier: MIT */
/* What becomes of a slot whose keeper has died or could not look. The control group is
 * a folder with a list of processes in it, which never kills any: 0 is nobody's id. */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "worker-image/launcher/slots.h"

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOMEBODY "0\n"
#define ID 0u /* of the only slot used here, in the beginning */

static const struct cuv_host host = {.proc_fd = -1};
static const struct cuv_zygotes_settings none = {0};
static struct cuv_cgroups cgroups = {.ops = &cuv_cgroup_v1, .n = 1};
static struct cuv_slots s;
static char folder[] = "/tmp/cuvette-slots-XXXXXX";

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	cgroups.hierarchy[0].instance_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return mkdirat(cgroups.hierarchy[0].instance_fd, "0", 0755);
}

static int tear_down(void **state)
{
	const int fd = cgroups.hierarchy[0].instance_fd;

	(void)state;
	(void)unlinkat(fd, "0/cgroup.procs", 0);
	(void)unlinkat(fd, "0", AT_REMOVEDIR);
	close(fd);
	return rmdir(folder);
}

static void set_processes(const char *text)
{
	const int fd = openat(cgroups.hierarchy[0].instance_fd, "0/cgroup.procs", O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_ok(cuv_write_all(fd, text, strlen(text)));
	close(fd);
}

static void begin(const char *processes)
{
	cuv_slots_init(&s, 1, 0, &none, &host, &cgroups);
	set_processes(processes);
}

/* A keeper that stood by in the slot has ended with this status. */
static void end_keeper(enum cuv_keeper_exit code)
{
	struct cuv_slot *slot = &s.slot[ID];

	s.standby++;
	slot->keeper = fork();
	assert_true(slot->keeper >= 0);
	if (slot->keeper == 0)
		_exit(code);
	while (slot->keeper > 0)
		(void)cuv_slots_reap(&s);
}

static bool only_this_is_free(void)
{
	bool full;
	unsigned i;

	for (i = 1; i < s.n; i++)
		s.slot[i].keeper = 1;
	full = cuv_slots_full(&s);
	for (i = 1; i < s.n; i++)
		s.slot[i].keeper = 0;
	return !full;
}

TEST(an_empty_slot_is_free_at_once)
{
	const enum cuv_keeper_exit codes[] = {CUV_KEEPER_CLEAN, CUV_KEEPER_NET_USED, CUV_KEEPER_GIVEN_BACK,
					      CUV_KEEPER_SLOT_UNSURE};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(codes); i++) {
		begin("");
		end_keeper(codes[i]);
		assert_true(only_this_is_free());
		assert_int_equal(s.slot[ID].id, ID);
		assert_true(cuv_slots_clear_ns(&s) == CUV_NEVER);
	}
}

TEST(a_slot_is_cleared_without_waiting)
{
	bool in_time = false;
	int tries;

	for (tries = 0; tries < 5 && !in_time; tries++) { /* a machine may stand still */
		uint64_t begun = cuv_now_ns();

		begin(SOMEBODY);
		end_keeper(CUV_KEEPER_SLOT_UNSURE);
		in_time = cuv_now_ns() < begun + CUV_NS_PER_S;
	}
	assert_true(in_time);
	assert_false(only_this_is_free());
	assert_true(cuv_slots_clear_ns(&s) < cuv_deadline_ms(100));
	assert_false(cuv_slots_clear(&s));
	set_processes("");
	assert_true(cuv_slots_clear(&s));
	assert_true(only_this_is_free());
	assert_int_equal(s.slot[ID].id, ID);
	assert_int_equal(s.lost, 0);
	assert_true(cuv_slots_clear_ns(&s) == CUV_NEVER);
}

TEST(a_slot_that_does_not_become_empty_gets_another_identity)
{
	begin(SOMEBODY);
	end_keeper(CUV_KEEPER_SLOT_UNSURE);
	s.slot[ID].clear_by_ns = 1; /* the time is over */
	assert_true(cuv_slots_clear(&s));
	assert_true(only_this_is_free());
	assert_int_equal(s.slot[ID].id, s.n);
	assert_int_equal(s.lost, 1);
}

TEST(a_box_that_would_not_die_costs_its_slot_at_once)
{
	begin("");
	end_keeper(CUV_KEEPER_SLOT_LOST);
	assert_int_equal(s.slot[ID].id, s.n);
	assert_int_equal(s.lost, 1);
}

TEST(so_does_a_slot_where_looking_always_fails)
{
	begin("");
	end_keeper(CUV_KEEPER_SLOT_UNSURE);
	end_keeper(CUV_KEEPER_SLOT_UNSURE);
	end_keeper(CUV_KEEPER_CLEAN);
	end_keeper(CUV_KEEPER_SLOT_UNSURE);
	end_keeper(CUV_KEEPER_SLOT_UNSURE);
	assert_int_equal(s.slot[ID].id, ID);
	end_keeper(CUV_KEEPER_SLOT_UNSURE);
	assert_int_equal(s.slot[ID].id, s.n);
}

TEST(without_identities_a_new_launcher_is_wanted)
{
	begin("");
	s.next_id = CUV_IDENTITIES_MAX;
	assert_false(cuv_slots_worn_out(&s));
	end_keeper(CUV_KEEPER_SLOT_LOST);
	assert_int_equal(s.n, s.n_made - 1);
	s.busy = 1;
	assert_false(cuv_slots_worn_out(&s));
	s.busy = 0;
	s.streams = 1;
	assert_false(cuv_slots_worn_out(&s));
	s.streams = 0;
	assert_true(cuv_slots_worn_out(&s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_slot_is_free_at_once),
		cmocka_unit_test(a_slot_is_cleared_without_waiting),
		cmocka_unit_test(a_slot_that_does_not_become_empty_gets_another_identity),
		cmocka_unit_test(a_box_that_would_not_die_costs_its_slot_at_once),
		cmocka_unit_test(so_does_a_slot_where_looking_always_fails),
		cmocka_unit_test(without_identities_a_new_launcher_is_wanted),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
