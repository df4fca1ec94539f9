/* SPDX-License-Identifier: MIT */
#include "manager/accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The address that stands for a Unix socket. */
#define NOBODY "0.0.0.0"

static void name_by_descriptor(int fd, struct sockaddr *addr, socklen_t *len)
{
	const struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)fd)};

	memcpy(addr, &name, sizeof(name));
	*len = sizeof(name);
}

/* By the peer's port: 0 is none, NOT_SURE more than one with the same address, others are
 * the descriptor and one. What is noted may be over: whoever asks looks whether it is. */
#define NOT_SURE (-1)
static atomic_int by_port[UINT16_MAX + 1];

static bool is_peer(int fd, in_port_t port, struct in_addr addr)
{
	struct sockaddr_in peer = {0};
	socklen_t len = sizeof(peer);

	return getpeername(fd, (struct sockaddr *)&peer, &len) == 0 && peer.sin_family == AF_INET &&
	       peer.sin_port == port && peer.sin_addr.s_addr == addr.s_addr;
}

static void note(int fd, const struct sockaddr_in *peer)
{
	atomic_int *noted = &by_port[ntohs(peer->sin_port)];
	const int before = atomic_load(noted);
	const bool twice = before > 0 && before != fd + 1 && is_peer(before - 1, peer->sin_port, peer->sin_addr);

	atomic_store(noted, before == NOT_SURE || twice ? NOT_SURE : fd + 1);
}

int cuv_accept_find(const struct mg_request_info *info)
{
	struct in_addr addr;
	int fd;

	if (info->remote_port < 0 || info->remote_port > UINT16_MAX ||
	    inet_pton(AF_INET, info->remote_addr, &addr) != 1)
		return -EINVAL;
	fd = atomic_load(&by_port[info->remote_port]) - 1;
	return fd >= 0 && is_peer(fd, htons((uint16_t)info->remote_port), addr) ? fd : -ENOENT;
}

/* In the place of the C library's, for civetweb, which passes room for any address. */
int cuv_accept_for_civetweb(int listener, struct sockaddr *addr, socklen_t *len) __asm__("accept");
int cuv_accept_for_civetweb(int listener, struct sockaddr *addr, socklen_t *len)
{
	const socklen_t room = addr && len ? *len : 0;
	const int on = 1, fd = accept4(listener, addr, len, SOCK_CLOEXEC);

	if (fd < 0 || room < sizeof(struct sockaddr_in))
		return fd;
	if (addr->sa_family == AF_UNIX) {
		name_by_descriptor(fd, addr, len);
		return fd;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (addr->sa_family == AF_INET) {
		struct sockaddr_in peer;

		memcpy(&peer, addr, sizeof(peer));
		note(fd, &peer);
	}
	return fd;
}

static bool listens_on(int fd, uint16_t port)
{
	struct sockaddr_in name = {0};
	socklen_t name_len = sizeof(name), len = sizeof(int);
	int listens = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens &&
	       getsockname(fd, (struct sockaddr *)&name, &name_len) == 0 && name.sin_family == AF_INET &&
	       ntohs(name.sin_port) == port && name.sin_addr.s_addr == htonl(INADDR_LOOPBACK);
}

int cuv_accept_replace(uint16_t port, int unix_fd, int fd_max, struct cuv_error *err)
{
	for (int fd = 3; fd < fd_max; fd++)
		if (listens_on(fd, port))
			return dup3(unix_fd, fd, O_CLOEXEC) >= 0
				       ? 0
				       : cuv_error_set(err, CUV_E_UNAVAILABLE, "the Unix socket can't be used: %s",
						       strerror(errno));
	return cuv_error_set(err, CUV_E_UNAVAILABLE, "the Unix socket has no place");
}

bool cuv_accept_is_unix(const struct mg_request_info *info, int *ret_fd)
{
	struct sockaddr name = {0};
	socklen_t len = sizeof(name);

	if (strcmp(info->remote_addr, NOBODY) != 0)
		return false;
	*ret_fd = info->remote_port;
	return getsockname(*ret_fd, &name, &len) == 0 && name.sa_family == AF_UNIX;
}
