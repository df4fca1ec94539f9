/* SPDX-License-Identifier: MIT */
/* tests/run: not under valgrind (pidfd_open) */
/* Limited children: how they end, what is kept of their output, what is left. */
#include "lib/base/child.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct shell {
	struct cuv_strv argv;
	struct cuv_child_spec spec;
	struct cuv_child_result res;
};

static void shell_init(struct shell *s, const char *script)
{
	*s = (struct shell){.spec = CUV_CHILD_SPEC_INIT, .res = CUV_CHILD_RESULT_INIT};
	assert_ok(cuv_strv_add(&s->argv, "sh"));
	assert_ok(cuv_strv_add(&s->argv, "-c"));
	assert_ok(cuv_strv_add(&s->argv, script));
	s->spec.path = "/bin/sh";
	s->spec.argv = &s->argv;
	s->spec.deadline_ns = cuv_deadline_ms(120000);
}

static void shell_done(struct shell *s)
{
	cuv_strv_done(&s->argv);
	cuv_child_result_done(&s->res);
}
#define _cleanup_shell_ _cleanup_(shell_done)

TEST(output_and_status)
{
	_cleanup_shell_ struct shell s;

	shell_init(&s, "echo out; echo err >&2; exit 3");
	assert_ok(cuv_child_run(&s.spec, &s.res));
	assert_int_equal(s.res.end, CUV_CHILD_EXITED);
	assert_int_equal(s.res.status, 3);
	assert_false(cuv_child_ok(&s.res));
	assert_content(&s.res.out, "out\n");
	assert_content(&s.res.err, "err\n");
	assert_false(s.res.out_cut || s.res.err_cut);
	assert_true(s.res.wall_ns > 0);
}

TEST(signals)
{
	_cleanup_shell_ struct shell s;

	shell_init(&s, "kill -ABRT $$");
	assert_ok(cuv_child_run(&s.spec, &s.res));
	assert_int_equal(s.res.end, CUV_CHILD_SIGNALED);
	assert_int_equal(s.res.status, SIGABRT);
}

TEST(environment_is_what_was_built)
{
	_cleanup_strv_ struct cuv_strv env = CUV_STRV_INIT;
	_cleanup_shell_ struct shell s;

	assert_ok(setenv("CUVETTE_UNIT", "leaks", 1));
	assert_ok(cuv_strv_add(&env, "GIVEN=yes"));
	shell_init(&s, "echo \"$GIVEN$CUVETTE_UNIT\"; pwd; cat; ls /proc/self/fd | wc -l");
	s.spec.env = &env;
	s.spec.cwd = "/usr";
	assert_ok(cuv_child_run(&s.spec, &s.res));
	/* stdin is empty; ls has the three streams and the folder it reads. */
	assert_content(&s.res.out, "yes\n/usr\n4\n");
}

TEST(standard_input)
{
	_cleanup_close_ int in = cuv_memfd("in", "hello", 5);
	_cleanup_shell_ struct shell s;

	shell_init(&s, "cat");
	s.spec.stdin_fd = in;
	assert_ok(cuv_child_run(&s.spec, &s.res));
	assert_content(&s.res.out, "hello");
}

TEST(caps)
{
	_cleanup_shell_ struct shell s;

	shell_init(&s, "i=0; while [ $i -lt 3000 ]; do echo line $i; echo line $i >&2; i=$((i+1)); done");
	s.spec.stdout_max = 7;
	s.spec.stderr_max = 10;
	assert_ok(cuv_child_run(&s.spec, &s.res));
	assert_true(cuv_child_ok(&s.res));
	/* The beginning of one, the end of the other. */
	assert_content(&s.res.out, "line 0\n");
	assert_content(&s.res.err, "line 2999\n");
	assert_true(s.res.out_cut && s.res.err_cut);
}

