/* SPDX-License-Identifier: MIT */
/* Messages of a fixed size with descriptors, over a SOCK_SEQPACKET socket: what
 * keepers, box makers, inits and zygotes say to each other. */
#ifndef CUV_LAUNCHER_FDMSG_H
#define CUV_LAUNCHER_FDMSG_H

#include "lib/base/base.h"

#include <sys/socket.h>
#include <sys/types.h>

#define CUV_FDMSG_FDS_MAX 16

/* Sends it with n descriptors (borrowed). 0 or -errno; never raises SIGPIPE. */
int cuv_fdmsg_send(int sock, const void *data, size_t len, const int *fds, size_t n, int flags);

struct cuv_fdmsg {
	int fds[CUV_FDMSG_FDS_MAX]; /* owned by the receiver; CLOEXEC */
	size_t n;
	struct ucred from; /* pid 0 unless the socket has SO_PASSCRED */
};

/* Receives one of exactly len bytes with at most max descriptors. 0; 1 when the
 * other side has closed; -EAGAIN; -EBADMSG for any other message, whose
 * descriptors are closed; other -errno. */
int cuv_fdmsg_recv(int sock, void *data, size_t len, size_t max, struct cuv_fdmsg *ret, int flags);
/* Closes what was not taken (set to -1). */
void cuv_fdmsg_done(struct cuv_fdmsg *m);

#endif
