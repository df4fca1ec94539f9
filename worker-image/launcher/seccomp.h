/* SPDX-License-Identifier: MIT */
/*
 * The system call filter of a run: everything is allowed except what one table
 * denies, each entry with its reason, and a few calls that are denied by their
 * arguments. Calls newer than the table was written for fail with ENOSYS, and
 * other architectures' calls kill the process.
 *
 * The program is built once when the launcher starts; each run only loads it.
 */
#ifndef CUV_LAUNCHER_SECCOMP_H
#define CUV_LAUNCHER_SECCOMP_H

#include "lib/base/error.h"

#include <linux/filter.h>

/* One denied call: the error a program sees, and why it is denied. */
struct cuv_seccomp_denied {
	int nr;
	const char *name;
	int error; /* errno */
	const char *why;
};

/* The table; borrowed, static. */
const struct cuv_seccomp_denied *cuv_seccomp_table(size_t *ret_n);

/* The highest call number the table was written for. */
#define CUV_SECCOMP_KNOWN_MAX 469

struct cuv_seccomp {
	struct sock_filter *filter; /* owned */
	uint16_t n;
};
#define CUV_SECCOMP_INIT ((struct cuv_seccomp){0})

/* Builds the program; 0, or -errno with err set. */
int cuv_seccomp_build(struct cuv_seccomp *ret, struct cuv_error *err);
void cuv_seccomp_done(struct cuv_seccomp *s);

/* Puts the calling thread (and what it forks or executes) under the filter for
 * ever; no_new_privs must be set. 0 or -errno. */
int cuv_seccomp_load(const struct cuv_seccomp *s);

#endif
