/* SPDX-License-Identifier: MIT */
/* Giving up what a process may do. Every step is for ever. */
#ifndef CUV_LAUNCHER_PRIVILEGES_H
#define CUV_LAUNCHER_PRIVILEGES_H

#include "lib/base/base.h"

/* Closes the ways by which capabilities could come back: bounding set empty,
 * securebits locked, no_new_privs. Those held now stay; CAP_SETPCAP must be one of
 * them. 0 or -errno. */
int cuv_privileges_lock(void);
/* No capability in any set. 0 or -errno. */
int cuv_privileges_drop_all(void);
/* Keeps CAP_KILL alone, without which a keeper could not end its box. */
int cuv_privileges_keep_kill(void);
/* True when the calling process has no capability and can't get one. */
bool cuv_privileges_are_none(void);
/* Closes all descriptors from 3 on but these; sorts keep. Entries may be -1. */
int cuv_close_others(int *keep, size_t n);

/* The rights of a box maker and of a zygote in their own user namespace: what it
 * takes to make boxes, and to fork into them. A zygote's survive its exec; call it
 * instead of cuv_privileges_lock. 0 or -errno. */
int cuv_privileges_keep_maker(void);
int cuv_privileges_keep_zygote(void);
#endif
