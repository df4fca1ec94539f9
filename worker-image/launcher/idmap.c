/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/idmap.h"

#include "lib/base/fd.h"
#include "lib/base/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUBID_FILE_MAX (1024 * 1024)

void cuv_idmap_of_slot(bool privileged, bool many_ids, unsigned slot, struct cuv_idmap *ret)
{
	uint32_t base = privileged ? CUV_BOX_UID_BASE : 1;

	cuv_assert(slot < CUV_IDENTITIES_MAX);
	if (!many_ids) {
		*ret = (struct cuv_idmap){.separate = false};
		return;
	}
	/* Subordinate ids may be few: pairs, so that the first slots fit into any range. */
	*ret = (struct cuv_idmap){
		.separate = true,
		.run_outer = privileged ? base + slot : base + 2 * slot,
		.init_outer = privileged ? base + CUV_IDENTITIES_MAX + slot : base + 2 * slot + 1,
	};
}

void cuv_idmap_format(const struct cuv_idmap *m, char ret[CUV_IDMAP_TEXT_SIZE])
{
	if (m->separate)
		snprintf(ret, CUV_IDMAP_TEXT_SIZE, "%u %u 1\n%u %u 1\n", CUV_INIT_INNER_UID, m->init_outer,
			 CUV_BOX_INNER_UID, m->run_outer);
	else
		snprintf(ret, CUV_IDMAP_TEXT_SIZE, "%u %u 1\n", CUV_BOX_INNER_UID, m->run_outer);
}

bool cuv_subid_parse(const char *line, const char *name, uid_t uid, uint32_t *ret_first, uint32_t *ret_count)
{
	char who[128], first[16], count[16], number[16];
	uint64_t f, c;

	if (sscanf(line, "%127[^:\n]:%15[0-9]:%15[0-9]", who, first, count) != 3)
		return false;
	snprintf(number, sizeof(number), "%u", (unsigned)uid);
	if (strcmp(who, name) != 0 && strcmp(who, number) != 0)
		return false;
	if (cuv_parse_u64(first, UINT32_MAX, &f) < 0 || cuv_parse_u64(count, UINT32_MAX, &c) < 0 || c == 0)
		return false;
	*ret_first = (uint32_t)f;
	*ret_count = (uint32_t)c;
	return true;
}

