/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/slotns.h"

#include "lib/base/fd.h"
#include "lib/base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define KINDS (CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

void cuv_slotns_done(struct cuv_slotns *s)
{
	cuv_close(s->net);
	cuv_close(s->ipc);
	cuv_close(s->uts);
	*s = CUV_SLOTNS_INIT;
}

static int open_own(int proc_fd, struct cuv_slotns *ret)
{
	*ret = (struct cuv_slotns){
		.net = openat(proc_fd, "thread-self/ns/net", O_RDONLY | O_CLOEXEC),
		.ipc = openat(proc_fd, "thread-self/ns/ipc", O_RDONLY | O_CLOEXEC),
		.uts = openat(proc_fd, "thread-self/ns/uts", O_RDONLY | O_CLOEXEC),
	};
	return ret->net < 0 || ret->ipc < 0 || ret->uts < 0 ? -errno : 0;
}

int cuv_slotns_enter(const struct cuv_slotns *s)
{
	int r = (int)cuv_sys(SYS_setns, s->net, CLONE_NEWNET);

	if (r == 0)
		r = (int)cuv_sys(SYS_setns, s->ipc, CLONE_NEWIPC);
	return r < 0 ? r : (int)cuv_sys(SYS_setns, s->uts, CLONE_NEWUTS);
}

static int loopback_up(void)
{
	_cleanup_close_ int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

	if (sock < 0 || ioctl(sock, SIOCSIFFLAGS, &ifr) < 0)
		return -errno;
	return 0;
}

/* In the new namespaces. */
static int set_up(int proc_fd, struct cuv_slotns *ret, struct cuv_buf *print)
{
	int r = loopback_up();

	if (r == 0 && sethostname(CUV_BOX_HOST_NAME, strlen(CUV_BOX_HOST_NAME)) < 0)
		r = -errno;
	if (r == 0 && print)
		r = cuv_net_print(proc_fd, print);
	return r == 0 ? open_own(proc_fd, ret) : r;
}

int cuv_slotns_unshare(int proc_fd, struct cuv_slotns *ret, struct cuv_buf *print)
{
	struct cuv_slotns fresh = CUV_SLOTNS_INIT;
	int r = unshare(KINDS) < 0 ? -errno : set_up(proc_fd, &fresh, print);

	if (r < 0)
		cuv_slotns_done(&fresh);
	else
		*ret = fresh;
	return r;
}

int cuv_slotns_make(int proc_fd, struct cuv_slotns *ret, struct cuv_buf *print)
{
	struct cuv_slotns home = CUV_SLOTNS_INIT, fresh = CUV_SLOTNS_INIT;
	int r = open_own(proc_fd, &home), back;

	if (r == 0) {
		r = cuv_slotns_unshare(proc_fd, &fresh, print);
		back = cuv_slotns_enter(&home);
		r = r < 0 ? r : back;
	}
	cuv_slotns_done(&home);
	if (r < 0)
		cuv_slotns_done(&fresh);
	else
		*ret = fresh;
	return r;
}

bool cuv_net_no_sockets(const char *sockstat)
{
	return strncmp(sockstat, "sockets: used 0\n", strlen("sockets: used 0\n")) == 0;
}

/* sockstat's other lines count the whole machine */
static int print_sockets(const struct cuv_buf *sockstat, struct cuv_buf *b)
{
	return cuv_buf_add_str(b, cuv_net_no_sockets(cuv_buf_str(sockstat)) ? "no sockets\n" : "sockets\n");
}

int cuv_net_print(int proc_fd, struct cuv_buf *b)
{
	static const char *const files[] = {"thread-self/net/dev", "thread-self/net/snmp", "thread-self/net/netstat",
					    "thread-self/net/unix"};
	static const char *const of_v6[] = {"thread-self/net/snmp6", "thread-self/net/ip6_flowlabel"};
	_cleanup_buf_ struct cuv_buf sockstat = CUV_BUF_INIT(CUV_NET_PRINT_MAX);
	size_t i;
	int r = cuv_read_file(proc_fd, "thread-self/net/sockstat", &sockstat);

	if (r == 0)
		r = print_sockets(&sockstat, b);
	for (i = 0; r == 0 && i < ARRAY_SIZE(files); i++)
		r = cuv_read_file(proc_fd, files[i], b);
	for (i = 0; r == 0 && i < ARRAY_SIZE(of_v6); i++) {
		r = cuv_read_file(proc_fd, of_v6[i], b);
		r = r == -ENOENT ? 0 : r; /* a kernel without IPv6 */
	}
	return r;
}

int cuv_net_files_open(int proc_fd, struct cuv_net_files *ret)
{
	struct cuv_net_files f = {
		.sockstat = openat(proc_fd, "thread-self/net/sockstat", O_RDONLY | O_CLOEXEC),
		.dev = openat(proc_fd, "thread-self/net/dev", O_RDONLY | O_CLOEXEC),
		.labels = openat(proc_fd, "thread-self/net/ip6_flowlabel", O_RDONLY | O_CLOEXEC),
	};

	/* Without IPv6 there are no labels. */
	if (f.sockstat < 0 || f.dev < 0 || (f.labels < 0 && errno != ENOENT)) {
		int r = -errno;

		cuv_net_files_done(&f);
		return r;
	}
	*ret = f;
	return 0;
}

void cuv_net_files_done(struct cuv_net_files *f)
{
	cuv_close(f->sockstat);
	cuv_close(f->dev);
	cuv_close(f->labels);
	*f = CUV_NET_FILES_INIT;
}

int cuv_net_files_print(const struct cuv_net_files *f, struct cuv_buf *b)
{
	_cleanup_buf_ struct cuv_buf sockstat = CUV_BUF_INIT(CUV_NET_PRINT_MAX);
	int r = cuv_pread_all(f->sockstat, &sockstat);

	if (r == 0)
		r = print_sockets(&sockstat, b);
	if (r == 0)
		r = cuv_pread_all(f->dev, b);
	return r == 0 && f->labels >= 0 ? cuv_pread_all(f->labels, b) : r;
}
