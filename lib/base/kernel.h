/* SPDX-License-Identifier: MIT */
/*
 * What we ask of the kernel beyond the ordinary. All of it is in Linux 5.12, so
 * what is missing is mostly missing by a container's profile; then the service
 * says which call and does not start, since a box without it would lack a wall.
 */
#ifndef CUV_KERNEL_H
#define CUV_KERNEL_H

#include "lib/base/error.h"

#include <sys/types.h>

/* 0, or -ENOSYS with err naming every call that is missing. */
int cuv_kernel_check(struct cuv_error *err);

/* fork() into the new namespaces of flags, with a pidfd of the child; 0 in the
 * child, its pid in the caller, -errno. By the old clone: some profiles know
 * nothing else, and nothing here needs clone3. */
pid_t cuv_kernel_clone(unsigned long flags, int *ret_pidfd);

/* The same for a child that shares the caller's memory, at the same time, and executes main(order) on
 * the stack of size bytes that begins there: what it calls may use no errno (sys.h), no allocation,
 * no variable. main must not return. The stack is free when the child has been waited for.
 * Copying the memory is most of what a small process costs. Returns its pid or -errno. */
pid_t cuv_kernel_clone_sharing(unsigned long flags, char *stack, size_t size, int (*main)(void *), void *order,
			       int *ret_pidfd);

/* CPUs that are online; asked once, since each question opens two files. At least 1. */
unsigned cuv_kernel_cpus(void);

#endif