TEST(deadline_kills_the_whole_group)
{
	_cleanup_shell_ struct shell s;
	char text[32] = "";
	pid_t pid;

	shell_init(&s, "sleep 600 & echo $!; wait");
	s.spec.deadline_ns = cuv_deadline_ms(300);
	assert_ok(cuv_child_run(&s.spec, &s.res));
	assert_int_equal(s.res.end, CUV_CHILD_TIMEOUT);
	assert_true(s.res.wall_ns < 100 * CUV_NS_PER_S);
	assert_int_equal(sscanf(cuv_buf_str(&s.res.out), "%31s", text), 1);
	pid = (pid_t)strtol(text, NULL, 10);
	assert_true(pid > 1);
	/* Killed; whoever adopted it may need a moment to reap it. */
	for (int i = 0; i < 6000 && kill(pid, 0) == 0; i++) {
		char path[64], line[512] = "";
		FILE *f;

		(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		f = fopen(path, "r");
		if (!f)
			return;
		(void)!fgets(line, sizeof(line), f);
		(void)fclose(f);
		if (strstr(line, ") Z "))
			return;
		(void)usleep(10000);
	}
	assert_int_equal(kill(pid, 0), -1);
}

TEST(a_grandchild_with_the_pipe_does_not_hold_us_up)
{
	_cleanup_shell_ struct shell s;

	shell_init(&s, "sleep 600 & echo done");
	assert_ok(cuv_child_run(&s.spec, &s.res));
	assert_true(cuv_child_ok(&s.res));
	assert_content(&s.res.out, "done\n");
	assert_true(s.res.wall_ns < 100 * CUV_NS_PER_S);
}

TEST(cancelled_by_a_hang_up)
{
	_cleanup_shell_ struct shell s;
	int ends[2];

	assert_ok(pipe2(ends, O_CLOEXEC));
	shell_init(&s, "sleep 600");
	s.spec.cancel_fd = ends[0];
	(void)close(ends[1]);
	assert_ok(cuv_child_run(&s.spec, &s.res));
	assert_int_equal(s.res.end, CUV_CHILD_CANCELLED);
	(void)close(ends[0]);
}

TEST(limits)
{
	_cleanup_shell_ struct shell s;

	shell_init(&s, "ulimit -t; ulimit -n; ulimit -f; ulimit -c; ulimit -v");
	s.spec.limits = (struct cuv_child_limits){
		.cpu_s = 7, .descriptors = 33, .file_bytes = 512 * 100, .memory_bytes = 1024u * 4000000u};
	assert_ok(cuv_child_run(&s.spec, &s.res));
	assert_content(&s.res.out, "7\n33\n100\n0\n4000000\n");
}

TEST(cpu_limit_ends_a_loop)
{
	_cleanup_shell_ struct shell s;

	shell_init(&s, "while :; do :; done");
	s.spec.limits.cpu_s = 1;
	assert_ok(cuv_child_run(&s.spec, &s.res));
	assert_int_equal(s.res.end, CUV_CHILD_SIGNALED);
	assert_true(s.res.status == SIGXCPU || s.res.status == SIGKILL);
	assert_true(s.res.cpu_ns > CUV_NS_PER_S / 2);
}

static int refuse(void *arg)
{
	return *(int *)arg;
}

static void count(void *arg, const char *data, size_t len)
{
	(void)data;
	*(int *)arg += (int)len;
}

TEST(hooks)
{
	_cleanup_shell_ struct shell s, t;
	int value = -EXDEV, seen = 0;

	shell_init(&s, "true");
	s.spec.before_exec = refuse;
	s.spec.arg = &value;
	assert_int_equal(cuv_child_run(&s.spec, &s.res), -EXDEV);
	shell_init(&t, "echo 12345 >&2; echo 12345 >&2");
	t.spec.on_stderr = count;
	t.spec.arg = &seen;
	assert_ok(cuv_child_run(&t.spec, &t.res));
	assert_int_equal(seen, 12);
}

TEST(what_can_not_be_executed)
{
	_cleanup_shell_ struct shell s;

	shell_init(&s, "true");
	s.spec.path = "/no/such/program";
	assert_int_equal(cuv_child_run(&s.spec, &s.res), -ENOENT);
	s.spec.path = "/etc/passwd";
	assert_int_equal(cuv_child_run(&s.spec, &s.res), -EACCES);
	s.spec.path = "/bin/sh";
	s.spec.cwd = "/no/such/folder";
	assert_int_equal(cuv_child_run(&s.spec, &s.res), -ENOENT);
	assert_null(s.res.out.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_and_status),
		cmocka_unit_test(signals),
		cmocka_unit_test(environment_is_what_was_built),
		cmocka_unit_test(standard_input),
		cmocka_unit_test(caps),
		cmocka_unit_test(deadline_kills_the_whole_group),
		cmocka_unit_test(a_grandchild_with_the_pipe_does_not_hold_us_up),
		cmocka_unit_test(cancelled_by_a_hang_up),
		cmocka_unit_test(limits),
		cmocka_unit_test(cpu_limit_ends_a_loop),
		cmocka_unit_test(hooks),
		cmocka_unit_test(what_can_not_be_executed),
	};

	return cmocka_run_group_tests_name("child", tests, NULL, NULL);
}
