/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/maker.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/kernel.h"
#include "worker-image/launcher/maker_ns.h"
#include "worker-image/launcher/nsfd.h"
#include "worker-image/launcher/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WHY_SIZE 160
#define NO_SLOT UINT_MAX
/* From the end of a box until its init is reaped: the kernel takes that long only
 * when somebody keeps what has died in it, and keepers wait for it. */
#define END_MS 5000
/* Below each stack; what would run over it is killed, and the box maker with it. */
#define GUARD_BYTES 4096u
#define STACK_STEP (CUV_MAKER_STACK_BYTES + GUARD_BYTES)

/* A request as it travels; the descriptors are said with cuv_maker_ask_. */
enum ask { ASK_BOX = 1, ASK_BOX_AND_FORK, ASK_FORK, ASK_MOUNTS };
struct request {
	enum ask ask;
	unsigned slot;
};
#define BOX_FDS_MAX (CUV_MAKER_STREAMS + 1 + CUV_CGROUP_HIERARCHIES_MAX)

int cuv_maker_ask_box(int boxes, unsigned slot, int status, const int *procs, size_t n_procs, const int *streams)
{
	const struct request q = {.ask = streams ? ASK_BOX_AND_FORK : ASK_BOX, .slot = slot};
	int fds[BOX_FDS_MAX];
	size_t n = 0, i;

	for (i = 0; streams && i < CUV_MAKER_STREAMS; i++)
		fds[n++] = streams[i];
	fds[n++] = status;
	for (i = 0; i < n_procs; i++)
		fds[n++] = procs[i];
	return cuv_fdmsg_send(boxes, &q, sizeof(q), fds, n, MSG_DONTWAIT);
}

int cuv_maker_ask_fork(int boxes, unsigned slot, const int streams[CUV_MAKER_STREAMS])
{
	const struct request q = {.ask = ASK_FORK, .slot = slot};

	return cuv_fdmsg_send(boxes, &q, sizeof(q), streams, CUV_MAKER_STREAMS, MSG_DONTWAIT);
}

int cuv_maker_ask_mounts(int boxes, unsigned slot)
{
	const struct request q = {.ask = ASK_MOUNTS, .slot = slot};

	return cuv_fdmsg_send(boxes, &q, sizeof(q), NULL, 0, MSG_DONTWAIT);
}

/* A box and what is in it. */
struct place {
	pid_t init; /* 0: the place is free */
	unsigned slot;
	int init_fd;			/* pidfd, until the keeper has it */
	int link;			/* from its init, until it is made */
	int alive;			/* the same from then on: its other end is closed when init exits */
	int status;			/* to its keeper */
	int streams[CUV_MAKER_STREAMS]; /* of the run to be forked when the box is made; -1: none */
	bool rehearse;			/* its run is there before it is wanted */
	int procs[CUV_CGROUP_HIERARCHIES_MAX];
	size_t n_procs;
	int ns[CUV_MAKER_NAMESPACES];	/* -1 until it is made; some are borrowed: see close_ns */
	struct cuv_maker_pooled pooled; /* of these, the ones that serve more than one box */
	int hello;			/* from a run that is to come; -1: none is awaited */
	uint64_t hello_deadline_ns;
	pid_t run;	 /* 0: none */
	uint64_t end_ns; /* when its init must be gone; CUV_NEVER: nothing has ended it */
};

struct maker {
	const struct cuv_box *box;
	pid_t zygote;
	bool warm;
	bool over;		       /* the zygote is dead; we stay until its runs have ended */
	struct cuv_zygote_ready ready; /* what it said of itself */
	uint32_t forks;
	int proc;   /* /proc of this pid namespace */
	int mounts; /* a mount namespace as ours, without /proc: what boxes begin with */
	int signals;
	struct place place[CUV_MAKER_BOXES_MAX];
	char *stacks;	 /* of the init of each place */
	size_t n_places; /* behind these all are free */
	struct cuv_maker_ns ns;
};

