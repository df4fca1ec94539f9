/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/maker_ns.h"

#include "lib/base/fd.h"
#include "worker-image/launcher/fdmsg.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define CGROUP_NS_S 5

int cuv_maker_ns_init(struct cuv_maker_ns *m, int proc)
{
	size_t i;

	*m = (struct cuv_maker_ns){.proc = proc, .home = CUV_SLOTNS_INIT};
	cuv_buf_init(&m->net_print, CUV_NET_PRINT_MAX);
	for (i = 0; i < CUV_MAKER_NS_SLOTS; i++)
		m->cgroup[i].fd = -1;
	return cuv_slotns_unshare(proc, &m->home, NULL);
}

void cuv_maker_ns_keep(struct cuv_maker_ns *m, struct cuv_maker_pooled *p)
{
	_cleanup_buf_ struct cuv_buf print = CUV_BUF_INIT(CUV_NET_PRINT_MAX);

	if (p->ns.net >= 0 && m->n_pool < CUV_MAKER_NS_POOLED && cuv_net_files_print(&p->files, &print) == 0 &&
	    strcmp(cuv_buf_str(&print), cuv_buf_str(&m->net_print)) == 0) {
		m->pool[m->n_pool++] = *p;
	} else {
		cuv_slotns_done(&p->ns);
		cuv_net_files_done(&p->files);
	}
	*p = CUV_MAKER_POOLED_INIT;
}

int cuv_maker_ns_next(struct cuv_maker_ns *m, struct cuv_maker_pooled *ret)
{
	struct cuv_maker_pooled p = CUV_MAKER_POOLED_INIT;
	int r, back;

	if (m->n_pool > 0) {
		*ret = m->pool[--m->n_pool];
		return 0;
	}
	r = cuv_slotns_unshare(m->proc, &p.ns, NULL);
	if (r == 0)
		r = cuv_net_files_open(m->proc, &p.files);
	back = cuv_slotns_enter(&m->home);
	r = r < 0 ? r : back;
	if (r == 0 && m->net_print.len == 0)
		r = cuv_net_files_print(&p.files, &m->net_print);
	if (r < 0) {
		cuv_slotns_done(&p.ns);
		cuv_net_files_done(&p.files);
		return r;
	}
	*ret = p;
	return 0;
}

/* A process for a moment in the slot's cgroup, for a namespace with that as its root. */
_noreturn_ static void cgroup_child(const int *procs, size_t n_procs, int link)
{
	const char done = 1;
	size_t i;
	int fd;

	for (i = 0; i < n_procs; i++)
		if (write(procs[i], "0", 1) < 0)
			_exit(1);
	fd = unshare(CLONE_NEWCGROUP) < 0 ? -1 : open("/proc/self/ns/cgroup", O_RDONLY | O_CLOEXEC);
	_exit(fd < 0 || cuv_fdmsg_send(link, &done, sizeof(done), &fd, 1, 0) < 0);
}

static int make_cgroup_ns(const int *procs, size_t n_procs)
{
	struct timeval limit = {.tv_sec = CGROUP_NS_S};
	struct cuv_fdmsg msg = {0};
	int link[2], r;
	char done;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		cgroup_child(procs, n_procs, link[1]);
	r = pid < 0 ? -errno : 0;
	cuv_close(link[1]);
	if (r == 0 && setsockopt(link[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		r = -errno;
	if (r == 0)
		r = cuv_fdmsg_recv(link[0], &done, sizeof(done), 1, &msg, 0);
	cuv_close(link[0]);
	if (r == 0 && msg.n == 1)
		return msg.fds[0];
	return r < 0 ? r : -ECHILD;
}

/* The slot's, which is the same for all its boxes as long as its cgroup is. */
int cuv_maker_ns_cgroup(struct cuv_maker_ns *m, unsigned slot, const int *procs, size_t n_procs)
{
	struct cuv_maker_cgroup_ns *found = NULL;
	struct stat st = {0};
	size_t i;

	if (n_procs > 0 && fstat(procs[0], &st) < 0)
		return -errno;
	for (i = 0; i < CUV_MAKER_NS_SLOTS; i++) {
		struct cuv_maker_cgroup_ns *c = &m->cgroup[i];

		if (c->fd >= 0 && c->slot == slot) {
			found = c;
			break;
		}
		if (c->fd < 0 && !found)
			found = c;
	}
	if (!found)
		found = &m->cgroup[slot % CUV_MAKER_NS_SLOTS];
	if (found->fd < 0 || found->slot != slot || found->inode != st.st_ino) {
		cuv_close(found->fd);
		*found = (struct cuv_maker_cgroup_ns){
			.fd = make_cgroup_ns(procs, n_procs), .slot = slot, .inode = st.st_ino};
	}
	return found->fd;
}
