/* SPDX-License-Identifier: MIT */
/* The folders of a box that a run may write to: the work folder, /tmp, the home
 * and /dev/shm, each a tmpfs of its own with limits on bytes and inodes. They are
 * made ahead: attached to nothing and moved to their places later, or, where the
 * rest of the box is there, at their places. */
#ifndef CUV_LAUNCHER_SCRATCH_H
#define CUV_LAUNCHER_SCRATCH_H

#include "lib/proto/limits.h"

#define CUV_SCRATCH_N 4

/* Makes one of them: a descriptor of the detached mount, or -errno. */
int cuv_scratch_make(size_t i, const struct cuv_limits *l);
/* Makes one of them at its place at once, in fewer calls. 0 or -errno. */
int cuv_scratch_mount(size_t i, const struct cuv_limits *l);
/* Moves it to its place below the caller's root. 0 or -errno. */
int cuv_scratch_place(size_t i, int mount_fd);
/* True when those made with one of these limits are as with the other. */
bool cuv_scratch_same(size_t i, const struct cuv_limits *a, const struct cuv_limits *b);

#endif
