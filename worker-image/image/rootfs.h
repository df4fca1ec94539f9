/* SPDX-License-Identifier: MIT */
/* What makes a root of unpacked packages, and what installing them would do. */
#ifndef CUV_ROOTFS_H
#define CUV_ROOTFS_H

#include "worker-image/image/tree.h"

/* Adds the merged folders' links, the users, name resolution, the time zone,
 * the bundle of certificates, the empty folders that are mounted over, and the
 * interpreter's short names (python is "3.11", or "-" for a root without one).
 * Call it after the packages. 0, or a negative errno with err set. */
int cuv_rootfs_finish(struct cuv_tree *t, const char *python, struct cuv_error *err);

/* Byte-compiles the root's standard library with the root's own interpreter:
 * python is "3.11", root_path the tree's absolute path. The .pyc files carry no
 * time (unchecked hash) and name their sources as below "/". 0, or a negative
 * errno with err set. */
int cuv_rootfs_compile(const char *root_path, const char *python, struct cuv_error *err);

#endif
