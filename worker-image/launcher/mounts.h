/* SPDX-License-Identifier: MIT */
/*
 * Mounts by descriptor: file systems and copies of mounts are made attached to
 * nothing, set up, and then moved to where they belong; some at once. All functions
 * return a descriptor or 0, or -errno.
 */
#ifndef CUV_LAUNCHER_MOUNTS_H
#define CUV_LAUNCHER_MOUNTS_H

#include "lib/base/base.h"

#include <sys/mount.h>
#include <sys/types.h>

/* What a tmpfs is limited to and who owns its root. */
struct cuv_tmpfs {
	uint64_t size_bytes;
	uint64_t inodes;
	mode_t mode;
	uid_t uid; /* and gid */
};
/* A new tmpfs, mounted nowhere; attr is a set of MOUNT_ATTR_. */
int cuv_mount_tmpfs(const struct cuv_tmpfs *t, unsigned attr);
/* A /proc of the caller's pid namespace that shows nothing but processes, and of
 * these only those the reader may trace. */
int cuv_mount_proc(void);
/* A new tmpfs, mounted at path by one call: only where the path can't be anybody's but
 * ours, since mount(2) follows links. */
int cuv_mount_tmpfs_at(const char *path, const struct cuv_tmpfs *t, unsigned attr);
/* A copy of what is mounted at path (and below it), attached nowhere. */
int cuv_mount_copy(const char *path);
/* The same of what a descriptor is of; mounted nowhere itself, only where host->copies_loose. */
int cuv_mount_copy_loose(int fd);
/* The same for a directory of the store, by its name alone (checked to be one
 * component): beneath store_fd, following no link. */
int cuv_mount_copy_store(int store_fd, const char *name);
/* Attaches a detached mount at path below dirfd; no symbolic link is followed. */
int cuv_mount_move(int mount_fd, int dirfd, const char *path);
/* Adds attributes to the mount at fd (and what is below it). */
int cuv_mount_restrict(int fd, unsigned attr, bool recursive);
/* Makes the directory path the root. The old one lies on top of it, out of the
 * way of absolute paths, until cuv_mount_drop_old takes it off. */
int cuv_mount_pivot(const char *path);
int cuv_mount_drop_old(void);

#endif
