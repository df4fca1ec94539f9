/* SPDX-License-Identifier: MIT */
/*
 * This program again, in a child that reads what may be hostile: in a root of its own
 * with the system's libraries and one folder (seal.h), without a network, under
 * Landlock and limits. For a worker, which has a user namespace of its own.
 */
#ifndef CUV_BUILDER_SEALED_H
#define CUV_BUILDER_SEALED_H

#include "lib/base/child.h"

/* All borrowed. */
struct cuv_sealed {
	const char *work;	     /* a folder of the caller's, for the copy and the root */
	const char *folder;	     /* what the child sees, may change, and begins in */
	const struct cuv_strv *argv; /* argv[0] is the program's name */
	int stdin_fd;		     /* -1: /dev/null */
	struct cuv_child_limits limits;
	size_t stderr_max;
	uint64_t deadline_ns;
	int cancel_fd;
	bool landlock;
};

/* 0 when it was executed (look at ret->end); -errno. */
int cuv_sealed_run(const struct cuv_sealed *s, struct cuv_child_result *ret);

#endif
