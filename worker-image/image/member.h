/* SPDX-License-Identifier: MIT */
/*
 * Names of archive members and what becomes of them in an image's root. Pure
 * functions over text: nothing here touches a file system.
 *
 * A root is merged: /bin, /sbin, /lib, /lib32, /lib64 and /libx32 live below
 * /usr, whatever the package says. Every link is relative, so that the tree
 * means the same below any folder.
 */
#ifndef CUV_MEMBER_H
#define CUV_MEMBER_H

#include "lib/base/error.h"

/* Longest name or link target accepted, with its NUL. */
#define CUV_MEMBER_NAME_MAX 1024u
/* More folders than this in one name are refused. */
#define CUV_MEMBER_DEPTH_MAX 32u

/* A member's cleaned name: relative to the root, no empty, "." or ".." part, no
 * trailing slash; "" is the root itself. */
struct cuv_member_name {
	char path[CUV_MEMBER_NAME_MAX];
};

/* Checks a member's name as it stands in the archive ("./usr/bin/x") and cleans
 * it. Refused: absolute names, "..", control characters, too long or too deep.
 * 0, or -EINVAL with err set. */
int cuv_member_clean(const char *name, struct cuv_member_name *ret_name, struct cuv_error *err);

/* Where a cleaned name lies in the merged root. 0, or -EINVAL with err set (it
 * grew too long). */
int cuv_member_merge(const char *path, struct cuv_member_name *ret_name, struct cuv_error *err);

/* Whether a symbolic link (its cleaned name, and what the archive says it leads to)
 * is itself what merges the root, as /lib -> usr/lib: packages of newer releases bring
 * these, and an image has them anyway. */
bool cuv_member_is_merge(const char *path, const char *target);

/* The target of a symbolic link in the merged root. path is the link's cleaned
 * name before merging, target what the archive says, absolute or relative. The
 * answer is relative to the merged link's folder. Refused: an empty target and
 * one that climbs out of the root. 0, or -EINVAL with err set. */
int cuv_member_link(const char *path, const char *target, struct cuv_member_name *ret_target, struct cuv_error *err);

/* Whether a merged path belongs into an image: documentation, manual pages,
 * tests and what only a package manager reads do not. */
bool cuv_member_wanted(const char *merged);

#endif