static void tell(int status, const struct cuv_box_event *e, const int *fds, size_t n)
{
	/* A keeper that is gone, or takes nothing, ends its box by that. */
	(void)cuv_fdmsg_send(status, e, sizeof(*e), fds, n, MSG_DONTWAIT);
}

/* Ends it all: with pid 1 goes whatever is in the namespace. */
_noreturn_ static void give_up(const struct maker *m, const char *why)
{
	struct cuv_box_event e = {.kind = CUV_BOX_FAILED, .stage = CUV_STAGE_FORK, .error = EPERM};

	snprintf(e.why, sizeof(e.why), "%s", why);
	tell(m->box->status, &e, NULL, 0);
	_exit(1);
}

/* No more runs of it; those that there are go on. */
static void end_zygote(struct maker *m, const char *why)
{
	struct cuv_box_event e = {.kind = CUV_BOX_OVER};

	if (m->over)
		return;
	m->over = true;
	m->warm = false;
	snprintf(e.why, sizeof(e.why), "%s", why);
	tell(m->box->status, &e, NULL, 0);
	(void)kill(m->zygote, SIGKILL);
}

/* The first event of a place that is none of failure brings the pidfd of its init. */
static void tell_with_init(struct place *p, enum cuv_box_event_kind kind)
{
	tell(p->status, &(struct cuv_box_event){.kind = kind}, &p->init_fd, p->init_fd >= 0 ? 1 : 0);
	p->init_fd = cuv_close(p->init_fd);
}

static void tell_failed(int status, enum cuv_stage stage, int r)
{
	tell(status, &(struct cuv_box_event){.kind = CUV_BOX_FAILED, .stage = stage, .error = -r}, NULL, 0);
}

static void close_all(int *fds, size_t n)
{
	while (n-- > 0)
		fds[n] = cuv_close(fds[n]);
}

/* --- boxes --- */

/* Network, IPC and host name belong to the pool. */
static void close_ns(struct place *p)
{
	p->ns[CUV_ZYGOTE_FD_PID] = cuv_close(p->ns[CUV_ZYGOTE_FD_PID]);
	p->ns[CUV_ZYGOTE_FD_MNT] = cuv_close(p->ns[CUV_ZYGOTE_FD_MNT]);
	p->ns[CUV_ZYGOTE_FD_CGROUP] = cuv_close(p->ns[CUV_ZYGOTE_FD_CGROUP]);
}

static void clear_place(struct maker *m, struct place *p)
{
	cuv_close(p->init_fd);
	cuv_close(p->link);
	cuv_close(p->alive);
	cuv_close(p->status);
	cuv_close(p->hello);
	close_all(p->streams, CUV_MAKER_STREAMS);
	close_all(p->procs, p->n_procs);
	close_ns(p);
	cuv_maker_ns_keep(&m->ns, &p->pooled);
	*p = (struct place){0};
	while (m->n_places > 0 && m->place[m->n_places - 1].init == 0)
		m->n_places--;
}

static int clone_init(struct maker *m, struct place *p)
{
	int link[2], pidfd = -1, cgroup_ns = cuv_maker_ns_cgroup(&m->ns, p->slot, p->procs, p->n_procs);
	struct cuv_maker_order o;
	pid_t pid;

	if (cgroup_ns < 0)
		return cgroup_ns;
	p->ns[CUV_ZYGOTE_FD_CGROUP] = fcntl(cgroup_ns, F_DUPFD_CLOEXEC, 0);
	if (p->ns[CUV_ZYGOTE_FD_CGROUP] < 0)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link) < 0)
		return -errno;
	o = (struct cuv_maker_order){
		.link = link[1],
		.status = p->status,
		.mounts = m->mounts,
		.cgroup_ns = cgroup_ns,
		.pooled = p->pooled.ns,
	};
	pid = cuv_maker_box_start(&o, m->stacks + (size_t)(p - m->place) * STACK_STEP + GUARD_BYTES, &pidfd);
	cuv_close(link[1]);
	if (pid < 0) {
		cuv_close(link[0]);
		return pid;
	}
	p->init = pid;
	p->init_fd = pidfd;
	p->link = link[0];
	return 0;
}

