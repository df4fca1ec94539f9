/* SPDX-License-Identifier: MIT */
#include "lib/base/landlock.h"

#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than the headers of Debian 12; the kernel's numbers. */
#define RIGHT_TRUNCATE (1ull << 14)  /* ABI 3 */
#define RIGHT_IOCTL_DEV (1ull << 15) /* ABI 5 */
#define NET_BIND_TCP (1ull << 0)     /* ABI 4 */
#define NET_CONNECT_TCP (1ull << 1)
#define SCOPE_ABSTRACT_UNIX (1ull << 0) /* ABI 6 */
#define SCOPE_SIGNAL (1ull << 1)

/* The attribute as ABI 6 has it; older kernels take its beginning. */
struct ruleset_attr {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

#define RIGHTS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RIGHTS_MAKE                                                                                                    \
	(LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM |                     \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO)
#define RIGHTS_WRITE                                                                                                   \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |              \
	 LANDLOCK_ACCESS_FS_REFER | RIGHT_TRUNCATE | RIGHTS_MAKE)
#define RIGHTS_ALL                                                                                                     \
	(LANDLOCK_ACCESS_FS_EXECUTE | RIGHTS_READ | RIGHTS_WRITE | LANDLOCK_ACCESS_FS_MAKE_CHAR |                      \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK | RIGHT_IOCTL_DEV)
/* A rule on a file may name only these. */
#define RIGHTS_OF_FILE                                                                                                 \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | RIGHT_TRUNCATE |  \
	 RIGHT_IOCTL_DEV)

int cuv_landlock_abi(void)
{
	long r = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return r < 0 ? 0 : (int)r;
}

static uint64_t rights_of_abi(int abi)
{
	uint64_t rights = RIGHTS_ALL;

	if (abi < 2)
		rights &= ~LANDLOCK_ACCESS_FS_REFER;
	if (abi < 3)
		rights &= ~RIGHT_TRUNCATE;
	if (abi < 5)
		rights &= ~RIGHT_IOCTL_DEV;
	return rights;
}

int cuv_landlock_init(struct cuv_landlock *ret, unsigned forbid)
{
	struct ruleset_attr attr = {0};
	size_t size = sizeof(attr.fs);
	int abi = cuv_landlock_abi();
	long fd;

	*ret = CUV_LANDLOCK_INIT;
	if (abi < 1)
		return -EOPNOTSUPP;
	attr.fs = rights_of_abi(abi);
	if (abi >= 4) {
		size = sizeof(attr.fs) + sizeof(attr.net);
		attr.net = forbid & CUV_LANDLOCK_TCP ? NET_BIND_TCP | NET_CONNECT_TCP : 0;
	}
	if (abi >= 6) {
		size = sizeof(attr);
		attr.scoped = forbid & CUV_LANDLOCK_SCOPE ? SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL : 0;
	}
	fd = syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (fd < 0)
		return -errno;
	*ret = (struct cuv_landlock){.fd = (int)fd, .abi = abi, .handled = attr.fs};
	return 0;
}

void cuv_landlock_done(struct cuv_landlock *l)
{
	l->fd = cuv_close(l->fd);
}

int cuv_landlock_allow(struct cuv_landlock *l, const char *path, unsigned what)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr attr = {0};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (what & CUV_LANDLOCK_READ)
		attr.allowed_access |= RIGHTS_READ;
	if (what & CUV_LANDLOCK_EXEC)
		attr.allowed_access |= LANDLOCK_ACCESS_FS_EXECUTE;
	if (what & CUV_LANDLOCK_WRITE)
		attr.allowed_access |= RIGHTS_WRITE;
	attr.allowed_access &= l->handled;
	if (!S_ISDIR(st.st_mode))
		attr.allowed_access &= RIGHTS_OF_FILE;
	attr.parent_fd = fd;
	if (syscall(SYS_landlock_add_rule, l->fd, LANDLOCK_RULE_PATH_BENEATH, &attr, 0) < 0)
		return -errno;
	return 0;
}

int cuv_landlock_restrict(struct cuv_landlock *l)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (syscall(SYS_landlock_restrict_self, l->fd, 0) < 0)
		return -errno;
	return 0;
}
