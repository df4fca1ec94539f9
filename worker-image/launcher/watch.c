/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/watch.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SETUP_MS 30000	 /* from the order to exec; a busy host is slow, not broken */
#define DEATH_MS 10000	 /* from SIGKILL to the end of init */
#define DELIVER_MS 20000 /* for a slow client to take the rest */
#define LOST_MS 100	 /* for what is in the pipes of a box that would not die */
#define CPU_CHECK_MS_MIN 2
#define OOM_CHECK_MS 2 /* the notice comes before the kill: look again this often */
#define OOM_CHECKS 100
/* Most runs are over by then: what they have written is read at once, and neither they nor we are
 * interrupted for each piece of it. */
#define READ_MS 2
#define SMALL_BYTES 4096 /* read at once: whoever writes byte by byte is read again after READ_MS */
#define SAY_MS 20	 /* most runs have said something by then, or have ended: their client is woken once less */

static void kill_init(struct cuv_keeper *k)
{
	if (k->init_fd >= 0)
		(void)syscall(SYS_pidfd_send_signal, k->init_fd, SIGKILL, NULL, 0);
}

void cuv_watch_end(struct cuv_watch *w, enum cuv_cause cause)
{
	if (w->cause != CUV_CAUSE_NONE)
		return;
	w->cause = cause;
	w->read_ns = 0;
	w->end_ns = cause == CUV_CAUSE_ENDED ? w->ended.at_ns : cuv_now_ns();
	w->deadline_ns = cuv_deadline_ms(DEATH_MS);
	w->cpu_check_ns = w->oom_check_ns = w->say_ns = CUV_NEVER;
	/* The box maker, who has told of the end, does it by itself. */
	if (cause != CUV_CAUSE_ENDED || !cuv_keeper_is_joined(w->k))
		kill_init(w->k);
}

int cuv_watch_used(const struct cuv_watch *w, struct cuv_cgroup_usage *ret)
{
	struct cuv_keeper *k = w->k;
	struct cuv_cgroup_usage u;
	int r;

	if (!k->has_cgroup)
		return -ENOENT;
	r = k->seat->cgroups->ops->read_usage(&k->cgroup, &u);
	if (r < 0)
		return r;
	u.cpu_user_ns -= CUV_MIN(k->before.cpu_user_ns, u.cpu_user_ns);
	u.cpu_system_ns -= CUV_MIN(k->before.cpu_system_ns, u.cpu_system_ns);
	u.oom_kills -= CUV_MIN(k->before.oom_kills, u.oom_kills);
	u.limit_hits -= CUV_MIN(k->before.limit_hits, u.limit_hits);
	*ret = u;
	return 0;
}

/* Looks when the limit can be reached at the earliest, not at fixed intervals. */
static void check_cpu(struct cuv_watch *w)
{
	const struct cuv_limits *l = &w->k->task.run.limits;
	const uint64_t limit_ns = cuv_limits_cpu_ms(l) * CUV_NS_PER_MS;
	struct cuv_cgroup_usage u;
	uint64_t cpu_ns, wait_ns;

	if (!(w->k->seat->cgroups->controllers & CUV_CG_CPUACCT) || cuv_watch_used(w, &u) < 0) {
		w->cpu_check_ns = CUV_NEVER;
		return;
	}
	cpu_ns = u.cpu_user_ns + u.cpu_system_ns;
	if (cpu_ns >= limit_ns) {
		cuv_watch_end(w, CUV_CAUSE_CPU);
		return;
	}
	wait_ns = (limit_ns - cpu_ns) / CUV_MAX(l->value[CUV_LIMIT_CPUS], 1u) * 1000;
	w->cpu_check_ns = cuv_now_ns() + CUV_MAX(wait_ns, CPU_CHECK_MS_MIN * CUV_NS_PER_MS);
}

static void check_oom(struct cuv_watch *w)
{
	struct cuv_cgroup_usage u;

	if (cuv_watch_used(w, &u) == 0 && u.oom_kills > 0) {
		cuv_watch_end(w, CUV_CAUSE_OOM);
		return;
	}
	w->oom_check_ns = w->oom_checks_left-- > 0 ? cuv_deadline_ms(OOM_CHECK_MS) : CUV_NEVER;
}

