/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"
#include "worker-image/launcher/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TEST(mount_lines)
{
	struct cuv_cgroup_mount m = {0};

	assert_ok(cuv_cgroup_parse_mount(
		"35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n36 31", &m));
	assert_int_equal(m.version, 1);
	assert_int_equal(m.controllers, CUV_CG_MEMORY);
	assert_string_equal(m.root, "/");
	assert_string_equal(m.point, "/sys/fs/cgroup/memory");
	assert_ok(cuv_cgroup_parse_mount(
		"1 2 0:3 /docker/ab /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct", &m));
	assert_int_equal(m.controllers, CUV_CG_CPU | CUV_CG_CPUACCT);
	assert_string_equal(m.root, "/docker/ab");
	assert_ok(cuv_cgroup_parse_mount("1 2 0:3 / /sys/fs/a\\040b rw - cgroup2 cgroup2 rw,nsdelegate", &m));
	assert_int_equal(m.version, 2);
	assert_string_equal(m.point, "/sys/fs/a b");
}

TEST(mounts_of_no_use)
{
	struct cuv_cgroup_mount m = {.version = 7};
	char line[3 * CUV_CGROUP_PATH_SIZE];

	assert_int_equal(cuv_cgroup_parse_mount("1 2 0:3 / /sys rw - sysfs sysfs rw", &m), 1);
	assert_int_equal(cuv_cgroup_parse_mount("1 2 0:3 / /c rw - cgroup cgroup rw,name=systemd", &m), 1);
	assert_int_equal(cuv_cgroup_parse_mount("1 2 0:3 / /c rw - cgroup cgroup rw,cpuset", &m), 1);
	assert_int_equal(cuv_cgroup_parse_mount("", &m), -EINVAL);
	assert_int_equal(cuv_cgroup_parse_mount("1 2 0:3", &m), -EINVAL);
	assert_int_equal(cuv_cgroup_parse_mount("1 2 0:3 / /c rw cgroup2 x rw", &m), -EINVAL);
	/* a separator of the next line is not this one's */
	assert_int_equal(cuv_cgroup_parse_mount("1 2 0:3 / /c rw\n1 2 0:3 / /c rw - cgroup2 c rw", &m), -EINVAL);
	snprintf(line, sizeof(line), "1 2 0:3 / /%0*d rw - cgroup2 cgroup2 rw", CUV_CGROUP_PATH_SIZE, 0);
	assert_int_equal(cuv_cgroup_parse_mount(line, &m), -EINVAL);
	assert_int_equal(m.version, 7); /* set on success only */
}

TEST(own_place)
{
	static const char text[] = "9:name=systemd:/\n4:memory:/user/a:b\n2:cpu,cpuacct:/cc\n0::/user.slice/x.scope\n";
	char path[64], tiny[4];

	assert_ok(cuv_cgroup_find_own(text, "memory", sizeof(path), path));
	assert_string_equal(path, "/user/a:b");
	assert_ok(cuv_cgroup_find_own(text, "cpuacct", sizeof(path), path));
	assert_string_equal(path, "/cc");
	assert_ok(cuv_cgroup_find_own(text, NULL, sizeof(path), path));
	assert_string_equal(path, "/user.slice/x.scope");
	assert_int_equal(cuv_cgroup_find_own(text, "pids", sizeof(path), path), -ENOENT);
	assert_int_equal(cuv_cgroup_find_own(text, "mem", sizeof(path), path), -ENOENT);
	assert_int_equal(cuv_cgroup_find_own(text, "memory", sizeof(tiny), tiny), -ENOENT);
	assert_int_equal(cuv_cgroup_find_own("", NULL, sizeof(path), path), -ENOENT);
}

TEST(controller_lists)
{
	assert_int_equal(cuv_cgroup_parse_controllers("cpuset cpu io memory hugetlb pids\n"),
			 CUV_CG_CPU | CUV_CG_MEMORY | CUV_CG_PIDS);
	assert_int_equal(cuv_cgroup_parse_controllers(""), 0);
	assert_int_equal(cuv_cgroup_parse_controllers("rw,cpu,cpuacct"), CUV_CG_CPU | CUV_CG_CPUACCT);
	assert_int_equal(cuv_cgroup_parse_controllers("mem,memory2,pid"), 0);
}

TEST(keyed_files)
{
	static const char events[] = "low 0\nhigh 12\nmax 3\noom 2\noom_kill 1\noom_group_kill 1\n";
	uint64_t v = 77;

	assert_ok(cuv_cgroup_find_key(events, "oom_kill", &v));
	assert_int_equal(v, 1);
	assert_ok(cuv_cgroup_find_key(events, "oom", &v));
	assert_int_equal(v, 2);
	assert_int_equal(cuv_cgroup_find_key(events, "oom_k", &v), -ENOENT);
	assert_int_equal(cuv_cgroup_find_key("", "oom", &v), -ENOENT);
	assert_int_equal(cuv_cgroup_find_key("oom x\n", "oom", &v), -EINVAL);
	assert_int_equal(cuv_cgroup_find_key("oom 99999999999999999999\n", "oom", &v), -ERANGE);
	assert_int_equal(v, 2);
}

/* Folders of the kind the kernel shows, made of plain files. */
TEST(values_in_files)
{
	char dir[] = "/tmp/cuv-test-XXXXXX";
	uint64_t v = 5;
	int fd, file;

	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	file = openat(fd, "memory.peak", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(write(file, "4096\n", 5) == 5);
	close(file);
	assert_ok(cuv_cgroup_read_u64(fd, "memory.peak", &v));
	assert_int_equal(v, 4096);
	assert_ok(cuv_cgroup_write_u64(fd, "memory.peak", 12));
	assert_int_equal(cuv_cgroup_read_u64(fd, "memory.max", &v), -ENOENT);
	assert_ok(cuv_cgroup_write(fd, "memory.peak", "max\n"));
	assert_int_equal(cuv_cgroup_read_u64(fd, "memory.peak", &v), -EINVAL);
	assert_int_equal(v, 4096);
	unlinkat(fd, "memory.peak", 0);
	close(fd);
	rmdir(dir);
}

TEST(instance_names)
{
	assert_true(cuv_cgroup_instance_valid("serve-1_a"));
	assert_true(cuv_cgroup_instance_valid("0123456789012345678901234567890123456789"));
	assert_false(cuv_cgroup_instance_valid("01234567890123456789012345678901234567890"));
	assert_false(cuv_cgroup_instance_valid(""));
	assert_false(cuv_cgroup_instance_valid("a/b"));
	assert_false(cuv_cgroup_instance_valid("..")); /* nor slices and scopes of systemd */
	assert_false(cuv_cgroup_instance_valid("x.slice"));
	assert_false(cuv_cgroup_instance_valid("A"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mount_lines),	  cmocka_unit_test(mounts_of_no_use),
		cmocka_unit_test(own_place),	  cmocka_unit_test(controller_lists),
		cmocka_unit_test(keyed_files),	  cmocka_unit_test(values_in_files),
		cmocka_unit_test(instance_names),
	};

	return cmocka_run_group_tests_name("launcher_cgroup", tests, NULL, NULL);
}
