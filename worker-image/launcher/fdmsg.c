/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/fdmsg.h"

#include "lib/base/fd.h"
#include "lib/base/sys.h"

#include <errno.h>
#include <string.h>

int cuv_fdmsg_send(int sock, const void *data, size_t len, const int *fds, size_t n, int flags)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * CUV_FDMSG_FDS_MAX)];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	long r;

	cuv_assert(n <= CUV_FDMSG_FDS_MAX);
	if (n > 0) {
		struct cmsghdr *c;

		m.msg_control = control.space;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	}
	do
		r = cuv_sys(SYS_sendmsg, sock, &m, MSG_NOSIGNAL | flags);
	while (r == -EINTR);
	return r < 0 ? (int)r : 0;
}

void cuv_fdmsg_done(struct cuv_fdmsg *m)
{
	while (m->n > 0)
		cuv_close(m->fds[--m->n]);
}

static void take_control(struct msghdr *h, struct cuv_fdmsg *ret)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len == CMSG_LEN(sizeof(ret->from))) {
			memcpy(&ret->from, CMSG_DATA(c), sizeof(ret->from));
		} else if (c->cmsg_type == SCM_RIGHTS) {
			const size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			size_t i;

			/* Without credentials there is space for more. */
			for (i = 0; i < n; i++) {
				int fd;

				memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
				if (ret->n < CUV_FDMSG_FDS_MAX) {
					ret->fds[ret->n++] = fd;
				} else {
					cuv_close(fd);
					h->msg_flags |= MSG_CTRUNC;
				}
			}
		}
	}
}

int cuv_fdmsg_recv(int sock, void *data, size_t len, size_t max, struct cuv_fdmsg *ret, int flags)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * CUV_FDMSG_FDS_MAX) + CMSG_SPACE(sizeof(struct ucred))];
	} control = {0};
	struct iovec iov = {.iov_base = data, .iov_len = len};
	struct msghdr h = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof(control)};
	struct cuv_fdmsg m = {0};
	long n;

	do
		n = cuv_sys(SYS_recvmsg, sock, &h, MSG_CMSG_CLOEXEC | flags);
	while (n == -EINTR);
	if (n < 0)
		return (int)n;
	take_control(&h, &m);
	if (n == 0 && m.n == 0)
		return 1;
	if ((size_t)n != len || (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || m.n > max) {
		cuv_fdmsg_done(&m);
		return -EBADMSG;
	}
	*ret = m;
	return 0;
}
