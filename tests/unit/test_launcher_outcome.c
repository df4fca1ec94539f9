/* SPDX-License-Identifier: MIT */
/* How the ends of a run are told apart. */
#include "tests/unit/unit.h"
#include "worker-image/launcher/watch.h"

#include <signal.h>

#define EXITED(code) ((code) << 8)
#define MS 1000000ull

static void expect(struct cuv_outcome o, enum cuv_run_status status, bool cpu)
{
	bool cpu_timeout = !cpu;

	o.cpu_limit_ns = 1000 * MS;
	assert_int_equal(cuv_outcome_status(&o, &cpu_timeout), status);
	assert_int_equal(cpu_timeout, cpu);
}

#define OUTCOME(...) ((struct cuv_outcome){__VA_ARGS__})

TEST(ended_by_itself)
{
	expect(OUTCOME(.cause = CUV_CAUSE_ENDED), CUV_RUN_SUCCESS, false);
	expect(OUTCOME(.cause = CUV_CAUSE_ENDED, .wait_status = EXITED(1)), CUV_RUN_ERROR, false);
	expect(OUTCOME(.cause = CUV_CAUSE_ENDED, .wait_status = EXITED(255)), CUV_RUN_ERROR, false);
	expect(OUTCOME(.cause = CUV_CAUSE_ENDED, .wait_status = SIGABRT), CUV_RUN_KILLED, false);
	expect(OUTCOME(.cause = CUV_CAUSE_ENDED, .wait_status = SIGKILL, .cpu_ns = 999 * MS), CUV_RUN_KILLED, false);
	/* much CPU time is no timeout by itself */
	expect(OUTCOME(.cause = CUV_CAUSE_ENDED, .cpu_ns = 5000 * MS), CUV_RUN_SUCCESS, false);
}

TEST(times)
{
	expect(OUTCOME(.cause = CUV_CAUSE_WALL, .wait_status = SIGKILL), CUV_RUN_TIMEOUT, false);
	expect(OUTCOME(.cause = CUV_CAUSE_CPU, .wait_status = SIGKILL), CUV_RUN_TIMEOUT, true);
	/* the resource limit, where no cgroup counts */
	expect(OUTCOME(.cause = CUV_CAUSE_ENDED, .wait_status = SIGKILL, .cpu_ns = 1000 * MS), CUV_RUN_TIMEOUT, true);
	expect(OUTCOME(.cause = CUV_CAUSE_ENDED, .wait_status = SIGTERM, .cpu_ns = 1000 * MS), CUV_RUN_KILLED, false);
	expect(OUTCOME(.cause = CUV_CAUSE_WALL, .wait_status = SIGKILL, .truncated = true), CUV_RUN_TIMEOUT, false);
}

TEST(memory)
{
	expect(OUTCOME(.cause = CUV_CAUSE_OOM, .wait_status = SIGKILL), CUV_RUN_OUT_OF_MEMORY, false);
	expect(OUTCOME(.cause = CUV_CAUSE_ENDED, .wait_status = SIGKILL, .oom = true), CUV_RUN_OUT_OF_MEMORY, false);
	/* a child was the victim, and the program went on or waited for ever */
	expect(OUTCOME(.cause = CUV_CAUSE_ENDED, .oom = true), CUV_RUN_OUT_OF_MEMORY, false);
	expect(OUTCOME(.cause = CUV_CAUSE_WALL, .wait_status = SIGKILL, .oom = true), CUV_RUN_OUT_OF_MEMORY, false);
	expect(OUTCOME(.cause = CUV_CAUSE_CPU, .wait_status = SIGKILL, .oom = true), CUV_RUN_OUT_OF_MEMORY, false);
}

TEST(output)
{
	expect(OUTCOME(.cause = CUV_CAUSE_OUTPUT, .wait_status = SIGKILL, .truncated = true), CUV_RUN_OUTPUT_LIMIT,
	       false);
	/* it was over before we saw that it was too much */
	expect(OUTCOME(.cause = CUV_CAUSE_ENDED, .truncated = true), CUV_RUN_OUTPUT_LIMIT, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ended_by_itself),
		cmocka_unit_test(times),
		cmocka_unit_test(memory),
		cmocka_unit_test(output),
	};

	return cmocka_run_group_tests_name("launcher_outcome", tests, NULL, NULL);
}
