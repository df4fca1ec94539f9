/* SPDX-License-Identifier: MIT */
/* tests/run: not under valgrind (seccomp) */
/* The manager's command line, and its system call filter tried on a child. */
#include "manager/seal.h"
#include "manager/settings.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGV(...) ((char *[]){(char[]){"manager"}, __VA_ARGS__ __VA_OPT__(, ) NULL})
#define A(text) ((char[]){text})

static int read_settings(char **argv, struct cuv_manager_settings *s, struct cuv_error *err)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	*err = CUV_ERROR_INIT;
	return cuv_manager_settings_read(argc, argv, s, err);
}

static void assert_bad(char **argv, const char *words)
{
	struct cuv_manager_settings s;
	struct cuv_error err;

	if (read_settings(argv, &s, &err) == 0)
		fail_msg("accepted %s", argv[1]);
	if (!strstr(err.message, words))
		fail_msg("%s", err.message);
}

TEST(defaults_and_options)
{
	struct cuv_manager_settings s;
	struct cuv_error err;

	unsetenv("API_KEY");
	assert_ok(read_settings(ARGV(), &s, &err));
	assert_string_equal(s.address, "127.0.0.1");
	assert_int_equal(s.port, 8080);
	assert_true(s.uid == (uid_t)-1 && !s.api_key && !s.landlock_may_miss);
	assert_int_equal(s.sharing, CUV_SHARING_TENANT);
	assert_ok(read_settings(ARGV(A("--listen"), A("127.1.2.3:0"), A("--uid"), A("5"), A("--gid"), A("6"),
				     A("--clients"), A("32"), A("--memory"), A("256MiB"), A("--drain"), A("1.5"),
				     A("--zygote-sharing"), A("environment"), A("--allow-degraded"),
				     A("cgroup-cpu,landlock")),
				&s, &err));
	assert_string_equal(s.address, "127.1.2.3");
	assert_true(s.port == 0 && s.uid == 5 && s.gid == 6 && s.clients == 32 && s.drain_ms == 1500);
	assert_int_equal(s.memory_bytes, 256 << 20);
	assert_true(s.landlock_may_miss);
	assert_int_equal(s.sharing, CUV_SHARING_ENVIRONMENT);
	assert_ok(read_settings(ARGV(A("--listen"), A("localhost:80")), &s, &err));
	assert_string_equal(s.address, "127.0.0.1");
}

TEST(wrong_options)
{
	unsetenv("API_KEY");
	assert_bad(ARGV(A("--listen"), A("127.0.0.1")), "--listen");
	assert_bad(ARGV(A("--listen"), A("127.0.0.1:65536")), "--listen");
	assert_bad(ARGV(A("--listen"), A("example.invalid:80")), "--listen");
	assert_bad(ARGV(A("--listen"), A("127.0.0.1:80,8081")), "--listen");
	assert_bad(ARGV(A("--clients"), A("1")), "--clients");
	assert_bad(ARGV(A("--clients"), A("100000")), "--clients");
	assert_bad(ARGV(A("--memory"), A("1")), "--memory");
	assert_bad(ARGV(A("--uid"), A("5")), "go together");
	assert_bad(ARGV(A("--uid"), A("-1"), A("--gid"), A("1")), "--uid");
	assert_bad(ARGV(A("--allow-degraded"), A("namespaces")), "--allow-degraded");
	assert_bad(ARGV(A("--zygote-sharing"), A("all")), "--zygote-sharing");
	assert_bad(ARGV(A("--colour")), "not an option");
	assert_bad(ARGV(A("stray")), "not an option");
}

TEST(without_a_key_only_this_machine)
{
	struct cuv_manager_settings s;
	struct cuv_error err;

	setenv("API_KEY", "", 1);
	assert_ok(read_settings(ARGV(A("--listen"), A("0.0.0.0:80")), &s, &err));
	assert_null(s.api_key);
	assert_true(cuv_manager_settings_check_open(&s, &err) < 0);
	assert_non_null(strstr(err.message, "API_KEY"));
	assert_ok(read_settings(ARGV(A("--listen"), A("192.168.0.1:80")), &s, &err));
	assert_true(cuv_manager_settings_check_open(&s, &err) < 0);
	assert_ok(read_settings(ARGV(A("--listen"), A("127.9.9.9:80")), &s, &err));
	assert_ok(cuv_manager_settings_check_open(&s, &err));
	setenv("API_KEY", "secret", 1);
	assert_ok(read_settings(ARGV(A("--listen"), A("0.0.0.0:80")), &s, &err));
	assert_string_equal(s.api_key, "secret");
	unsetenv("API_KEY");
}

/* --- the filter --- */

/* Which check failed, 0 for none; runs under the filter. */
static int under_filter(void)
{
	int pair[2], fd;

	if (cuv_seal_filter() < 0)
		return 1;
	/* what is needed works */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 || write(pair[0], "x", 1) != 1)
		return 2;
	fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || write(fd, "x", 1) != 1 || fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0)
		return 3;
	if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		return 4;
	/* what is not, does not */
	if (open("/", O_RDONLY | O_CLOEXEC) >= 0 || errno != EPERM)
		return 5;
	if (socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 || errno != EPERM)
		return 6;
	if (socketpair(AF_INET, SOCK_STREAM, 0, pair) >= 0 || errno != EPERM)
		return 7;
	if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED || errno != EPERM)
		return 8;
	if (fcntl(fd, F_DUPFD, 0) >= 0 || errno != EPERM)
		return 9;
	if (fork() >= 0 || errno != EPERM)
		return 10;
	return execl("/bin/true", "true", (char *)NULL) >= 0 || errno != EPERM ? 11 : 0;
}

TEST(the_filter_leaves_what_is_needed)
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		_exit(under_filter());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_and_options),
		cmocka_unit_test(wrong_options),
		cmocka_unit_test(without_a_key_only_this_machine),
		cmocka_unit_test(the_filter_leaves_what_is_needed),
	};

	return cmocka_run_group_tests_name("http settings", tests, NULL, NULL);
}
