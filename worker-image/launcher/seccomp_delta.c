/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/seccomp_delta.h"

#include "lib/base/base.h"

#include <errno.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

/* No look at the architecture: the zygote's own filter, which stays, kills for a
 * foreign one, and killing outweighs whatever is said here. */
static const struct sock_filter delta[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_setns, 8, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_capset, 7, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_seccomp, 0, 3),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])), /* both are little-endian */
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SECCOMP_SET_MODE_FILTER, 0, 5),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 0, 3),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_PARENT, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

const struct sock_filter *cuv_seccomp_delta(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(delta);
	return delta;
}

int cuv_seccomp_load_delta(void)
{
	struct sock_filter copy[ARRAY_SIZE(delta)];
	struct sock_fprog prog = {.len = ARRAY_SIZE(copy), .filter = copy};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(copy); i++)
		copy[i] = delta[i];
	return syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0 ? -errno : 0;
}