static struct place *find_place(struct maker *m, unsigned slot)
{
	size_t i;

	for (i = 0; i < m->n_places; i++)
		if (m->place[i].init > 0 && m->place[i].slot == slot)
			return &m->place[i];
	return NULL;
}

static void make_box(struct maker *m, const struct request *q, struct cuv_fdmsg *msg)
{
	struct place *p = NULL, *old = find_place(m, q->slot);
	const size_t streams = q->ask == ASK_BOX_AND_FORK ? CUV_MAKER_STREAMS : 0;
	size_t i;
	int r;

	/* The slot's last box may not be gone yet; its keeper is. */
	if (old)
		old->slot = NO_SLOT;
	for (i = 0; i < CUV_MAKER_BOXES_MAX && !p; i++)
		if (m->place[i].init == 0) {
			p = &m->place[i];
			m->n_places = CUV_MAX(m->n_places, i + 1);
		}
	if (!p || !m->warm) {
		tell_failed(msg->fds[streams], CUV_STAGE_FORK, -EAGAIN);
		cuv_fdmsg_done(msg);
		return;
	}
	*p = (struct place){
		.slot = q->slot, .init_fd = -1, .link = -1, .alive = -1, .hello = -1, .status = msg->fds[streams]};
	p->rehearse = streams > 0;
	for (i = 0; i < CUV_MAKER_STREAMS; i++)
		p->streams[i] = i < streams ? msg->fds[i] : -1;
	p->pooled = CUV_MAKER_POOLED_INIT;
	p->end_ns = CUV_NEVER;
	for (i = 0; i < CUV_MAKER_NAMESPACES; i++)
		p->ns[i] = -1;
	for (i = streams + 1; i < msg->n; i++)
		p->procs[p->n_procs++] = msg->fds[i];
	r = cuv_maker_ns_next(&m->ns, &p->pooled);
	if (r == 0)
		r = clone_init(m, p);
	if (r < 0) {
		tell_failed(p->status, CUV_STAGE_FORK, r);
		clear_place(m, p);
	}
}

/* Nobody has a use for the box any more. With its init the kernel kills all in it,
 * and the init is not gone before each of them has been waited for: by us, or by a
 * zygote that does not. */
static void end_box(struct place *p)
{
	if (p->end_ns != CUV_NEVER)
		return;
	p->end_ns = cuv_deadline_ms(END_MS);
	/* Whoever lets go of a mount namespace last waits for all processors (0.2 ms here, while we would serve
	 * nobody): that should be init. */
	close_ns(p);
	(void)kill(p->init, SIGKILL);
}

static int ask_zygote(struct maker *m, struct place *p)
{
	const struct cuv_zygote_fork q = {.version = CUV_ZYGOTE_VERSION, .rehearse = p->rehearse};
	int fds[CUV_ZYGOTE_FDS], hello[2], one = 1, r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, hello) < 0)
		return -errno;
	memcpy(fds, p->ns, sizeof(p->ns));
	fds[CUV_ZYGOTE_FD_HELLO] = hello[1];
	memcpy(fds + CUV_ZYGOTE_FD_ORDER, p->streams, sizeof(p->streams));
	r = setsockopt(hello[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) < 0 ? -errno : 0;
	if (r == 0)
		r = cuv_fdmsg_send(m->box->control, &q, sizeof(q), fds, CUV_ZYGOTE_FDS, MSG_DONTWAIT);
	cuv_close(hello[1]);
	if (r < 0) {
		cuv_close(hello[0]);
		return r;
	}
	m->forks++;
	p->hello = hello[0];
	p->hello_deadline_ns = cuv_deadline_ms(CUV_MAKER_FORK_MS);
	return 0;
}

static void fork_run(struct maker *m, struct place *p)
{
	/* One run for each box: the second would find what the first has left. */
	const int r = !m->over && p->ns[0] >= 0 && p->hello < 0 && p->run == 0 ? ask_zygote(m, p) : -EBUSY;

	close_all(p->streams, CUV_MAKER_STREAMS);
	if (r < 0)
		tell_failed(p->status, CUV_STAGE_FORK, r);
}

