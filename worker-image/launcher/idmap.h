/* SPDX-License-Identifier: MIT */
/*
 * User and group ids. A box's user namespace knows two ids: 1000, the run, and
 * 1, its init, so that the run can't touch its own init; there is no root in
 * it. Each slot has host ids of its own. Where only one id can be had (an
 * ordinary user without newuidmap) both are that id, and the layer
 * 'uid-separation' is degraded.
 */
#ifndef CUV_LAUNCHER_IDMAP_H
#define CUV_LAUNCHER_IDMAP_H

#include "lib/base/base.h"
#include "lib/base/ids.h"

#include <sys/types.h>

#define CUV_INIT_INNER_UID 1u
/* Boxes at once, at most. */
#define CUV_BOXES_MAX 512u
/* Identities: half of our range of ids is for runs, half for their inits. There
 * are more than boxes, for slots that had to be given up and for zygotes. */
#define CUV_IDENTITIES_MAX (CUV_BOX_SLOTS_MAX / 2)
/* The least number of subordinate ids that serve an ordinary user. */
#define CUV_SUBIDS_MIN (2 * CUV_IDENTITIES_MAX)

struct cuv_idmap {
	bool separate;	    /* the run and its init have different ids */
	uint32_t run_outer; /* in the launcher's user namespace */
	uint32_t init_outer;
};

/* The ids of a slot: privileged ones, an ordinary user's subordinate ones
 * (many_ids), or the launcher's own. */
void cuv_idmap_of_slot(bool privileged, bool many_ids, unsigned slot, struct cuv_idmap *ret);
/* The text for uid_map and gid_map. */
#define CUV_IDMAP_TEXT_SIZE 96
void cuv_idmap_format(const struct cuv_idmap *m, char ret[CUV_IDMAP_TEXT_SIZE]);

/* A line of /etc/subuid or /etc/subgid ("who:first:count") for the user of this
 * name or number: true when it is his, with the range. */
bool cuv_subid_parse(const char *line, const char *name, uid_t uid, uint32_t *ret_first, uint32_t *ret_count);

/* A line of /etc/passwd of the user with this number: true, with the name. */
#define CUV_USER_NAME_SIZE 128
bool cuv_passwd_parse(const char *line, uid_t uid, char ret_name[CUV_USER_NAME_SIZE]);

/* Unshares a user namespace for an ordinary user in which he is root, with his
 * subordinate ids from 1 on when there are any. 0, or -errno; 1 when it came to
 * a single id, with the reason in ret_why. */
int cuv_idmap_enter_user(size_t why_size, char *ret_why);

/* Writes text to a file below dirfd in one write(2): 0 or -errno. */
int cuv_write_file_at(int dirfd, const char *path, const char *text);

#endif
