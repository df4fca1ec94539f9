/* SPDX-License-Identifier: MIT */
/* tests/run: not under valgrind (seccomp) */
/* A Unix socket that can't be made to its end leaves no name. */
#include "cli/front.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* From here on this process finds nothing by its name. */
static int find_nothing(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r = ctx ? 0 : -ENOMEM;

	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOENT), SCMP_SYS(newfstatat), 1,
				     SCMP_A3(SCMP_CMP_EQ, AT_SYMLINK_NOFOLLOW, 0));
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}

static int make_one(const char *path)
{
	struct cuv_front_settings s = {.path = path, .mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1};
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_front f = CUV_FRONT_INIT;

	if (find_nothing() < 0)
		return 1;
	if (cuv_front_open(&s, &f, &err) == 0)
		return 2;
	cuv_front_close(&f);
	return strstr(err.message, strerror(ENOENT)) ? 0 : 3;
}

TEST(a_socket_that_can_not_be_looked_at_leaves_no_name)
{
	char folder[] = "/tmp/front-XXXXXX", path[64];
	struct stat st;
	int status = -1;
	pid_t child;

	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/http.sock", folder);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(make_one(path));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(lstat(path, &st), -1);
	assert_ok(rmdir(folder));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_that_can_not_be_looked_at_leaves_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
