/* SPDX-License-Identifier: MIT */
/*
 * What a zygote may do and a run may not, denied in a few instructions. A zygote
 * is under a filter of its own (cuv_seccomp_build_zygote): the run's, but for the
 * calls by which a child enters its box. The child inherits that and loads this
 * on top as its last step, and both together are the run's filter exactly.
 *
 * Needs no library and no table, because the zygote's program compiles it in.
 */
#ifndef CUV_LAUNCHER_SECCOMP_DELTA_H
#define CUV_LAUNCHER_SECCOMP_DELTA_H

#include <linux/filter.h>
#include <stddef.h>

/* The program; borrowed, static. */
const struct sock_filter *cuv_seccomp_delta(size_t *ret_n);

/* Puts the calling thread (and what it forks or executes) under it for ever;
 * no_new_privs must be set. 0 or -errno. */
int cuv_seccomp_load_delta(void);

#endif
