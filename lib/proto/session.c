/* SPDX-License-Identifier: MIT */
#include "lib/proto/session.h"

#include "lib/base/fd.h"
#include "lib/proto/messages.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SESSION_BACKLOG 256

int cuv_session_open(int control)
{
	return cuv_session_open_with(control, NULL, NULL, 0);
}

int cuv_session_open_with(int control, struct cuv_writer *first, const int *fds, size_t n_fds)
{
	int pair[2], r = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	if (first)
		r = cuv_writer_send(first, pair[0], fds, n_fds);
	if (r == 0)
		r = cuv_msg_send_plain(control, CUV_MSG_SESSION_OPEN, &pair[1], 1);
	cuv_close(pair[1]);
	if (r < 0) {
		cuv_close(pair[0]);
		return r;
	}
	return pair[0];
}

static int unix_address(const char *path, struct sockaddr_un *ret)
{
	size_t len = strlen(path);

	if (len >= sizeof(ret->sun_path))
		return -ENAMETOOLONG;
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(ret->sun_path, path, len + 1);
	return 0;
}

int cuv_session_connect(const char *path)
{
	struct sockaddr_un addr;
	_cleanup_close_ int fd = -1;
	int r = unix_address(path, &addr);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int cuv_session_listen(const char *path)
{
	struct sockaddr_un addr;
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r = unix_address(path, &addr);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		(void)unlink(path);
	/* Before bind: the socket never exists with a wider mode. */
	if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	if (listen(fd, SESSION_BACKLOG) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int cuv_session_accept(int listener, unsigned allowed_uid)
{
	_cleanup_close_ int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (fd < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	if (peer.uid != 0 && peer.uid != allowed_uid)
		return -EPERM;
	return TAKE_FD(fd);
}
