/* SPDX-License-Identifier: MIT */
/*
 * Landlock: a process takes from itself, for good and for all its children, the
 * right to touch files beyond a few paths. Works without privilege and inside
 * any namespace; the kernel must be 5.13 or newer and have the module on.
 *
 *   _cleanup_landlock_ struct cuv_landlock l;
 *   cuv_landlock_init(&l, CUV_LANDLOCK_TCP | CUV_LANDLOCK_SCOPE);
 *   cuv_landlock_allow(&l, "/etc/hosts", CUV_LANDLOCK_READ);
 *   cuv_landlock_restrict(&l);
 *
 * Everything that the running kernel can forbid about files is forbidden unless
 * a rule allows it; what only newer kernels know (see abi) stays as it was.
 * Descriptors that are open already keep their rights. All three functions are
 * plain system calls, so they may be used between fork and exec.
 */
#ifndef CUV_LANDLOCK_H
#define CUV_LANDLOCK_H

#include "lib/base/base.h"

/* What may be done at and below a path. */
#define CUV_LANDLOCK_READ 1u  /* read files, list folders */
#define CUV_LANDLOCK_EXEC 2u  /* execute and map as a program; add READ where it is read too */
#define CUV_LANDLOCK_WRITE 4u /* write, make, rename, remove; add READ where it is read too */

/* What to forbid besides files; silently left out where the kernel can't. */
#define CUV_LANDLOCK_TCP 1u   /* bind and connect of TCP sockets (ABI 4) */
#define CUV_LANDLOCK_SCOPE 2u /* abstract sockets and signals to processes outside (ABI 6) */

struct cuv_landlock {
	int fd;
	int abi;	  /* what the kernel knows, at least 1 */
	uint64_t handled; /* file rights under control */
};

#define CUV_LANDLOCK_INIT ((struct cuv_landlock){.fd = -1})

/* The kernel's Landlock version, 0 where there is none. */
int cuv_landlock_abi(void);

/* Makes an empty rule set (nothing allowed). 0, -ENOSYS or -EOPNOTSUPP where
 * the kernel has no Landlock, other -errno. */
int cuv_landlock_init(struct cuv_landlock *ret, unsigned forbid);
void cuv_landlock_done(struct cuv_landlock *l);
#define _cleanup_landlock_ _cleanup_(cuv_landlock_done)

/* Allows what (CUV_LANDLOCK_READ | …) at path, a file or a folder with all
 * below it; links are followed now. 0; -ENOENT when there is no such path. */
int cuv_landlock_allow(struct cuv_landlock *l, const char *path, unsigned what);

/* From here on the calling thread and its children are bound by the rules;
 * sets no_new_privs too, which Landlock needs. 0 or -errno. */
int cuv_landlock_restrict(struct cuv_landlock *l);

#endif
