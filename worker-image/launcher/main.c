/* SPDX-License-Identifier: MIT */
/*
 * cuvette-launcher: makes boxes and runs programs in them.
 *
 * Theory of operation
 *
 * Processes. The launcher itself accepts sessions, keeps the queue and the
 * slots, and forks one *keeper* for each run. A keeper makes one box, watches it
 * and dies. In the box, pid 1 is *init*, ours and without any right; pid 2 is
 * the program. Each asks the kernel to die with its parent, so the end of any of
 * them, SIGKILL included, is the end of all below it. Nothing that a run says is
 * ever read but the bytes of its output and the way it ended.
 *
 *     launcher ──fork──► keeper ──clone──► init ──fork──► program
 *     (server.c, slots.c) (prepare.c, keeper.c) (init.c)   (program.c)
 *
 * Runs of an environment that is used often are forked from a *zygote*, a program
 * in a box of its own whose init is a *box maker* (zygotes.c, zygote_keeper.c,
 * maker.c). The run's keeper then asks the box maker for a box and a run in it
 * (joined.c), and does all else as for any run.
 *
 * Ids. Started by root, boxes take ids of a range that is ours (lib/base/ids.h),
 * two for each slot: the program's and its init's. Started by an ordinary user,
 * the launcher first becomes root of a user namespace of its own, with the
 * user's subordinate ids where newuidmap gives them.
 *
 * What it sees of the host. Nothing, after start: its root is a small read-only
 * tmpfs with the store bound read-only, and its network namespace is empty
 * (host.c). The cgroups' folders are descriptors opened before. Store paths
 * arrive as names of one component, checked character by character, and are
 * opened beneath the store by openat2 with no link followed.
 *
 * Descriptors. 3 is the control socket to the supervisor, whose end is the
 * launcher's; --control-fd another, to the manager; --listen-fd a listening
 * socket, whose peers must be root or the user that started the service.
 *
 * Messages. In: SESSION_OPEN over a control socket, then on each session one
 * RUN or LAYERS_ASK. Out: RUN_STARTED, RUN_OUTPUT, RUN_RESULT, LAYERS, FAILURE,
 * and READY once on 3. There are no others (lib/proto/messages.h).
 *
 * Start. Each layer is proved by making a box and looking around in it
 * (probe.c). One that is missing and not named by --allow-degraded is a refusal
 * to start, with the reason and what to do, as FAILURE on 3 and on stderr.
 */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/kernel.h"
#include "lib/base/log.h"
#include "worker-image/launcher/dynmods.h"
#include "worker-image/launcher/layers.h"
#include "worker-image/launcher/options.h"
#include "worker-image/launcher/probe.h"
#include "worker-image/launcher/rlimits.h"
#include "worker-image/launcher/server.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTROL_FD 3
#define STOP_WAIT_MS 5000
#define FDS_OWN 256 /* not for the queue: ours, and a few for each slot */
#define FDS_PER_SLOT (6 + CUV_FILES_MAX)

struct launcher {
	struct cuv_launcher_options options;
	struct cuv_host host;
	struct cuv_cgroups cgroups;
	struct cuv_layers layers;
	struct cuv_slots slots;
	struct cuv_shortage shortage;
	struct cuv_server server;
};

/* Standard descriptors must not be something else by accident. */
static int check_std_fds(void)
{
	struct stat st;
	int fd;

	for (fd = 0; fd <= STDERR_FILENO; fd++)
		if (fstat(fd, &st) < 0 && open("/dev/null", O_RDWR) != fd)
			return -EBADF;
	return 0;
}

static bool is_control_socket(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;
}

static int check_sockets(const struct cuv_launcher_options *o, struct cuv_error *err)
{
	const int fds[] = {CONTROL_FD, o->control_fd, o->listen_fd};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		if (fds[i] < 0)
			continue;
		if (!is_control_socket(fds[i]) || cuv_set_cloexec(fds[i], true) < 0 ||
		    cuv_set_nonblock(fds[i], true) < 0)
			return cuv_error_set(err, CUV_E_UNAVAILABLE,
					     "descriptor %d is not a SOCK_SEQPACKET socket; the launcher is started by "
					     "`cuvette serve` or `cuvette run`",
					     fds[i]);
	}
	return 0;
}

/* Queued runs hold descriptors; how many there may be. */
static size_t raise_fd_limit(unsigned boxes)
{
	struct rlimit l;
	size_t own = FDS_OWN + (size_t)boxes * FDS_PER_SLOT + CUV_WAITING_MAX;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return 0;
	l.rlim_cur = l.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &l);
	return l.rlim_cur > own ? (size_t)l.rlim_cur - own : 0;
}

/* Boxes that wait half made: as many as can be started at once, and a little for
 * the time in which the next are made. */
static unsigned standby_of(unsigned boxes)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return CUV_MIN(boxes, (unsigned)CUV_MAX(cpus, 1) + 2);
}