static void on_ask_fork(struct maker *m, const struct request *q, struct cuv_fdmsg *msg)
{
	struct place *p = find_place(m, q->slot);

	if (!p || p->streams[0] >= 0) { /* its keeper sees that nothing comes of it */
		cuv_fdmsg_done(msg);
		return;
	}
	memcpy(p->streams, msg->fds, sizeof(p->streams));
	fork_run(m, p);
}

static void on_ask_mounts(struct maker *m, const struct request *q)
{
	const struct cuv_box_event e = {.kind = CUV_BOX_MOUNTS};
	const struct place *p = find_place(m, q->slot);

	if (p && p->ns[CUV_ZYGOTE_FD_MNT] >= 0)
		tell(p->status, &e, &p->ns[CUV_ZYGOTE_FD_MNT], 1);
}

/* The box is made, or its init has died over it and has said why. */
static void on_link(struct maker *m, struct place *p)
{
	char byte;
	struct cuv_fdmsg msg = {0};
	int r = cuv_fdmsg_recv(p->link, &byte, sizeof(byte), CUV_MAKER_OWN_NAMESPACES, &msg, MSG_DONTWAIT);

	if (r == -EAGAIN)
		return;
	p->alive = TAKE_FD(p->link);
	if (r != 0 || msg.n != CUV_MAKER_OWN_NAMESPACES) {
		if (r == 0)
			cuv_fdmsg_done(&msg);
		return;
	}
	p->ns[CUV_ZYGOTE_FD_PID] = msg.fds[0];
	p->ns[CUV_ZYGOTE_FD_MNT] = msg.fds[1];
	p->ns[CUV_ZYGOTE_FD_NET] = p->pooled.ns.net;
	p->ns[CUV_ZYGOTE_FD_IPC] = p->pooled.ns.ipc;
	p->ns[CUV_ZYGOTE_FD_UTS] = p->pooled.ns.uts;
	if (p->streams[0] >= 0)
		fork_run(m, p); /* its keeper waits for that */
	else
		tell_with_init(p, CUV_BOX_MADE);
}

static int enter_cgroups(const struct place *p, pid_t run)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", (int)run);
	size_t i;

	for (i = 0; i < p->n_procs; i++)
		if (write(p->procs[i], text, (size_t)len) < 0)
			return -errno;
	return 0;
}

/* Looks at who is said to be the run, and puts it into the slot's cgroup. */
static void take_run(struct maker *m, struct place *p, pid_t pid)
{
	char why[WHY_SIZE];
	int r;

	/* Only we reap, so the process can't be another one by now. */
	r = cuv_maker_check_run(m->proc, pid, p->ns, sizeof(why), why);
	if (r == -EPERM)
		give_up(m, why);
	if (r == 0)
		r = enter_cgroups(p, pid);
	if (r < 0) {
		tell_failed(p->status, CUV_STAGE_CGROUP, r);
		return;
	}
	p->run = pid;
	p->hello_deadline_ns = CUV_NEVER; /* it says no more, unless it can't do what it is ordered: has_refused */
	tell_with_init(p, CUV_BOX_WAITING);
}

/* A run says that it is there. The kernel names the sender, but lets a zygote, which
 * has rights in its namespace, name another: so whoever is named must be what a run
 * of this place has to be, by /proc, and may be no more than a run is. */
static void on_hello(struct maker *m, struct place *p)
{
	struct cuv_zygote_hello h = {0};
	struct cuv_fdmsg msg = {0};
	int r = cuv_fdmsg_recv(p->hello, &h, sizeof(h), 0, &msg, MSG_DONTWAIT);

	if (r == -EAGAIN)
		return;
	if (r == 0 && p->end_ns != CUV_NEVER) { /* nobody wants it, and it dies with its box */
		p->hello = cuv_close(p->hello);
		return;
	}
	if (r == 0 && p->run == 0 && h.version == CUV_ZYGOTE_VERSION && h.step == CUV_ZYGOTE_STEP_NONE) {
		take_run(m, p, msg.from.pid);
		return;
	}
	p->hello = cuv_close(p->hello);
	if (r == -EBADMSG)
		give_up(m, "its run said something else");
	tell_failed(p->status, CUV_STAGE_FORK, r == 0 && h.error > 0 ? -h.error : -ECHILD);
}