int cuv_write_file_at(int dirfd, const char *path, const char *text)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC);
	size_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return -errno;
	do
		n = write(fd, text, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

bool cuv_passwd_parse(const char *line, uid_t uid, char ret_name[CUV_USER_NAME_SIZE])
{
	char name[CUV_USER_NAME_SIZE], number[16];
	uint64_t n;

	if (sscanf(line, "%127[^:\n]:%*[^:\n]:%15[0-9]:", name, number) != 2 ||
	    cuv_parse_u64(number, UINT32_MAX, &n) < 0 || n != uid)
		return false;
	snprintf(ret_name, CUV_USER_NAME_SIZE, "%s", name);
	return true;
}

/* From the file alone: name services would load code into this process. A user
 * that only they know can have lines with the number. */
static void find_user_name(uid_t uid, char ret_name[CUV_USER_NAME_SIZE])
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(SUBID_FILE_MAX);
	const char *line;

	ret_name[0] = '\0';
	if (cuv_read_file(AT_FDCWD, "/etc/passwd", &b) < 0)
		return;
	for (line = cuv_buf_str(&b); line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (cuv_passwd_parse(line, uid, ret_name))
			return;
}

/* The largest range of the user in the file; count 0 when there is none. */
static void read_subids(const char *path, const char *name, uid_t uid, uint32_t *ret_first, uint32_t *ret_count)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(SUBID_FILE_MAX);
	const char *line;
	uint32_t first, count;

	*ret_count = 0;
	if (cuv_read_file(AT_FDCWD, path, &b) < 0)
		return;
	for (line = cuv_buf_str(&b); line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (cuv_subid_parse(line, name, uid, &first, &count) && count > *ret_count) {
			*ret_first = first;
			*ret_count = count;
		}
}

/* Runs /usr/bin/new[ug]idmap on our parent, from outside the new namespace. */
static int run_mapper(const char *program, pid_t target, uid_t id, uint32_t first, uint32_t count)
{
	char pid_text[16], id_text[16], first_text[16], count_text[16];
	char *argv[] = {NULL,	       pid_text,   (char[]){"0"}, id_text, (char[]){"1"},
			(char[]){"1"}, first_text, count_text,	  NULL};
	_cleanup_free_ char *name = strdup(program);
	pid_t pid;
	int status;

	if (!name)
		return -ENOMEM;
	argv[0] = name;
	snprintf(pid_text, sizeof(pid_text), "%d", (int)target);
	snprintf(id_text, sizeof(id_text), "%u", (unsigned)id);
	snprintf(first_text, sizeof(first_text), "%u", first);
	snprintf(count_text, sizeof(count_text), "%u", count);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		char *no_environment[] = {NULL};

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		execve(program, argv, no_environment);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

/* The helper stays in the first namespace, since only there newuidmap has its
 * rights; it waits until its parent is in the new one. Exit status: 0 mapped. */
_noreturn_ static void mapper_main(int go, pid_t target)
{
	uint32_t uid_first = 0, uid_count, gid_first = 0, gid_count, count;
	char name[CUV_USER_NAME_SIZE], byte;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(go, &byte, 1) != 1)
		_exit(2);
	find_user_name(getuid(), name);
	read_subids("/etc/subuid", name, getuid(), &uid_first, &uid_count);
	read_subids("/etc/subgid", name, getuid(), &gid_first, &gid_count);
	count = CUV_MIN(CUV_MIN(uid_count, gid_count), 65536u);
	if (count < CUV_SUBIDS_MIN)
		_exit(3);
	if (run_mapper("/usr/bin/newgidmap", target, getgid(), gid_first, count) < 0 ||
	    run_mapper("/usr/bin/newuidmap", target, getuid(), uid_first, count) < 0)
		_exit(4);
	_exit(0);
}

/* Maps our own id alone, which needs nobody's help. */
static int map_single(uid_t uid, gid_t gid)
{
	char text[64];
	int r = cuv_write_file_at(AT_FDCWD, "/proc/self/setgroups", "deny");

	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "0 %u 1\n", (unsigned)gid);
	r = cuv_write_file_at(AT_FDCWD, "/proc/self/gid_map", text);
	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "0 %u 1\n", (unsigned)uid);
	return cuv_write_file_at(AT_FDCWD, "/proc/self/uid_map", text);
}

static const char *mapper_why(int status)
{
	switch (WIFEXITED(status) ? WEXITSTATUS(status) : -1) {
	case 3:
		return "this user has no subordinate ids; add lines to /etc/subuid and /etc/subgid (usermod "
		       "--add-subuids)";
	case 4:
		return "newuidmap and newgidmap are missing or failed; install the package uidmap";
	default:
		return "the helper that maps subordinate ids failed";
	}
}

int cuv_idmap_enter_user(size_t why_size, char *ret_why)
{
	const uid_t uid = getuid();
	const gid_t gid = getgid();
	const pid_t self = getpid();
	int go[2], status = -1, r = 0;
	pid_t helper;

	if (pipe2(go, O_CLOEXEC) < 0)
		return -errno;
	helper = fork();
	if (helper == 0) {
		cuv_close(go[1]);
		mapper_main(go[0], self);
	}
	cuv_close(go[0]);
	if (helper < 0)
		r = -errno;
	else if (unshare(CLONE_NEWUSER) < 0)
		r = -errno; /* the helper reads the pipe's end and leaves */
	else
		r = cuv_write_all(go[1], "", 1);
	cuv_close(go[1]);
	while (helper > 0 && waitpid(helper, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return r;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		snprintf(ret_why, why_size, "%s", mapper_why(status));
		r = map_single(uid, gid);
		if (r < 0)
			return r;
		r = 1;
	}
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return -errno;
	return r;
}
