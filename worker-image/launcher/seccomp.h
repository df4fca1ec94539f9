/* SPDX-License-Identifier: MIT */
/*
 * The system call filter of a run: what is listed is allowed, everything else is
 * not. Three lists, and every call number up to the last one known when they
 * were written is in exactly one of them (a unit test counts):
 *
 *   seccomp_allowed.c  calls that a program needs, by what it needs them for
 *   seccomp_checked.c  calls that are allowed but for some arguments
 *   seccomp_denied.c   calls that are denied, each with its errno and its reason
 *
 * Numbers in none of them (gaps, and calls of later kernels) fail with ENOSYS,
 * which is what an older kernel says; a foreign architecture's calls kill.
 *
 * The programs are built once when the launcher starts; each run only loads one:
 * a search tree over ranges of numbers, so that the kernel has little to check
 * and compile at each load. Plain allowed calls never reach it: the kernel finds
 * out at load time that the answer depends on nothing else, and keeps a bitmap.
 */
#ifndef CUV_LAUNCHER_SECCOMP_H
#define CUV_LAUNCHER_SECCOMP_H

#include "lib/base/error.h"

#include <linux/filter.h>

/* The highest call number the lists were written for. */
#define CUV_SECCOMP_KNOWN_MAX 469

/* One call of the lists of allowed and of denied ones. */
struct cuv_seccomp_call {
	int nr;
	const char *name;
	int error;   /* errno of a denied one; 0 says "done" and does nothing */
	bool zygote; /* denied to runs, and allowed to zygotes, which need it to make them */
	const char *why;
};

/* The lists; borrowed, static. */
const struct cuv_seccomp_call *cuv_seccomp_allowed(size_t *ret_n);
const struct cuv_seccomp_call *cuv_seccomp_denied(size_t *ret_n);

/* A comparison of one argument. Arguments are 64 bits wide, and the kernel looks
 * at the lower 32 of most; IS_NOT takes odd upper bits for another value. */
enum cuv_seccomp_op {
	CUV_ARG_END,
	CUV_ARG_LOW_IS,	      /* lower half == value */
	CUV_ARG_LOW_HAS,      /* lower half has any bit of value */
	CUV_ARG_LOW_BITS_NOT, /* (lower half & mask) != value */
	CUV_ARG_IS_NOT,	      /* all of it != value */
};

#define CUV_SECCOMP_ARGS_MAX 4

/* A rule: where all comparisons hold the call is denied. The rules of one call
 * stand together and are tried in order; it is allowed where none holds. */
struct cuv_seccomp_check {
	int nr;
	const char *name;
	int error;   /* as above */
	bool zygote; /* not a rule for zygotes */
	const char *why;
	struct {
		enum cuv_seccomp_op op;
		uint8_t arg;
		uint32_t value, mask;
	} when[CUV_SECCOMP_ARGS_MAX];
};

const struct cuv_seccomp_check *cuv_seccomp_checks(size_t *ret_n);

struct cuv_seccomp {
	struct sock_filter *filter; /* owned */
	uint16_t n;
};
#define CUV_SECCOMP_INIT ((struct cuv_seccomp){0})

/* Builds the run's program; 0, or -errno with err set. */
int cuv_seccomp_build(struct cuv_seccomp *ret, struct cuv_error *err);
/* The zygote's: the run's lists, without what is marked .zygote. A run of a zygote
 * has it too, and seccomp_delta.h on top. */
int cuv_seccomp_build_zygote(struct cuv_seccomp *ret, struct cuv_error *err);
void cuv_seccomp_done(struct cuv_seccomp *s);

/* Puts the calling thread (and what it forks or executes) under the filter for
 * ever; no_new_privs must be set. 0 or -errno. */
int cuv_seccomp_load(const struct cuv_seccomp *s);

#endif