/* Whether a run that is dead could not do what it was ordered. It has said so before it died;
 * one whose program began has closed its end. Nobody is woken to read the one or the other. The zygote
 * may have kept an end: a run is not believed to have failed that has not ended so. */
static bool has_refused(struct maker *m, struct place *p, pid_t run, int wait_status)
{
	struct cuv_zygote_hello h = {0};
	struct cuv_fdmsg msg = {0};
	const int r = p->hello < 0 ? 1 : cuv_fdmsg_recv(p->hello, &h, sizeof(h), 0, &msg, MSG_DONTWAIT);

	p->hello = cuv_close(p->hello);
	if (r == -EBADMSG)
		give_up(m, "its run said something else");
	if (r != 0)
		return false;
	if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != CUV_ZYGOTE_REFUSED || msg.from.pid != run ||
	    h.step < CUV_ZYGOTE_STEP_ORDER) {
		end_zygote(m, "it says of a run what is not so");
		return false;
	}
	tell_failed(p->status, CUV_STAGE_FILES, h.error > 0 ? -h.error : -ECHILD);
	return true;
}

static void on_request(struct maker *m)
{
	struct cuv_fdmsg msg = {0};
	struct request q;
	int r = cuv_fdmsg_recv(m->box->boxes, &q, sizeof(q), BOX_FDS_MAX, &msg, MSG_DONTWAIT);

	if (r == 1)
		_exit(0); /* the launcher and all keepers are gone */
	if (r < 0)
		return; /* its keeper sees that nothing comes of it */
	if ((q.ask == ASK_BOX && msg.n >= 1) || (q.ask == ASK_BOX_AND_FORK && msg.n > CUV_MAKER_STREAMS))
		make_box(m, &q, &msg);
	else if (q.ask == ASK_FORK && msg.n == CUV_MAKER_STREAMS)
		on_ask_fork(m, &q, &msg);
	else if (q.ask == ASK_MOUNTS && msg.n == 0)
		on_ask_mounts(m, &q);
	else
		cuv_fdmsg_done(&msg);
}

/* --- the zygote --- */

static void tell_warm(const struct maker *m)
{
	const struct cuv_box_event e = {
		.kind = CUV_BOX_WARM,
		.pss_bytes = cuv_maker_pss_bytes(m->proc, m->zygote),
		.imported = m->ready.imported,
		.failed = m->ready.failed,
		.forks = m->forks,
	};

	tell(m->box->status, &e, NULL, 0);
}

static void on_control(struct maker *m)
{
	struct cuv_zygote_ready ready;
	struct cuv_fdmsg msg = {0};
	char why[WHY_SIZE];
	int r = cuv_fdmsg_recv(m->box->control, &ready, sizeof(ready), 0, &msg, MSG_DONTWAIT);

	if (r == -EAGAIN)
		return;
	if (r == 0)
		cuv_fdmsg_done(&msg);
	/* It speaks once. A reset is its end, with what we sent still unread. */
	if (r == 1 || r == -ECONNRESET) {
		end_zygote(m, "the zygote ended");
		return;
	}
	if (r < 0 || m->warm || ready.version != CUV_ZYGOTE_VERSION) {
		end_zygote(m, r < 0 || m->warm ? "the zygote said something else"
					       : "the store's zygote is of another version than the launcher");
		return;
	}
	if (cuv_maker_check_zygote(m->proc, m->zygote, sizeof(why), why) < 0 ||
	    cuv_maker_check_strays(m->proc, m->zygote, sizeof(why), why) < 0)
		give_up(m, why);
	m->warm = true;
	m->ready = ready;
	tell_warm(m);
}

