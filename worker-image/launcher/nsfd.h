/* SPDX-License-Identifier: MIT */
/* Descriptors of a process's namespaces. */
#ifndef CUV_LAUNCHER_NSFD_H
#define CUV_LAUNCHER_NSFD_H

#include <sys/types.h>

/* The namespace of the kind (one CLONE_NEW flag) that the process of the pidfd is in. By
 * the pidfd itself where the kernel can (Linux 6.11): looking it up in /proc makes
 * entries there, which cost more than all else and go again with the process. Otherwise
 * in proc_fd, by its pid there; with pid 0 the caller's own, in /proc. -ESRCH when it has died,
 * or -errno. */
int cuv_nsfd_open(int pidfd, int kind, int proc_fd, pid_t pid);

#endif
