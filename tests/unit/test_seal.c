/* SPDX-License-Identifier: MIT */
/* tests/run: not under valgrind (mount_setattr, Landlock) */
/* The resolver's root: nothing of the host but what was bound, nothing writable
 * but its folder, no right to change that. */
#include "lib/base/fd.h"
#include "lib/base/landlock.h"
#include "nixenv/builder/seal.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/cuvette-seal-XXXXXX";
static char root_path[64], cache_path[64];

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(root_path, sizeof(root_path), "%s/root", folder);
	(void)snprintf(cache_path, sizeof(cache_path), "%s/cache", folder);
	return mkdir(root_path, 0755) < 0 || mkdir(cache_path, 0755) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	char path[96];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/kept", cache_path);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/scratch", cache_path);
	(void)rmdir(path);
	return rmdir(root_path) < 0 || rmdir(cache_path) < 0 || rmdir(folder) < 0 ? -1 : 0;
}

static int make(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0700);

	if (fd < 0)
		return -errno;
	(void)close(fd);
	return 0;
}

static bool root_is(const char *const *names, size_t n)
{
	size_t seen = 0;
	struct dirent *e;
	DIR *d = opendir("/");

	while (d && (e = readdir(d))) {
		bool known = e->d_name[0] == '.';

		for (size_t i = 0; i < n; i++)
			known |= strcmp(e->d_name, names[i]) == 0;
		if (!known)
			return false;
		seen += e->d_name[0] != '.';
	}
	if (d)
		(void)closedir(d);
	return seen == n;
}

static int enter(bool landlock, bool programs)
{
	const struct cuv_seal_bind binds[] = {
		{"/usr", "/usr", CUV_LANDLOCK_READ | (programs ? CUV_LANDLOCK_EXEC : 0), false},
		{cache_path, "/cache", CUV_LANDLOCK_READ | CUV_LANDLOCK_WRITE, false},
		{"/no/such/thing", "/thing", CUV_LANDLOCK_READ, true},
		{"/dev/null", "/dev/null", CUV_LANDLOCK_READ | CUV_LANDLOCK_WRITE, false},
	};
	const struct cuv_seal_file files[] = {{"/etc/given", "text", 4}};
	const struct cuv_seal_link links[] = {{"/lib", "usr/lib"}, {"/lib64", "usr/lib64"}};
	const struct cuv_seal seal = {
		.root = root_path,
		.binds = binds,
		.n_binds = ARRAY_SIZE(binds),
		.files = files,
		.n_files = ARRAY_SIZE(files),
		.scratch = programs ? NULL : "/cache/scratch",
		.loader = programs ? NULL : "/usr/lib64/ld-linux-x86-64.so.2",
		.links = links,
		.n_links = ARRAY_SIZE(links),
		.cwd = "/work",
		.size_bytes = 1 << 20,
		.landlock = landlock,
	};

	return cuv_seal_enter(&seal);
}

/* The number of the first right that is not as it should be. */
static int probe(bool landlock)
{
	static const char *const names[] = {"usr", "cache", "dev", "etc", "lib", "lib64", "work"};
	char big[4096] = {0}, cwd[64];
	int fd;

	if (enter(landlock, true) < 0)
		return 1;
	if (!getcwd(cwd, sizeof(cwd)) || strcmp(cwd, "/work") != 0)
		return 2;
	if (!landlock && !root_is(names, ARRAY_SIZE(names)))
		return 3;
	if (make("/etc/given", O_RDONLY) < 0 || make("/etc/passwd", O_RDONLY) != -ENOENT)
		return 4;
	if (make("/usr/new", O_WRONLY | O_CREAT) == 0 || make("/usr/bin/env", O_WRONLY) == 0)
		return 5;
	if (make("/cache/kept", O_WRONLY | O_CREAT) < 0 || make("file", O_WRONLY | O_CREAT) < 0 ||
	    make("/dev/null", O_WRONLY) < 0)
		return 6;
	if (landlock && (make("/new", O_WRONLY | O_CREAT) != -EACCES || make("/etc/given", O_WRONLY) != -EACCES ||
			 make("/", O_RDONLY | O_DIRECTORY) != -EACCES))
		return 7;
	/* A file that it wrote is no program; the tmpfs has its size. */
	if (landlock && (execl("file", "file", (char *)NULL) == 0 || errno != EACCES))
		return 8;
	fd = open("file", O_WRONLY | O_CLOEXEC);
	for (int i = 0; i < 512; i++)
		if (write(fd, big, sizeof(big)) < 0)
			break;
	if (lseek(fd, 0, SEEK_CUR) > 2 << 20 || errno != ENOSPC)
		return 9;
	if (mount("none", "/work", "tmpfs", 0, NULL) == 0 || umount2("/usr", MNT_DETACH) == 0 || chroot("/work") == 0)
		return 10;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_CAPBSET_READ, 0, 0, 0, 0) != 0)
		return 11;
	return 0;
}

/* The same for one that may start nothing: it is the only program. */
static int probe_alone(void)
{
	char big[4096] = {0};
	int fd;

	if (enter(true, false) < 0)
		return 1;
	if (make("/usr/bin/env", O_RDONLY) < 0)
		return 2;
	if (execl("/usr/bin/env", "env", (char *)NULL) == 0 || errno != EACCES)
		return 3;
	fd = open("/cache/scratch/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	if (fd < 0)
		return 4;
	for (int i = 0; i < 512; i++)
		if (write(fd, big, sizeof(big)) < 0)
			break;
	if (lseek(fd, 0, SEEK_CUR) > 2 << 20 || errno != ENOSPC)
		return 5;
	return 0;
}

static int write_text(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : cuv_write_all(fd, text, strlen(text));
}

/* In a user namespace of its own, as the builder's workers are. */
static void in_child(int (*body)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		char map[64];
		unsigned uid = geteuid(), gid = getegid();

		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
			_exit(77);
		(void)snprintf(map, sizeof(map), "%u %u 1", uid, uid);
		if (write_text("/proc/self/setgroups", "deny") < 0 || write_text("/proc/self/uid_map", map) < 0)
			_exit(77);
		(void)snprintf(map, sizeof(map), "%u %u 1", gid, gid);
		_exit(write_text("/proc/self/gid_map", map) < 0 ? 77 : body());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("SKIP: no user namespaces here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int probe_root(void)
{
	return probe(false);
}

static int probe_landlock(void)
{
	return probe(true);
}

TEST(a_root_of_its_own)
{
	in_child(probe_root);
}

static void need_landlock(void)
{
	if (cuv_landlock_abi() == 0) {
		print_message("SKIP: this kernel has no Landlock\n");
		skip();
	}
}

TEST(and_landlock_in_it)
{
	need_landlock();
	in_child(probe_landlock);
}

TEST(and_no_other_program)
{
	need_landlock();
	in_child(probe_alone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_root_of_its_own),
		cmocka_unit_test(and_landlock_in_it),
		cmocka_unit_test(and_no_other_program),
	};

	return cmocka_run_group_tests_name("seal", tests, set_up, tear_down);
}
