/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/netns.h"

#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int loopback_up(void)
{
	_cleanup_close_ int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

	if (sock < 0 || ioctl(sock, SIOCSIFFLAGS, &ifr) < 0)
		return -errno;
	return 0;
}

int cuv_netns_new(int proc_fd, struct cuv_buf *print)
{
	_cleanup_close_ int home = openat(proc_fd, "thread-self/ns/net", O_RDONLY | O_CLOEXEC), fresh = -1;
	int r;

	if (home < 0 || unshare(CLONE_NEWNET) < 0)
		return -errno;
	r = loopback_up();
	if (r == 0 && print)
		r = cuv_netns_print(proc_fd, print);
	fresh = openat(proc_fd, "thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (r == 0 && fresh < 0)
		r = -errno;
	if (setns(home, CLONE_NEWNET) < 0)
		r = r < 0 ? r : -errno;
	return r < 0 ? r : TAKE_FD(fresh);
}

bool cuv_netns_no_sockets(const char *sockstat)
{
	return strncmp(sockstat, "sockets: used 0\n", strlen("sockets: used 0\n")) == 0;
}

int cuv_netns_print(int proc_fd, struct cuv_buf *b)
{
	/* sockstat's other lines count the whole machine */
	static const char *const files[] = {"thread-self/net/dev", "thread-self/net/snmp", "thread-self/net/netstat",
					    "thread-self/net/unix"};
	_cleanup_buf_ struct cuv_buf sockstat = CUV_BUF_INIT(CUV_NETNS_PRINT_MAX);
	size_t i;
	int r = cuv_read_file(proc_fd, "thread-self/net/sockstat", &sockstat);

	if (r == 0)
		r = cuv_buf_add_str(b, cuv_netns_no_sockets(cuv_buf_str(&sockstat)) ? "no sockets\n" : "sockets\n");
	for (i = 0; r == 0 && i < ARRAY_SIZE(files); i++)
		r = cuv_read_file(proc_fd, files[i], b);
	return r;
}