static void on_oom_notice(struct cuv_watch *w)
{
	char text[256];

	/* An eventfd is emptied, memory.events read anew: both arm it again. */
	if ((w->k->oom_events & POLLPRI ? pread(w->k->oom_fd, text, sizeof(text), 0)
					: read(w->k->oom_fd, text, sizeof(uint64_t))) < 0)
		return;
	w->oom_checks_left = OOM_CHECKS;
	check_oom(w);
}

static void on_failed(struct cuv_watch *w, const struct cuv_box_event *e)
{
	const struct cuv_run *run = &w->k->task.run;

	if (e->stage == CUV_STAGE_IMAGE && e->error == ENOENT)
		cuv_error_set(&w->err, CUV_E_INTERNAL, "the image %s is not in the store", run->image);
	else if (e->stage == CUV_STAGE_STORE && e->item >= 0 && (size_t)e->item < run->closure.n)
		cuv_error_set(&w->err, CUV_E_INTERNAL, "%s can't be taken from the store: %s",
			      run->closure.items[e->item], strerror(e->error));
	else if (e->stage == CUV_STAGE_EXEC)
		cuv_error_set(&w->err, CUV_E_INTERNAL, "%s could not be executed in the box: %s",
			      w->k->task.run.argv.items[0], strerror(e->error));
	else if (e->stage == CUV_STAGE_FILES && run->bundle && e->error == ENOSPC)
		cuv_error_set(&w->err, CUV_E_LIMIT_EXCEEDED,
			      "the files don't fit into the work folder (work_size, work_inodes)");
	else
		(void)cuv_error_set_errno(&w->err, e->error == ENOSPC ? -EUSERS : -e->error,
					  "the box could not be made: %s (%s)", cuv_stage_text(e->stage),
					  strerror(e->error));
	w->ended.stage = e->stage;
	cuv_watch_end(w, CUV_CAUSE_FAILED);
}

static void on_status(struct cuv_watch *w)
{
	struct cuv_box_event e;
	ssize_t n;

	for (;;) {
		n = recv(w->k->status, &e, sizeof(e), MSG_DONTWAIT);
		/* Reset: init died without reading all of ours; what it said is behind. */
		if (n < 0 && (errno == EINTR || errno == ECONNRESET))
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n != (ssize_t)sizeof(e)) {
			w->k->status = cuv_close(w->k->status);
			return;
		}
		switch (e.kind) {
		case CUV_BOX_ENDED:
			w->ended = e;
			cuv_watch_end(w, CUV_CAUSE_ENDED);
			break;
		case CUV_BOX_FAILED:
			on_failed(w, &e);
			break;
		case CUV_BOX_WARM:
		case CUV_BOX_OVER:
		case CUV_BOX_MADE:
		case CUV_BOX_WAITING:
		case CUV_BOX_MOUNTS:
			break; /* said before there was a run to watch */
		}
	}
}

static void on_dead(struct cuv_watch *w)
{
	int status;

	if (w->k->status >= 0)
		on_status(w);
	/* In a zygote it is the box maker's child. */
	while (!cuv_keeper_is_joined(w->k) && wait4(w->k->init, &status, 0, &w->init_usage) < 0 && errno == EINTR)
		;
	w->dead = true;
	w->k->init_fd = cuv_close(w->k->init_fd);
	if (w->cause == CUV_CAUSE_NONE) {
		cuv_error_set(&w->err, CUV_E_INTERNAL, "the run's supervisor was killed");
		cuv_watch_end(w, CUV_CAUSE_FAILED);
	}
	w->deadline_ns = cuv_deadline_ms(DELIVER_MS);
}

uint64_t cuv_watch_started_ns(const struct cuv_watch *w)
{
	return w->k->box.shared ? w->k->box.shared->started_ns : 0;
}

/* Of a box that still lives: has its time run out? The start is looked up only
 * now, so that nobody is woken when a program starts. */