/* Its keeper asks how it is. */
static void on_keeper(struct maker *m)
{
	char byte, why[WHY_SIZE];

	if (recv(m->box->status, &byte, sizeof(byte), MSG_DONTWAIT) != 1 || !m->warm)
		return;
	if (cuv_maker_check_strays(m->proc, m->zygote, sizeof(why), why) < 0)
		give_up(m, why);
	/* What a package's fork handlers start comes after the first look. */
	if (cuv_maker_check_threads(m->proc, m->zygote, sizeof(why), why) < 0)
		end_zygote(m, why);
	else
		tell_warm(m);
}

/* Its init's descriptors are closed before the kernel kills what is in its namespace. */
static bool init_exits(const struct place *p)
{
	struct pollfd alive = {.fd = p->alive, .events = 0};

	return poll(&alive, 1, 0) > 0;
}

/* A run that was killed may have been so because its init was: the kernel kills all
 * that is in its namespace while init exits. Then the run has not ended by itself; the
 * keeper sees the box gone, which is a failure and no result. */
static void run_ended(struct maker *m, struct place *p, int wait_status, const struct rusage *usage)
{
	const struct cuv_box_event e = {
		.kind = CUV_BOX_ENDED, .at_ns = cuv_now_ns(), .wait_status = wait_status, .usage = *usage};
	const bool killed = WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL;

	const pid_t run = p->run;

	p->run = 0;
	if (!has_refused(m, p, run, wait_status) && (!killed || !init_exits(p)))
		tell(p->status, &e, NULL, 0);
	end_box(p);
}

static void reap(struct maker *m)
{
	struct rusage usage;
	size_t i;
	int status;
	pid_t pid;

	while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0 || (pid < 0 && errno == EINTR)) {
		if (pid < 0)
			continue;
		if (pid == m->zygote)
			end_zygote(m, "the zygote ended");
		for (i = 0; i < m->n_places; i++) {
			struct place *p = &m->place[i];

			if (p->run == pid) {
				run_ended(m, p, status, &usage);
				break;
			}
			if (p->init == pid) {
				clear_place(m, p);
				break;
			}
		}
		/* Any other is a run that died before it was looked at. */
	}
}

enum { P_SIGNALS, P_BOXES, P_STATUS, P_CONTROL, P_PLACES };
enum { P_OF_WHAT_COMES, P_OF_KEEPER, P_OF_PLACE };

/* Adds what is waited for at a place; returns the new length. */
static size_t poll_place(const struct place *p, struct pollfd *fds, size_t n, uint64_t *next)
{
	const bool ends = p->end_ns != CUV_NEVER;

	if (p->init == 0)
		return n;
	fds[n + P_OF_WHAT_COMES] = (struct pollfd){.fd = p->link >= 0  ? p->link
							 : p->run == 0 ? p->hello
								       : -1,
						   .events = POLLIN};
	fds[n + P_OF_KEEPER] = (struct pollfd){.fd = ends ? -1 : p->status, .events = 0};
	if (p->hello >= 0)
		*next = CUV_MIN(*next, p->hello_deadline_ns);
	*next = CUV_MIN(*next, p->end_ns);
	return n + P_OF_PLACE;
}

static void serve_place(struct maker *m, struct place *p, const struct pollfd fds[P_OF_PLACE])
{
	if (fds[P_OF_WHAT_COMES].revents && p->link >= 0)
		on_link(m, p);
	else if (fds[P_OF_WHAT_COMES].revents)
		on_hello(m, p);
	if (fds[P_OF_KEEPER].revents)
		end_box(p);
}

/* asked_ns is from before the poll: what had come by then has been served, however
 * late we are ourselves. */
static void check_deadlines(struct maker *m, uint64_t asked_ns)
{
	size_t i;

	for (i = 0; i < m->n_places; i++) {
		struct place *p = &m->place[i];

		if (p->init == 0)
			continue;
		if (p->hello >= 0 && asked_ns >= p->hello_deadline_ns)
			end_zygote(m, "it did not fork in time");
		if (asked_ns >= p->end_ns)
			give_up(m, "it keeps a box from ending");
	}
}

