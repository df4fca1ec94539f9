/* SPDX-License-Identifier: MIT */
/*
 * The namespaces that belong to a slot rather than to one box, because making
 * them is dear and they can be shown to be as new: network, System V IPC (all of
 * whose calls the filter denies) and the host name.
 *
 * The network has nothing but `lo`, which is up: programs that talk to
 * themselves over 127.0.0.1 work, and there is nobody else to talk to. It is used
 * again only when it is shown to be as new: no socket is left, no flow label, and no counter
 * that a program can read differs from those of a new one. Any packet over the
 * loopback changes a counter, so what TCP may have left waiting is covered.
 * tests/sandbox/test_network_traces.py reads all files of a network before and after.
 */
#ifndef CUV_LAUNCHER_SLOTNS_H
#define CUV_LAUNCHER_SLOTNS_H

#include "lib/base/buf.h"

#define CUV_BOX_HOST_NAME "cuvette"
/* What a program could read of a network namespace; equal text is one as new. */
#define CUV_NET_PRINT_MAX 32768

struct cuv_slotns {
	int net; /* descriptors of the namespaces; -1: none */
	int ipc;
	int uts;
};
#define CUV_SLOTNS_INIT ((struct cuv_slotns){-1, -1, -1})

/* Makes new ones; the caller comes back to where it was. proc_fd is /proc of the
 * caller's pid namespace; print, which may be NULL, gets what can be read in the
 * new network namespace. 0 or -errno. */
int cuv_slotns_make(int proc_fd, struct cuv_slotns *ret, struct cuv_buf *print);
/* The same, and the caller stays in them. */
int cuv_slotns_unshare(int proc_fd, struct cuv_slotns *ret, struct cuv_buf *print);
void cuv_slotns_done(struct cuv_slotns *s);
/* Moves the calling process into them for good. 0 or -errno. */
int cuv_slotns_enter(const struct cuv_slotns *s);

/* Reads the calling thread's network namespace into b. 0 or -errno. */
int cuv_net_print(int proc_fd, struct cuv_buf *b);
/* The same, for the boxes of one zygote: sockets and traffic only, from files that
 * stay open, whoever's network the reader is in. What is left out are counters of
 * attempts that sent nothing, and reading them takes longer than all the rest of
 * making such a box. */
struct cuv_net_files {
	int sockstat;
	int dev;
	int labels; /* -1: a kernel without IPv6 */
};
#define CUV_NET_FILES_INIT ((struct cuv_net_files){-1, -1, -1})
/* Opens those of the calling thread's network namespace. 0 or -errno. */
int cuv_net_files_open(int proc_fd, struct cuv_net_files *ret);
void cuv_net_files_done(struct cuv_net_files *f);
int cuv_net_files_print(const struct cuv_net_files *f, struct cuv_buf *b);
/* True when /proc/net/sockstat says that no socket is left. */
bool cuv_net_no_sockets(const char *sockstat);

#endif