static void on_run_deadline(struct cuv_watch *w)
{
	const uint64_t started = cuv_watch_started_ns(w), now = cuv_now_ns();
	const uint64_t wall_ns = w->k->task.run.limits.value[CUV_LIMIT_WALL] * CUV_NS_PER_MS;

	if (started && now >= started + wall_ns) {
		cuv_watch_end(w, CUV_CAUSE_WALL);
	} else if (started) {
		w->deadline_ns = started + wall_ns;
	} else if (now >= w->setup_deadline_ns) {
		cuv_error_set(&w->err, CUV_E_INTERNAL, "the box was not ready in time");
		cuv_watch_end(w, CUV_CAUSE_FAILED);
	} else {
		w->deadline_ns = CUV_MIN(now + wall_ns, w->setup_deadline_ns);
	}
}

static void on_deadline(struct cuv_watch *w)
{
	if (w->cause == CUV_CAUSE_NONE) {
		on_run_deadline(w);
	} else if (!w->dead) {
		w->lost = w->dead = true; /* as far as this run is concerned */
		w->deadline_ns = cuv_deadline_ms(LOST_MS);
	} else {
		/* The client does not take the rest, or what can't be killed holds a pipe. */
		if (w->k->pump.has_pending)
			cuv_pump_abandon(&w->k->pump);
		cuv_pump_done(&w->k->pump);
	}
}

/* The client may only listen: whatever else it does ends the run. */
static void on_session(struct cuv_watch *w)
{
	cuv_pump_abandon(&w->k->pump);
	cuv_watch_end(w, CUV_CAUSE_CANCELLED);
}

/* Output says it as well. Counted from when the order is out rather than from when the program has
 * executed: nobody has to be woken for that. */
static void say_started(struct cuv_watch *w)
{
	struct cuv_pump *p = &w->k->pump;
	struct cuv_writer m;

	w->say_ns = CUV_NEVER;
	if (p->has_pending || p->stream[0].sent > 0 || p->stream[1].sent > 0)
		return;
	cuv_writer_init(&m, CUV_MSG_RUN_STARTED);
	cuv_pump_send(p, &m, -1);
}

enum { P_SESSION, P_INIT, P_STATUS, P_OOM, P_OUT, P_ERR, P_N };

static void read_streams(struct cuv_watch *w, const struct pollfd out[CUV_STREAMS], bool is_all)
{
	struct cuv_pump *p = &w->k->pump;
	const uint64_t before = p->stream[0].sent + p->stream[1].sent;
	uint64_t n;
	size_t i;

	for (i = 0; i < CUV_STREAMS; i++)
		if (out[i].revents && !p->has_pending)
			cuv_pump_step(p, i);
		else if (is_all && !out[i].revents)
			cuv_pump_end(p, i);
	n = p->stream[0].sent + p->stream[1].sent - before;
	if (n > 0 && n < SMALL_BYTES && w->cause == CUV_CAUSE_NONE)
		w->read_ns = cuv_deadline_ms(READ_MS);
}

static void poll_once(struct cuv_watch *w)
{
	struct cuv_keeper *k = w->k;

	/* A frame that could not be sent tells it before poll could: then there is no
	 * session left to poll. */
	if (k->pump.session < 0)
		cuv_watch_end(w, CUV_CAUSE_CANCELLED);

	const short reading = k->pump.has_pending || cuv_now_ns() < w->read_ns ? 0 : POLLIN;
	/* Nobody is left to write: what is in the pipes is all, even where a zygote has
	 * kept an end of one. */
	const bool is_all = w->dead && !w->lost && reading;
	struct pollfd p[P_N] = {
		[P_SESSION] = {.fd = k->pump.session,
			       .events = (short)(POLLIN | POLLRDHUP | (k->pump.has_pending ? POLLOUT : 0))},
		[P_INIT] = {.fd = w->dead ? -1 : k->init_fd, .events = POLLIN},
		[P_STATUS] = {.fd = k->status, .events = POLLIN},
		[P_OOM] = {.fd = w->cause == CUV_CAUSE_NONE ? k->oom_fd : -1, .events = k->oom_events},
		[P_OUT] = {.fd = reading ? k->pump.stream[0].fd : -1, .events = reading},
		[P_ERR] = {.fd = reading ? k->pump.stream[1].fd : -1, .events = reading},
	};
	uint64_t next = CUV_MIN(CUV_MIN(w->deadline_ns, w->say_ns), CUV_MIN(w->cpu_check_ns, w->oom_check_ns)), now;

	if (!reading && !k->pump.has_pending)
		next = CUV_MIN(next, w->read_ns);

	if (poll(p, P_N, is_all ? 0 : cuv_deadline_poll_ms(next)) < 0)
		return; /* EINTR; the signals that matter are not caught */
	if (p[P_STATUS].revents)
		on_status(w);
	if (p[P_SESSION].revents & POLLOUT)
		cuv_pump_flush(&k->pump);
	if (p[P_SESSION].revents & ~POLLOUT)
		on_session(w);
	if (p[P_OOM].revents)
		on_oom_notice(w);
	read_streams(w, p + P_OUT, is_all);
	if (k->pump.broken < 0)
		cuv_watch_end(w, CUV_CAUSE_FAILED);
	if (cuv_pump_truncated(&k->pump))
		cuv_watch_end(w, CUV_CAUSE_OUTPUT);
	if (p[P_INIT].revents)
		on_dead(w);
	now = cuv_now_ns();
	if (now >= w->say_ns)
		say_started(w);
	if (now >= w->cpu_check_ns)
		check_cpu(w);
	if (now >= w->oom_check_ns)
		check_oom(w);
	if (now >= w->deadline_ns)
		on_deadline(w);
}