static void serve_once(struct maker *m)
{
	struct pollfd p[P_PLACES + P_OF_PLACE * CUV_MAKER_BOXES_MAX]; /* most are never used */
	struct signalfd_siginfo info[2]; /* signals of a kind are told of once, so one read is enough as a rule */
	uint64_t next = CUV_NEVER, asked_ns;
	size_t n = P_PLACES, i;

	p[P_SIGNALS] = (struct pollfd){.fd = m->signals, .events = POLLIN};
	p[P_BOXES] = (struct pollfd){.fd = m->box->boxes, .events = POLLIN};
	p[P_STATUS] = (struct pollfd){.fd = m->box->status, .events = POLLIN}; /* the zygote's keeper */
	p[P_CONTROL] = (struct pollfd){.fd = m->over ? -1 : m->box->control, .events = POLLIN};
	for (i = 0; i < m->n_places; i++)
		n = poll_place(&m->place[i], p, n, &next);
	if (m->over && n == P_PLACES)
		_exit(0);
	asked_ns = cuv_now_ns();
	if (poll(p, n, cuv_deadline_poll_ms(next)) < 0)
		return; /* EINTR */
	if (p[P_STATUS].revents & (POLLHUP | POLLERR))
		_exit(0);
	if (p[P_STATUS].revents)
		on_keeper(m);
	for (i = 0, n = P_PLACES; i < m->n_places; i++)
		if (m->place[i].init > 0) {
			serve_place(m, &m->place[i], p + n);
			n += P_OF_PLACE;
		}
	if (p[P_SIGNALS].revents) {
		while (read(m->signals, info, sizeof(info)) == (ssize_t)sizeof(info))
			;
		reap(m);
	}
	check_deadlines(m, asked_ns);
	if (p[P_CONTROL].revents)
		on_control(m);
	if (p[P_BOXES].revents)
		on_request(m);
}

static int open_signals(struct maker *m)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	m->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return m->signals < 0 ? -errno : 0;
}

/* Each box would have to take the zygote's /proc off to put its own there, and the kernel
 * makes all processors wait for that. */
static int make_mounts(struct maker *m)
{
	_cleanup_close_ int own = cuv_nsfd_open(-1, CLONE_NEWNS, m->proc, getpid());

	if (own < 0)
		return own;
	if (unshare(CLONE_NEWNS) < 0 || umount2("/proc", MNT_DETACH) < 0)
		return -errno;
	m->mounts = cuv_nsfd_open(-1, CLONE_NEWNS, m->proc, getpid());
	if (m->mounts < 0)
		return m->mounts;
	return setns(own, CLONE_NEWNS) < 0 ? -errno : 0;
}

static int make_stacks(struct maker *m)
{
	const size_t bytes = (size_t)CUV_MAKER_BOXES_MAX * STACK_STEP;
	char *p = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t i;

	if (p == MAP_FAILED)
		return -errno;
	for (i = 0; i < CUV_MAKER_BOXES_MAX; i++)
		if (mprotect(p + i * STACK_STEP + GUARD_BYTES, CUV_MAKER_STACK_BYTES, PROT_READ | PROT_WRITE) < 0)
			return -errno;
	m->stacks = p;
	return 0;
}

void cuv_maker_main(const struct cuv_box *box, pid_t zygote)
{
	static struct maker m; /* the tables are large, and there is one */
	int r;

	m = (struct maker){.box = box, .zygote = zygote};
	(void)prctl(PR_SET_NAME, "cuvette-maker");
	m.proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = m.proc < 0 ? -errno : cuv_maker_ns_init(&m.ns, m.proc);
	if (r == 0)
		r = open_signals(&m);
	if (r == 0)
		r = make_mounts(&m);
	if (r == 0)
		r = make_stacks(&m);
	if (r < 0)
		give_up(&m, strerror(-r));
	reap(&m); /* what ended before the signal was blocked */
	for (;;)
		serve_once(&m);
}
