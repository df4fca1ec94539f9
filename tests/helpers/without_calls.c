/* SPDX-License-Identifier: MIT */
/*
 * without_calls: executes a program on a kernel that lacks some system calls.
 *
 *   without_calls NAME[,NAME]... program args...
 *
 * A filter answers ENOSYS for them, to the program and all that it starts: what an
 * older kernel would say, and container profiles do. A NAME is a call, or a family
 * of calls that came together (see the table).
 */
#include "lib/base/base.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALLS_MAX 64
#define FAMILY_MAX 8

static const struct {
	const char *name;
	size_t n;
	int calls[FAMILY_MAX];
} families[] = {
	{"openat2", 1, {SYS_openat2}},
	{"clone3", 1, {SYS_clone3}}, /* and with it CLONE_INTO_CGROUP, which only clone3 can say */
	{"close_range", 1, {SYS_close_range}},
	{"pidfd", 3, {SYS_pidfd_open, SYS_pidfd_send_signal, SYS_pidfd_getfd}},
	{"fsopen", 4, {SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick}},
	{"open_tree", 2, {SYS_open_tree, SYS_move_mount}},
	{"mount_setattr", 1, {SYS_mount_setattr}},
	{"landlock", 3, {SYS_landlock_create_ruleset, SYS_landlock_add_rule, SYS_landlock_restrict_self}},
};

static size_t add_family(const char *name, size_t n, int calls[CALLS_MAX])
{
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(families); i++) {
		if (strcmp(families[i].name, name) != 0)
			continue;
		for (j = 0; j < families[i].n && n < CALLS_MAX; j++)
			calls[n++] = families[i].calls[j];
		return n;
	}
	fprintf(stderr, "without_calls: %s is not in the table\n", name);
	exit(2);
}

static int load(const int *calls, size_t n)
{
	struct sock_filter code[2 * CALLS_MAX + 2];
	struct sock_fprog prog = {.filter = code};
	size_t i, at = 0;

	code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (i = 0; i < n; i++) {
		code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i], 0, 1);
		code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	}
	code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	prog.len = (unsigned short)at;
	/* Root may without no_new_privs, which would change what is tried here. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) == 0)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
	int calls[CALLS_MAX], r;
	char *name, *rest;
	size_t n = 0;

	if (argc < 3) {
		fprintf(stderr, "usage: without_calls NAME[,NAME]... program args...\n");
		return 2;
	}
	for (name = strtok_r(argv[1], ",", &rest); name; name = strtok_r(NULL, ",", &rest))
		n = add_family(name, n, calls);
	r = load(calls, n);
	if (r < 0) {
		fprintf(stderr, "without_calls: %s\n", strerror(-r));
		return 1;
	}
	execv(argv[2], argv + 2);
	fprintf(stderr, "without_calls: %s: %s\n", argv[2], strerror(errno));
	return 1;
}
