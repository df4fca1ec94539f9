/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"
#include "worker-image/launcher/shortage.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

TEST(what_the_machine_has)
{
	assert_int_equal(cuv_shortage_available("MemTotal: 100 kB\nMemFree:   5 kB\nMemAvailable:      7 kB\n"),
			 7 * 1024);
	assert_true(cuv_shortage_available("MemTotal: 100 kB\n") == UINT64_MAX);
	assert_true(cuv_shortage_available("MemAvailable: many\n") == UINT64_MAX);
	assert_true(cuv_shortage_available("") == UINT64_MAX);
}

TEST(caches_can_be_taken_back)
{
	const char *v1 = "cache 9\ninactive_file 1\ntotal_inactive_file 30\ntotal_active_file 10\n";
	const char *v2 = "anon 50\nfile 40\ninactive_file 30\nactive_file 10\n";

	assert_int_equal(cuv_shortage_left(100, 90, v1, true), 50);
	assert_int_equal(cuv_shortage_left(100, 90, v2, false), 50);
	assert_int_equal(cuv_shortage_left(100, 90, "", false), 10);
	assert_int_equal(cuv_shortage_left(100, 120, "", false), 0);
	assert_int_equal(cuv_shortage_left(100, 20, v2, false), 100);
}

static void put(const char *folder, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* A folder that looks like a group of version 2, in another. */
TEST(any_group_around_the_service_counts)
{
	char outer[] = "/tmp/shortage-XXXXXX", inner[64], meminfo[64];
	struct cuv_cgroups groups = {.ops = &cuv_cgroup_v2, .n = 1};
	static const char *const made[] = {
		"inner/memory.max", "inner/memory.current", "inner/cgroup.procs", "inner",	"meminfo",
		"cgroup.procs",	    "memory.max",	    "memory.current",	  "memory.stat"};
	struct cuv_shortage s;
	size_t i;

	assert_non_null(mkdtemp(outer));
	snprintf(inner, sizeof(inner), "%s/inner", outer);
	assert_ok(mkdir(inner, 0700));
	put(outer, "meminfo", "MemAvailable: 99999999 kB\n");
	put(outer, "cgroup.procs", "");
	put(inner, "cgroup.procs", "");
	put(inner, "memory.max", "max\n");
	put(inner, "memory.current", "1\n");
	snprintf(meminfo, sizeof(meminfo), "%s/meminfo", outer);
	groups.hierarchy[0] = (struct cuv_cgroup_hierarchy){
		.controllers = CUV_CG_MEMORY,
		.parent_fd = open(inner, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		.instance_fd = -1,
	};
	cuv_shortage_init(&s, meminfo, &groups);
	assert_int_equal(s.n, 2);
	assert_false(cuv_shortage_of_memory(&s));
	put(outer, "memory.max", "1000000000\n");
	put(outer, "memory.current", "999000000\n");
	put(outer, "memory.stat", "anon 999000000\n");
	s.asked_ns = 0;
	assert_true(cuv_shortage_of_memory(&s));
	put(outer, "memory.stat", "inactive_file 900000000\n");
	assert_false(cuv_shortage_of_memory(&s)); /* looked at each time while it is short */
	put(outer, "meminfo", "MemAvailable: 100 kB\n");
	s.asked_ns = 0;
	assert_true(cuv_shortage_of_memory(&s));
	cuv_shortage_done(&s);
	close(groups.hierarchy[0].parent_fd);
	for (i = 0; i < ARRAY_SIZE(made); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%s", outer, made[i]);
		assert_ok(remove(path));
	}
	assert_ok(rmdir(outer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_machine_has),
		cmocka_unit_test(caches_can_be_taken_back),
		cmocka_unit_test(any_group_around_the_service_counts),
	};

	return cmocka_run_group_tests_name("launcher_shortage", tests, NULL, NULL);
}
