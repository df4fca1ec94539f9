/* SPDX-License-Identifier: MIT */
/*
 * Network namespaces with nothing in them but `lo`, which is up: programs that
 * talk to themselves over 127.0.0.1 work, and there is nobody else to talk to.
 *
 * Making one is the dearest step of a box, so a slot keeps its own. It is used
 * again only when it is shown to be as new: no socket is left, and no counter
 * that a program can read differs from those of a new one. Any packet over the
 * loopback changes a counter, so what TCP may have left waiting is covered.
 */
#ifndef CUV_LAUNCHER_NETNS_H
#define CUV_LAUNCHER_NETNS_H

#include "lib/base/buf.h"

/* What a program could read in a namespace; equal text is a namespace as new. */
#define CUV_NETNS_PRINT_MAX 32768

/* Makes one and returns a descriptor of it; the caller comes back to where it
 * was. proc_fd is /proc of the caller's pid namespace; print, which may be NULL,
 * gets what can be read in the new one. -errno on failure. */
int cuv_netns_new(int proc_fd, struct cuv_buf *print);
/* Reads the calling thread's namespace into b. 0 or -errno. */
int cuv_netns_print(int proc_fd, struct cuv_buf *b);
/* True when /proc/net/sockstat says that no socket is left. */
bool cuv_netns_no_sockets(const char *sockstat);

#endif
