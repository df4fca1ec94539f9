/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/scratch.h"

#include "lib/base/ids.h"
#include "worker-image/launcher/mounts.h"

#include <fcntl.h>

#define ATTR (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

/* Programs are built and executed in all but /dev/shm. */
static const struct {
	const char *path;
	enum cuv_limit size;
	mode_t mode;
	unsigned attr;
} scratch[CUV_SCRATCH_N] = {
	{CUV_BOX_WORK, CUV_LIMIT_WORK, 0755, ATTR},
	{"/tmp", CUV_LIMIT_TMP, 01777, ATTR},
	{CUV_BOX_HOME, CUV_LIMIT_TMP, 0755, ATTR},
	{"/dev/shm", CUV_LIMIT_SHM, 01777, ATTR | MOUNT_ATTR_NOEXEC}, /* after /dev */
};

static struct cuv_tmpfs tmpfs_of(size_t i, const struct cuv_limits *l)
{
	return (struct cuv_tmpfs){
		.size_bytes = l->value[scratch[i].size],
		.inodes = l->value[CUV_LIMIT_WORK_INODES],
		.mode = scratch[i].mode,
		.uid = CUV_BOX_INNER_UID,
	};
}

int cuv_scratch_make(size_t i, const struct cuv_limits *l)
{
	const struct cuv_tmpfs t = tmpfs_of(i, l);

	return cuv_mount_tmpfs(&t, scratch[i].attr);
}

int cuv_scratch_mount(size_t i, const struct cuv_limits *l)
{
	const struct cuv_tmpfs t = tmpfs_of(i, l);

	return cuv_mount_tmpfs_at(scratch[i].path, &t, scratch[i].attr);
}

int cuv_scratch_place(size_t i, int mount_fd)
{
	return cuv_mount_move(mount_fd, AT_FDCWD, scratch[i].path);
}

bool cuv_scratch_same(size_t i, const struct cuv_limits *a, const struct cuv_limits *b)
{
	return a->value[scratch[i].size] == b->value[scratch[i].size] &&
	       a->value[CUV_LIMIT_WORK_INODES] == b->value[CUV_LIMIT_WORK_INODES];
}
