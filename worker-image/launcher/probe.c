/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/probe.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/landlock.h"
#include "worker-image/launcher/layers.h"
#include "worker-image/launcher/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MS 60000

static bool fails_with(long r, int error)
{
	return r < 0 && errno == error;
}

static bool namespaces_hold(void)
{
	char name[IF_NAMESIZE], host[16] = "";

	return getpid() == 2 && gethostname(host, sizeof(host)) == 0 && strcmp(host, CUV_BOX_HOST_NAME) == 0 &&
	       if_indextoname(1, name) && strcmp(name, "lo") == 0 && !if_indextoname(2, name);
}

static bool root_holds(void)
{
	return fails_with(open("/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600), EROFS) &&
	       fails_with(open("/dev/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600), EROFS) &&
	       fails_with(access("/store", F_OK), ENOENT) && fails_with(access("/mnt", F_OK), ENOENT) &&
	       fails_with(access("/sys", F_OK), ENOENT);
}

static bool proc_holds(void)
{
	return access("/proc/self/status", R_OK) == 0 && fails_with(access("/proc/1", F_OK), ENOENT) &&
	       fails_with(access("/proc/sys", F_OK), ENOENT);
}

static bool privileges_hold(void)
{
	return cuv_privileges_are_none() && getuid() == CUV_BOX_INNER_UID && getgid() == CUV_BOX_INNER_UID &&
	       setuid(0) < 0 && getgroups(0, NULL) <= 1;
}

static bool filter_holds(void)
{
	return prctl(PR_GET_SECCOMP) == 2 && fails_with(unshare(CLONE_NEWUSER), EPERM) &&
	       fails_with(mount("none", "/tmp", "tmpfs", 0, NULL), EPERM) &&
	       fails_with(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0), EOPNOTSUPP);
}

int cuv_probe_inside(const struct cuv_box *box)
{
	if (!namespaces_hold())
		return CUV_LAYER_NAMESPACES + 1;
	if (!root_holds())
		return CUV_LAYER_ROOT + 1;
	if (box->host->proc_works && !proc_holds())
		return CUV_LAYER_PROC + 1;
	if (!privileges_hold())
		return CUV_LAYER_PRIVILEGES + 1;
	if (!filter_holds())
		return CUV_LAYER_SECCOMP + 1;
	return 0;
}

/* What the keeper said went wrong; the last frame before it closes. */
static void read_failure(int session, struct cuv_error *ret)
{
	uint64_t deadline = cuv_deadline_ms(ANSWER_MS);

	for (;;) {
		_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;

		if (cuv_frame_recv_until(session, deadline, &f) != 0)
			return;
		if (f.type == CUV_MSG_FAILURE)
			(void)cuv_failure_get(&f.body, ret);
	}
}

/* One box. -1 when all holds, else the layer, with the reason. */
static int probe_once(struct cuv_seat *seat, struct cuv_task *task, struct cuv_error *ret_why)
{
	_cleanup_close_ int session = -1, orders = -1;
	int pair[2], order[2], status = -1;
	pid_t keeper, self = getpid();

	cuv_error_set(ret_why, CUV_E_INTERNAL, "a box made as a test does not hold");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, order) < 0)
		return CUV_LAYER_NAMESPACES;
	session = pair[0];
	orders = order[0];
	seat->orders = order[1];
	keeper = fork();
	if (keeper == 0)
		cuv_keeper_main(seat, self);
	cuv_close(order[1]);
	task->session = pair[1];
	if (cuv_task_send(task, orders) < 0)
		orders = cuv_close(orders); /* the keeper would wait for it */
	cuv_close(pair[1]);
	read_failure(session, ret_why);
	while (keeper > 0 && waitpid(keeper, &status, 0) < 0 && errno == EINTR)
		;
	if (keeper > 0 && WIFEXITED(status) && WEXITSTATUS(status) == CUV_KEEPER_CLEAN)
		return -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) >= CUV_KEEPER_PROBE_FAILED &&
	    WEXITSTATUS(status) < CUV_KEEPER_PROBE_FAILED + _CUV_LAYER_MAX)
		return WEXITSTATUS(status) - CUV_KEEPER_PROBE_FAILED;
	return CUV_LAYER_NAMESPACES;
}

static void probe_box(struct cuv_host *host, const struct cuv_cgroups *cgroups, struct cuv_layers *l)
{
	_cleanup_buf_ struct cuv_buf print = CUV_BUF_INIT(CUV_NET_PRINT_MAX);
	_cleanup_(cuv_slotns_done) struct cuv_slotns ns = CUV_SLOTNS_INIT;
	_cleanup_close_ int in = cuv_memfd("stdin", "", 0);
	struct cuv_seat seat = CUV_SEAT_INIT;
	struct cuv_task task = {.fds = {in}, .n_fds = 1, .session = -1};
	struct cuv_error why;
	int layer;

	if (in < 0 || cuv_slotns_make(host->proc_fd, &ns, &print) < 0) {
		cuv_layers_missing(l, CUV_LAYER_NAMESPACES, "no network, IPC or host name namespace can be made");
		return;
	}
	snprintf(task.run.run_id, sizeof(task.run.run_id), "probe");
	/* Never opened; the message wants one, and a program. */
	snprintf(task.run.image, sizeof(task.run.image), "%s-probe", "00000000000000000000000000000000");
	if (cuv_strv_add(&task.run.argv, "/probe") < 0)
		return;
	cuv_limits_default(&task.run.limits);
	seat.host = host;
	seat.cgroups = cgroups;
	seat.probe = true;
	seat.ns = ns;
	seat.net_print = cuv_buf_str(&print);
	host->proc_works = true;
	layer = probe_once(&seat, &task, &why);
	if (layer == CUV_LAYER_PROC) {
		cuv_layers_missing(l, CUV_LAYER_PROC,
				   "a box can't mount /proc; in a container, leave its /proc unmasked");
		host->proc_works = false;
		layer = probe_once(&seat, &task, &why);
	}
	if (layer >= 0)
		cuv_layers_missing(l, (enum cuv_layer)layer, why.message);
	cuv_run_done(&task.run);
}

void cuv_probe(struct cuv_host *host, const struct cuv_cgroups *cgroups, struct cuv_layers *ret)
{
	static const struct {
		enum cuv_layer layer;
		unsigned controllers;
	} groups[] = {{CUV_LAYER_CGROUP_MEMORY, CUV_CG_MEMORY},
		      {CUV_LAYER_CGROUP_PIDS, CUV_CG_PIDS},
		      {CUV_LAYER_CGROUP_CPU, CUV_CG_CPU | CUV_CG_CPUACCT}};
	size_t i;

	cuv_layers_init(ret);
	if (!host->many_ids)
		cuv_layers_missing(ret, CUV_LAYER_UID, host->many_ids_why);
	for (i = 0; i < ARRAY_SIZE(groups); i++)
		if ((cgroups->controllers & groups[i].controllers) != groups[i].controllers)
			cuv_layers_missing(ret, groups[i].layer, cgroups->why);
	if (cuv_landlock_abi() < 1)
		cuv_layers_missing(ret, CUV_LAYER_LANDLOCK, "this kernel has no Landlock, or it is not enabled (lsm=)");
	probe_box(host, cgroups, ret);
}