static int open_signals(struct cuv_server *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	/* Ctrl-C reaches the whole foreground group; the supervisor says what follows. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
		return -errno;
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? -errno : 0;
}

/* A supervisor that is gone before we could ask to die with it. */
static bool supervisor_is_gone(void)
{
	struct pollfd p = {.fd = CONTROL_FD, .events = POLLRDHUP};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLRDHUP | POLLERR));
}

static int start(struct launcher *l, struct cuv_error *err)
{
	const struct cuv_launcher_options *o = &l->options;
	int r = check_sockets(o, err);

	if (r == 0)
		r = cuv_kernel_check(err);
	if (r == 0)
		r = cuv_host_enter(&l->host, err);
	if (r < 0)
		return r;
	(void)cuv_rlimits_set_core(); /* fails for an ordinary user whose own is 0 */
	cuv_rlimits_raise_shared();
	/* After the change of ids, which takes it away. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (supervisor_is_gone())
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "the supervisor is gone");
	/* Kept to the end of the process. */
	if (o->favordynmods && l->host.privileged)
		(void)cuv_dynmods_favor();
	r = cuv_cgroups_start(o->instance, l->host.privileged, &l->cgroups, err);
	if (r == 0)
		cuv_shortage_init(&l->shortage, "/proc/meminfo", &l->cgroups);
	if (r == 0)
		r = cuv_host_open_leases(&l->host, o->leases, err);
	if (r == 0)
		r = cuv_host_seal(&l->host, o->store, err);
	if (r == 0)
		r = cuv_seccomp_build(&l->host.filter, err);
	if (r == 0)
		r = cuv_seccomp_build_zygote(&l->host.zygote_filter, err);
	if (r < 0)
		return r;
	cuv_probe(&l->host, &l->cgroups, &l->layers);
	r = cuv_layers_accept(&l->layers, o->allowed, err);
	if (r < 0)
		return r;
	l->server = (struct cuv_server){
		.slots = &l->slots,
		.layers = &l->layers,
		.shortage = &l->shortage,
		.allowed_uid = l->host.started_uid,
		.control = {CONTROL_FD, o->control_fd},
		.listener = o->listen_fd,
		.signals = -1,
		.fds_max = raise_fd_limit(o->boxes),
	};
	cuv_slots_init(&l->slots, o->boxes, standby_of(o->boxes), &o->zygotes, &l->host, &l->cgroups);
	r = open_signals(&l->server);
	if (r < 0)
		cuv_error_set(err, CUV_E_UNAVAILABLE, "signals can't be set up: %s", strerror(-r));
	return r;
}

static void log_ready(const struct launcher *l)
{
	int i;

	for (i = 0; i < _CUV_LAYER_MAX; i++)
		if (l->layers.layer[i].state != CUV_LAYER_OK)
			cuv_log(CUV_LOG_WARNING, "layer-degraded", CUV_S("layer", cuv_layer_name((enum cuv_layer)i)),
				CUV_S("why", l->layers.layer[i].why));
	cuv_log(CUV_LOG_INFO, "ready", CUV_I("boxes", l->slots.max), CUV_I("zygotes", l->slots.zygotes.set.max),
		CUV_S("instance", l->options.instance),
		CUV_S("cgroups", l->cgroups.ops ? l->cgroups.ops->name : "none"),
		CUV_I("filter_instructions", l->host.filter.n));
}

static int refuse(const struct cuv_error *err)
{
	cuv_log(CUV_LOG_ERROR, "refused-to-start", CUV_S("why", err->message));
	(void)cuv_failure_send(CONTROL_FD, err);
	return 1;
}

int main(int argc, char **argv)
{
	static struct launcher l;
	struct cuv_error err = CUV_ERROR_INIT;
	int r;

	l.host = CUV_HOST_INIT;
	cuv_log_setup("launcher", CUV_LOG_INFO);
	/* A frame's buffer would be mapped and unmapped anew each time, in each process. */
	(void)mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
	(void)mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
	if (check_std_fds() < 0)
		return 1;
	if (cuv_launcher_options_parse(argc, argv, &l.options, &err) < 0)
		return refuse(&err);
	if (l.options.help || l.options.version) {
		puts(l.options.help ? cuv_launcher_usage() : "cuvette-launcher " CUV_VERSION);
		return 0;
	}
	r = start(&l, &err);
	if (r < 0) {
		cuv_cgroups_stop(&l.cgroups);
		return refuse(&err);
	}
	log_ready(&l);
	r = cuv_msg_send_plain(CONTROL_FD, CUV_MSG_READY, NULL, 0);
	if (r == 0)
		r = cuv_server_run(&l.server);
	cuv_slots_stop(&l.slots, STOP_WAIT_MS);
	cuv_shortage_done(&l.shortage);
	cuv_cgroups_stop(&l.cgroups);
	cuv_host_done(&l.host);
	cuv_log(r < 0 ? CUV_LOG_ERROR : CUV_LOG_INFO, "stopped", CUV_I("errno", -r));
	return r < 0;
}
