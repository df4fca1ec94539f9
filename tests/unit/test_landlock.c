/* SPDX-License-Identifier: MIT */
/* Landlock: what a shut-in child can do is what it was allowed. */
#include "lib/base/fd.h"
#include "lib/base/landlock.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/cuvette-landlock-XXXXXX";

static void path_of(const char *name, char ret[128])
{
	(void)snprintf(ret, 128, "%s/%s", folder, name);
}

static int set_up(void **state)
{
	static const char *const names[] = {"read", "write", "other"};
	char path[128];

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_close_ int fd = -1;

		char file[160];

		path_of(names[i], path);
		if (mkdir(path, 0700) < 0)
			return -1;
		(void)snprintf(file, sizeof(file), "%s/file", path);
		fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			return -1;
	}
	return 0;
}

static int can(const char *name, int flags)
{
	char path[128];
	int fd;

	path_of(name, path);
	fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	(void)close(fd);
	return 0;
}

/* Each line is one right; the number of the first that is not as it should be. */
static int probe_files(void)
{
	_cleanup_landlock_ struct cuv_landlock l;
	char path[128];

	if (cuv_landlock_init(&l, 0) < 0)
		return 1;
	path_of("nothing", path);
	if (cuv_landlock_allow(&l, path, CUV_LANDLOCK_READ) != -ENOENT)
		return 2;
	path_of("read", path);
	if (cuv_landlock_allow(&l, path, CUV_LANDLOCK_READ) < 0)
		return 3;
	path_of("write", path);
	if (cuv_landlock_allow(&l, path, CUV_LANDLOCK_READ | CUV_LANDLOCK_WRITE) < 0)
		return 4;
	path_of("other/file", path);
	if (cuv_landlock_allow(&l, path, CUV_LANDLOCK_READ | CUV_LANDLOCK_WRITE) < 0 || cuv_landlock_restrict(&l) < 0)
		return 5;
	if (can("read/file", O_RDONLY) != 0 || can("read", O_RDONLY | O_DIRECTORY) != 0)
		return 6;
	if (can("read/file", O_WRONLY) != -EACCES || can("read/new", O_WRONLY | O_CREAT) != -EACCES)
		return 7;
	if (can("write/file", O_RDWR | (l.abi >= 3 ? O_TRUNC : 0)) != 0 || can("write/new", O_WRONLY | O_CREAT) != 0)
		return 8;
	/* A file by itself, not its folder. */
	if (can("other/file", O_RDWR) != 0 || can("other", O_RDONLY | O_DIRECTORY) != -EACCES)
		return 9;
	path_of("write/new", path);
	if (unlink(path) < 0)
		return 10;
	path_of("read/file", path);
	if (unlink(path) == 0 || errno != EACCES)
		return 11;
	execl("/bin/true", "true", (char *)NULL);
	return errno == EACCES ? 0 : 12;
}

static int probe_rest(void)
{
	_cleanup_landlock_ struct cuv_landlock l;
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_port = htons(9)};
	_cleanup_close_ int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (cuv_landlock_init(&l, CUV_LANDLOCK_TCP | CUV_LANDLOCK_SCOPE) < 0 ||
	    cuv_landlock_allow(&l, "/bin", CUV_LANDLOCK_READ | CUV_LANDLOCK_EXEC) < 0 || cuv_landlock_restrict(&l) < 0)
		return 1;
	if (l.abi >= 4 && (connect(s, (struct sockaddr *)&addr, sizeof(addr)) == 0 || errno != EACCES))
		return 2;
	if (l.abi >= 6 && (kill(getppid(), 0) == 0 || errno != EPERM))
		return 3;
	return 0;
}

static void in_child(int (*probe)(void))
{
	int status = 0;
	pid_t pid;

	if (cuv_landlock_abi() == 0) {
		print_message("SKIP: this kernel has no Landlock\n");
		skip();
	}
	pid = fork();
	if (pid == 0)
		_exit(probe());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

TEST(files)
{
	in_child(probe_files);
}

TEST(sockets_and_signals)
{
	in_child(probe_rest);
}

static int tear_down(void **state)
{
	static const char *const names[] = {"read/file", "write/file", "other/file", "read", "write", "other"};
	char path[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		path_of(names[i], path);
		(void)remove(path);
	}
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files),
		cmocka_unit_test(sockets_and_signals),
	};

	return cmocka_run_group_tests_name("landlock", tests, set_up, tear_down);
}
