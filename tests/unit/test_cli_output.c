/* SPDX-License-Identifier: MIT */
/* What `cuvette run` shows and which exit status stands for which end; where
 * the builder's control group goes on hosts of either kind. */
#include "cli/cgroup.h"
#include "cli/command.h"
#include "cli/daemon.h"
#include "cli/doctor.h"
#include "cli/run_output.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void progress_text(void **state)
{
	char text[CUV_PROGRESS_SIZE];
	struct cuv_env_progress p = {.phase = CUV_PHASE_RESOLVING};

	(void)state;
	cuv_progress_text(&p, 80, text);
	assert_string_equal(text, "resolving…");
	p = (struct cuv_env_progress){.phase = CUV_PHASE_DOWNLOADING, .done = 3, .total = 7, .bytes_done = 12449999};
	cuv_progress_text(&p, 80, text);
	assert_string_equal(text, "downloading 3/7 [=======>            ]");
	p.bytes_total = 1234567890123;
	cuv_progress_text(&p, 80, text);
	assert_string_equal(text, "downloading 3/7 [                    ] 12.4 of 1234567.8 MB");
	p = (struct cuv_env_progress){.phase = CUV_PHASE_BUILDING, .done = 7, .total = 7};
	cuv_progress_text(&p, 80, text);
	assert_string_equal(text, "building 7/7 [====================]");
	p.phase = CUV_PHASE_READY;
	cuv_progress_text(&p, 80, text);
	assert_string_equal(text, "ready");
}

/* Never wider than the terminal: a line that wraps could not be taken back. */
static void progress_names_a_file_where_there_is_room(void **state)
{
	char text[CUV_PROGRESS_SIZE];
	struct cuv_env_progress p = {
		.phase = CUV_PHASE_DOWNLOADING, .done = 1, .total = 2, .bytes_done = 1, .bytes_total = 2};

	(void)state;
	memset(p.file, 'x', sizeof(p.file) - 1);
	for (unsigned columns = 0; columns < 1000; columns += 7) {
		cuv_progress_text(&p, columns, text);
		assert_true(strlen(text) < CUV_MAX(columns, 54u) && strlen(text) < CUV_PROGRESS_SIZE);
	}
	(void)snprintf(p.file, sizeof(p.file), "six-1.16.0-py2.py3-none-any.whl");
	cuv_progress_text(&p, 100, text);
	assert_string_equal(text,
			    "downloading 1/2 [=========>          ] 0.0 of 0.0 MB six-1.16.0-py2.py3-none-any.whl");
}

/* Other processes write to the same file: what is in two pieces may come out in others' lines. */
static void is_said_in_one_piece(void **state)
{
	struct cuv_error err;
	char text[512];
	int pair[2], own = dup(STDERR_FILENO);
	ssize_t n[2];

	(void)state;
	cuv_error_set(&err, CUV_E_REQUIREMENT_INVALID, "a name is wrong");
	err.line = 2;
	err.column = 3;
	snprintf(err.excerpt, sizeof(err.excerpt), "ab?c");
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_true(own >= 0 && dup2(pair[1], STDERR_FILENO) == STDERR_FILENO);
	cuv_say("the %s ended (%d)", "part", 9);
	cuv_say_error(&err, "list");
	assert_true(dup2(own, STDERR_FILENO) == STDERR_FILENO);
	n[0] = recv(pair[0], text, sizeof(text) - 1, MSG_DONTWAIT);
	text[CUV_MAX(n[0], 0)] = '\0';
	assert_string_equal(text, "cuvette: the part ended (9)\n");
	n[1] = recv(pair[0], text, sizeof(text) - 1, MSG_DONTWAIT);
	text[CUV_MAX(n[1], 0)] = '\0';
	assert_string_equal(text, "cuvette: list:2:3: a name is wrong (requirement-invalid)\n    ab?c\n      ^\n");
	close(own);
	close(pair[0]);
	close(pair[1]);
}