void cuv_watch_init(struct cuv_watch *w, struct cuv_keeper *k)
{
	*w = (struct cuv_watch){.k = k,
				.cpu_check_ns = CUV_NEVER,
				.oom_check_ns = CUV_NEVER,
				.say_ns = CUV_NEVER,
				.err = CUV_ERROR_INIT};
	w->ended.stage = CUV_STAGE_FORK;
}

void cuv_watch_start(struct cuv_watch *w)
{
	const struct cuv_limits *l = &w->k->task.run.limits;

	w->setup_deadline_ns = cuv_deadline_ms(SETUP_MS);
	w->read_ns = cuv_deadline_ms(READ_MS);
	w->say_ns = cuv_deadline_ms(SAY_MS);
	w->deadline_ns = cuv_deadline_ms(l->value[CUV_LIMIT_WALL]);
	/* Nor can its CPU time before that. */
	w->cpu_check_ns = w->k->seat->cgroups->controllers & CUV_CG_CPUACCT
				  ? cuv_now_ns() + cuv_limits_cpu_ms(l) * 1000 / CUV_MAX(l->value[CUV_LIMIT_CPUS], 1u) *
							   CUV_NS_PER_MS
				  : CUV_NEVER;
}

/* The run has ended by itself, has said all, and no process is left in its cgroup, where
 * all of it was: init's end adds nothing but a wait of a tenth of a small run. Files are
 * another matter: a zygote can put a process into its boxes that is in no run's cgroup; they
 * are collected from a box whose init is dead, cold ones too.
 * Of a box of its own init knows; where no cgroup counts CPU time, init's is the run's. */
static bool is_empty(struct cuv_watch *w)
{
	struct cuv_keeper *k = w->k;
	uint64_t processes;

	if (w->cause != CUV_CAUSE_ENDED || !k->has_cgroup || !cuv_pump_finished(&k->pump) ||
	    k->task.run.artifacts.n > 0)
		return false;
	if (!cuv_keeper_is_joined(k))
		return w->ended.alone && (k->seat->cgroups->controllers & CUV_CG_CPUACCT);
	return cuv_cgroup_slot_processes(&k->cgroup, &processes, NULL) == 0 && processes == 0;
}

void cuv_watch_run(struct cuv_watch *w)
{
	while (!(w->dead || is_empty(w)) || (w->cause != CUV_CAUSE_FAILED && !cuv_pump_finished(&w->k->pump)))
		poll_once(w);
}

void cuv_watch_bury(struct cuv_watch *w)
{
	struct pollfd p = {.fd = w->k->init_fd, .events = POLLIN};

	while (!w->dead && !w->lost) {
		int n = poll(&p, 1, cuv_deadline_poll_ms(w->deadline_ns));

		w->lost = n == 0;
		if (n > 0)
			on_dead(w);
	}
}