static void exit_statuses(void **state)
{
	static const struct {
		struct cuv_run_result result;
		int status;
	} ends[] = {
		{{.status = CUV_RUN_SUCCESS}, 0},
		{{.status = CUV_RUN_ERROR, .exit_code = 1}, 1},
		{{.status = CUV_RUN_ERROR, .exit_code = 255}, 255},
		{{.status = CUV_RUN_TIMEOUT, .exit_code = 137, .signal = SIGKILL}, 124},
		{{.status = CUV_RUN_TIMEOUT, .cpu_timeout = true}, 124},
		{{.status = CUV_RUN_OUT_OF_MEMORY, .exit_code = 1}, 137},
		{{.status = CUV_RUN_OUTPUT_LIMIT, .stdout_truncated = true}, 153},
		{{.status = CUV_RUN_KILLED, .signal = SIGSEGV, .exit_code = 139}, 139},
		{{.status = CUV_RUN_FAILED}, 3},
	};
	struct cuv_limits limits;
	size_t i;

	(void)state;
	cuv_limits_default(&limits);
	for (i = 0; i < ARRAY_SIZE(ends); i++)
		assert_int_equal(cuv_run_exit_status(&ends[i].result, &limits), ends[i].status);
}

static void wait_text(void **state)
{
	char text[CUV_WAIT_TEXT_SIZE];

	(void)state;
	cuv_wait_text(1 << 8, text);
	assert_string_equal(text, "exit status 1");
	cuv_wait_text(SIGKILL, text);
	assert_string_equal(text, "signal 9 (Killed)");
}

static void lists(void **state)
{
	(void)state;
	assert_true(cuv_list_has("a,b,c", "b"));
	assert_true(cuv_list_has("a", "a"));
	assert_false(cuv_list_has("", "a"));
	assert_false(cuv_list_has("ab,bc", "b"));
	assert_false(cuv_list_has("a,b", "a,b"));
}

#define MOUNT_V1(name) "30 25 0:26 / /sys/fs/cgroup/" name " rw,relatime shared:9 - cgroup cgroup rw," name "\n"
#define MOUNT_V2(point) "29 25 0:26 / " point " rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"

static void cgroup_v1(void **state)
{
	static const char mounts[] = "25 1 0:5 / / rw - ext4 /dev/root rw\n" MOUNT_V1("memory") MOUNT_V1("pids")
		MOUNT_V2("/sys/fs/cgroup/unified");
	static const char own[] = "5:pids:/\n4:memory:/jobs/one\n0::/elsewhere\n";
	struct cuv_cgroup_place place;

	(void)state;
	assert_int_equal(cuv_cgroup_find(mounts, own, "memory", &place), 0);
	assert_int_equal(place.version, 1);
	assert_string_equal(place.point, "/sys/fs/cgroup/memory");
	assert_string_equal(place.own, "jobs/one");
	assert_int_equal(cuv_cgroup_find(mounts, own, "pids", &place), 0);
	assert_int_equal(place.version, 1);
	assert_string_equal(place.own, "");
}

static void cgroup_v2(void **state)
{
	static const char mounts[] = "25 1 0:5 / / rw - ext4 /dev/root rw\n" MOUNT_V2("/sys/fs/cgroup");
	struct cuv_cgroup_place place;

	(void)state;
	assert_int_equal(cuv_cgroup_find(mounts, "0::/user.slice/a.scope\n", "memory", &place), 0);
	assert_int_equal(place.version, 2);
	assert_string_equal(place.point, "/sys/fs/cgroup");
	assert_string_equal(place.own, "user.slice/a.scope");
	assert_int_equal(cuv_cgroup_find(mounts, "0::/\n", "memory", &place), 0);
	assert_string_equal(place.own, "");
}

static void cgroup_none(void **state)
{
	struct cuv_cgroup_place place;

	(void)state;
	assert_int_equal(cuv_cgroup_find("25 1 0:5 / / rw - ext4 /dev/root rw\n", "0::/\n", "memory", &place), -ENOENT);
	assert_int_equal(cuv_cgroup_find("", "", "memory", &place), -ENOENT);
	assert_int_equal(cuv_cgroup_find("garbage\n - \n", "::::\n", "memory", &place), -ENOENT);
	/* A controller whose name another one's begins with. */
	assert_int_equal(cuv_cgroup_find(MOUNT_V1("cpuacct"), "1:cpuacct:/\n", "cpu", &place), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(progress_text),
		cmocka_unit_test(progress_names_a_file_where_there_is_room),
		cmocka_unit_test(is_said_in_one_piece),
		cmocka_unit_test(exit_statuses),
		cmocka_unit_test(wait_text),
		cmocka_unit_test(lists),
		cmocka_unit_test(cgroup_v1),
		cmocka_unit_test(cgroup_v2),
		cmocka_unit_test(cgroup_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
