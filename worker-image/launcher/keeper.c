/* SPDX-License-Identifier: MIT */
/*
 * A keeper's life: it begins a box and waits for a run. Then one loop moves
 * output, watches the clocks, the memory events, the client and init, and decides
 * once how the run ends. Then everything in the box is killed, the pipes are drained, the result
 * is sent, and the slot is looked over.
 *
 *   STANDBY ──task──► RUNNING ──ended, or we end it──► DYING ──init dead──► DEAD
 */
#include "worker-image/launcher/keeper.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "worker-image/launcher/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SETUP_MS 30000	 /* from clone to exec; a busy host is slow, not broken */
#define DEATH_MS 10000	 /* from SIGKILL to the end of init */
#define DELIVER_MS 20000 /* for a slow client to take the rest */
#define EMPTY_WAIT_MS 2000
#define CPU_CHECK_MS_MIN 2
#define OOM_CHECK_MS 2 /* the notice comes before the kill: look again this often */
#define OOM_CHECKS 100
#define OOM_SCORE "500" /* under pressure the host should take a run, not a service */

enum cause {
	CAUSE_NONE,
	CAUSE_ENDED, /* by itself; event.wait_status says how */
	CAUSE_WALL,
	CAUSE_CPU,
	CAUSE_OUTPUT,
	CAUSE_OOM,
	CAUSE_CANCELLED,
	CAUSE_FAILED, /* ours: err */
};

struct watch {
	struct cuv_keeper *k;
	enum cause cause; /* set once */
	bool dead;	  /* init is, and with it everything in the box */
	bool lost;	  /* init would not die */
	uint64_t end_ns;
	uint64_t deadline_ns; /* of the present state */
	uint64_t setup_deadline_ns;
	uint64_t cpu_check_ns;
	uint64_t oom_check_ns;
	int oom_checks_left;
	struct cuv_box_event ended;
	struct rusage init_usage; /* of all that init reaped */
	struct cuv_error err;
};

static void kill_init(struct cuv_keeper *k)
{
	if (k->init_fd >= 0)
		(void)syscall(SYS_pidfd_send_signal, k->init_fd, SIGKILL, NULL, 0);
}

/* The first cause counts; whatever it is, the box dies. */
static void end_run(struct watch *w, enum cause cause)
{
	if (w->cause != CAUSE_NONE)
		return;
	w->cause = cause;
	w->end_ns = cause == CAUSE_ENDED ? w->ended.at_ns : cuv_now_ns();
	w->deadline_ns = cuv_deadline_ms(DEATH_MS);
	w->cpu_check_ns = w->oom_check_ns = CUV_NEVER;
	kill_init(w->k);
}

static int used(const struct watch *w, struct cuv_cgroup_usage *ret)
{
	const struct cuv_keeper *k = w->k;
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
	*ret = u;
	return 0;
}

/* Looks when the limit can be reached at the earliest, not at fixed intervals. */
static void check_cpu(struct watch *w)
{
	const struct cuv_limits *l = &w->k->task.run.limits;
	const uint64_t limit_ns = cuv_limits_cpu_ms(l) * CUV_NS_PER_MS;
	struct cuv_cgroup_usage u;
	uint64_t cpu_ns, wait_ns;

	if (!(w->k->seat->cgroups->controllers & CUV_CG_CPUACCT) || used(w, &u) < 0) {
		w->cpu_check_ns = CUV_NEVER;
		return;
	}
	cpu_ns = u.cpu_user_ns + u.cpu_system_ns;
	if (cpu_ns >= limit_ns) {
		end_run(w, CAUSE_CPU);
		return;
	}
	wait_ns = (limit_ns - cpu_ns) / CUV_MAX(l->value[CUV_LIMIT_CPUS], 1u) * 1000;
	w->cpu_check_ns = cuv_now_ns() + CUV_MAX(wait_ns, CPU_CHECK_MS_MIN * CUV_NS_PER_MS);
}

static void check_oom(struct watch *w)
{
	struct cuv_cgroup_usage u;

	if (used(w, &u) == 0 && u.oom_kills > 0) {
		end_run(w, CAUSE_OOM);
		return;
	}
	w->oom_check_ns = w->oom_checks_left-- > 0 ? cuv_deadline_ms(OOM_CHECK_MS) : CUV_NEVER;
}

static void on_oom_notice(struct watch *w)
{
	char text[256];

	/* An eventfd is emptied, memory.events read anew: both arm it again. */
	if ((w->k->oom_events & POLLPRI ? pread(w->k->oom_fd, text, sizeof(text), 0)
					: read(w->k->oom_fd, text, sizeof(uint64_t))) < 0)
		return;
	w->oom_checks_left = OOM_CHECKS;
	check_oom(w);
}

static void on_failed(struct watch *w, const struct cuv_box_event *e)
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
	else
		cuv_error_set(&w->err, CUV_E_INTERNAL, "the box could not be made: %s (%s)", cuv_stage_text(e->stage),
			      strerror(e->error));
	w->ended.stage = e->stage;
	end_run(w, CAUSE_FAILED);
}

static void on_status(struct watch *w)
{
	struct cuv_box_event e;
	ssize_t n;

	for (;;) {
		n = recv(w->k->status, &e, sizeof(e), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
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
			end_run(w, CAUSE_ENDED);
			break;
		case CUV_BOX_FAILED:
			on_failed(w, &e);
			break;
		}
	}
}

static void on_dead(struct watch *w)
{
	int status;

	if (w->k->status >= 0)
		on_status(w);
	while (wait4(w->k->init, &status, 0, &w->init_usage) < 0 && errno == EINTR)
		;
	w->dead = true;
	w->k->init_fd = cuv_close(w->k->init_fd);
	if (w->cause == CAUSE_NONE) {
		cuv_error_set(&w->err, CUV_E_INTERNAL, "the run's supervisor was killed");
		end_run(w, CAUSE_FAILED);
	}
	w->deadline_ns = cuv_deadline_ms(DELIVER_MS);
}

static uint64_t started_ns(const struct watch *w)
{
	return w->k->box.shared ? w->k->box.shared->started_ns : 0;
}

/* Of a box that still lives: has its time run out? The start is looked up only
 * now, so that nobody is woken when a program starts. */
static void on_run_deadline(struct watch *w)
{
	const uint64_t started = started_ns(w), now = cuv_now_ns();
	const uint64_t wall_ns = w->k->task.run.limits.value[CUV_LIMIT_WALL] * CUV_NS_PER_MS;

	if (started && now >= started + wall_ns) {
		end_run(w, CAUSE_WALL);
	} else if (started) {
		w->deadline_ns = started + wall_ns;
	} else if (now >= w->setup_deadline_ns) {
		cuv_error_set(&w->err, CUV_E_INTERNAL, "the box was not ready in time");
		end_run(w, CAUSE_FAILED);
	} else {
		w->deadline_ns = CUV_MIN(now + wall_ns, w->setup_deadline_ns);
	}
}

static void on_deadline(struct watch *w)
{
	if (w->cause == CAUSE_NONE) {
		on_run_deadline(w);
	} else if (!w->dead) {
		w->lost = w->dead = true; /* as far as this run is concerned */
		w->deadline_ns = cuv_deadline_ms(DELIVER_MS);
	} else {
		/* The client does not take the rest, or an end of a pipe is held. */
		cuv_pump_abandon(&w->k->pump);
		cuv_pump_done(&w->k->pump);
	}
}

/* The client may only listen: whatever else it does ends the run. */
static void on_session(struct watch *w)
{
	cuv_pump_abandon(&w->k->pump);
	end_run(w, CAUSE_CANCELLED);
}

enum { P_SESSION, P_INIT, P_STATUS, P_OOM, P_OUT, P_ERR, P_N };

static void poll_once(struct watch *w)
{
	struct cuv_keeper *k = w->k;
	const short reading = k->pump.has_pending ? 0 : POLLIN;
	struct pollfd p[P_N] = {
		[P_SESSION] = {.fd = k->pump.session,
			       .events = (short)(POLLIN | POLLRDHUP | (k->pump.has_pending ? POLLOUT : 0))},
		[P_INIT] = {.fd = w->dead ? -1 : k->init_fd, .events = POLLIN},
		[P_STATUS] = {.fd = k->status, .events = POLLIN},
		[P_OOM] = {.fd = w->cause == CAUSE_NONE ? k->oom_fd : -1, .events = k->oom_events},
		[P_OUT] = {.fd = reading ? k->pump.stream[0].fd : -1, .events = reading},
		[P_ERR] = {.fd = reading ? k->pump.stream[1].fd : -1, .events = reading},
	};
	uint64_t next = CUV_MIN(w->deadline_ns, CUV_MIN(w->cpu_check_ns, w->oom_check_ns)), now;
	size_t i;

	if (poll(p, P_N, cuv_deadline_poll_ms(next)) < 0)
		return; /* EINTR; the signals that matter are not caught */
	if (p[P_STATUS].revents)
		on_status(w);
	if (p[P_SESSION].revents & POLLOUT)
		cuv_pump_flush(&k->pump);
	if (p[P_SESSION].revents & ~POLLOUT)
		on_session(w);
	if (p[P_OOM].revents)
		on_oom_notice(w);
	for (i = 0; i < CUV_STREAMS; i++)
		if (p[P_OUT + i].revents && !k->pump.has_pending)
			cuv_pump_step(&k->pump, i);
	if (cuv_pump_truncated(&k->pump))
		end_run(w, CAUSE_OUTPUT);
	if (p[P_INIT].revents)
		on_dead(w);
	now = cuv_now_ns();
	if (now >= w->cpu_check_ns)
		check_cpu(w);
	if (now >= w->oom_check_ns)
		check_oom(w);
	if (now >= w->deadline_ns)
		on_deadline(w);
}

static enum cuv_run_status status_of(const struct watch *w, const struct cuv_cgroup_usage *u, bool *ret_cpu)
{
	const uint64_t cpu_limit_ns = cuv_limits_cpu_ms(&w->k->task.run.limits) * CUV_NS_PER_MS;
	const int wait_status = w->ended.wait_status;

	*ret_cpu = w->cause == CAUSE_CPU;
	if (w->cause == CAUSE_OOM || u->oom_kills > 0)
		return CUV_RUN_OUT_OF_MEMORY;
	if (w->cause == CAUSE_WALL || w->cause == CAUSE_CPU)
		return CUV_RUN_TIMEOUT;
	if (cuv_pump_truncated(&w->k->pump))
		return CUV_RUN_OUTPUT_LIMIT;
	if (WIFSIGNALED(wait_status)) {
		/* RLIMIT_CPU strikes as SIGKILL too. */
		*ret_cpu = WTERMSIG(wait_status) == SIGKILL && u->cpu_user_ns + u->cpu_system_ns >= cpu_limit_ns;
		return *ret_cpu ? CUV_RUN_TIMEOUT : CUV_RUN_KILLED;
	}
	return WEXITSTATUS(wait_status) == 0 ? CUV_RUN_SUCCESS : CUV_RUN_ERROR;
}

static uint64_t timeval_ns(struct timeval t)
{
	return (uint64_t)t.tv_sec * CUV_NS_PER_S + (uint64_t)t.tv_usec * 1000;
}

static void make_result(const struct watch *w, struct cuv_run_result *ret)
{
	const struct rusage *all = &w->init_usage; /* init waited for everything */
	const unsigned have = w->k->seat->cgroups->controllers;
	const uint64_t started = started_ns(w);
	struct cuv_cgroup_usage u = {0};
	struct cuv_run_result m = {0};
	int wait_status = w->cause == CAUSE_ENDED ? w->ended.wait_status : SIGKILL;

	(void)used(w, &u);
	if (!(have & CUV_CG_CPUACCT)) {
		u.cpu_user_ns = timeval_ns(all->ru_utime);
		u.cpu_system_ns = timeval_ns(all->ru_stime);
	}
	if (!(have & CUV_CG_MEMORY))
		u.memory_peak_bytes =
			(uint64_t)(w->cause == CAUSE_ENDED ? w->ended.usage.ru_maxrss : all->ru_maxrss) * 1024;
	m.status = status_of(w, &u, &m.cpu_timeout);
	m.signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
	m.exit_code = m.signal ? 128 + m.signal : WEXITSTATUS(wait_status);
	m.wall_ns = started && w->end_ns > started ? w->end_ns - started : 0;
	m.cpu_user_ns = u.cpu_user_ns;
	m.cpu_system_ns = u.cpu_system_ns;
	m.max_memory_bytes = u.memory_peak_bytes;
	m.stdout_truncated = w->k->pump.stream[0].truncated;
	m.stderr_truncated = w->k->pump.stream[1].truncated;
	*ret = m;
}

static void log_end(const struct watch *w, const char *status, const struct cuv_run_result *m)
{
	const struct cuv_task *t = &w->k->task;
	const struct cuv_seat *seat = w->k->seat;
	uint64_t start = started_ns(w) ? started_ns(w) : cuv_now_ns();

	if (seat->probe)
		return;
	cuv_log(CUV_LOG_INFO, "run-done", CUV_S("run_id", t->run.run_id), CUV_S("status", status),
		CUV_I("exit_code", m->exit_code), CUV_I("slot", seat->slot),
		CUV_I("setup_us", (start - t->came_ns) / 1000), CUV_I("wall_us", m->wall_ns / 1000),
		CUV_I("cpu_us", (m->cpu_user_ns + m->cpu_system_ns) / 1000), CUV_I("memory_bytes", m->max_memory_bytes),
		CUV_I("stdout_bytes", w->k->pump.stream[0].sent), CUV_I("stderr_bytes", w->k->pump.stream[1].sent));
}

/* Waits until what is held has been sent, or the client is gone. */
static void deliver(struct cuv_pump *p, uint64_t deadline_ns)
{
	while (p->has_pending) {
		struct pollfd s = {.fd = p->session, .events = POLLOUT | POLLRDHUP};
		int n = poll(&s, 1, cuv_deadline_poll_ms(deadline_ns));

		if (n == 0 || (n > 0 && (s.revents & (POLLRDHUP | POLLHUP | POLLERR))))
			cuv_pump_abandon(p);
		cuv_pump_flush(p);
	}
}

/* Sends the last frame, waiting for a slow client within bounds; then the
 * session is over for good, so that nobody can add to it. */
static void send_last(struct watch *w, struct cuv_writer *last)
{
	uint64_t deadline = cuv_deadline_ms(DELIVER_MS);

	deliver(&w->k->pump, deadline);
	cuv_pump_send(&w->k->pump, last);
	deliver(&w->k->pump, deadline);
	(void)shutdown(w->k->task.session, SHUT_RDWR);
}

static void report(struct watch *w)
{
	struct cuv_run_result m = {0};
	struct cuv_writer last;

	if (w->cause == CAUSE_FAILED && !started_ns(w) && w->k->has_cgroup) {
		struct cuv_cgroup_usage u;

		/* A memory limit that is too small even for the start. */
		if (used(w, &u) == 0 && u.oom_kills > 0)
			w->cause = CAUSE_OOM;
	}
	if (w->cause == CAUSE_CANCELLED) {
		log_end(w, "cancelled", &m);
		(void)shutdown(w->k->task.session, SHUT_RDWR);
		return;
	}
	if (w->cause == CAUSE_FAILED) {
		cuv_log(CUV_LOG_ERROR, "run-failed", CUV_S("run_id", w->k->task.run.run_id),
			CUV_S("why", w->err.message), CUV_I("slot", w->k->seat->slot));
		cuv_writer_init(&last, CUV_MSG_FAILURE);
		cuv_failure_put(&last, &w->err);
		send_last(w, &last);
		return;
	}
	make_result(w, &m);
	cuv_writer_init(&last, CUV_MSG_RUN_RESULT);
	cuv_run_result_put(&last, &m);
	send_last(w, &last);
	log_end(w, cuv_run_status_name(m.status), &m);
}

/* What may be done with the slot now. All of it after the answer is out. */
static enum cuv_keeper_exit look_over_slot(struct watch *w)
{
	_cleanup_buf_ struct cuv_buf print = CUV_BUF_INIT(CUV_NET_PRINT_MAX);
	struct cuv_keeper *k = w->k;

	if (w->lost)
		return CUV_KEEPER_SLOT_LOST;
	if (k->has_cgroup) {
		if (cuv_cgroup_slot_is_empty(&k->cgroup) != 1 && cuv_cgroup_slot_kill(&k->cgroup, EMPTY_WAIT_MS) < 0)
			return CUV_KEEPER_SLOT_LOST;
		if (!k->seat->cgroups->ops->is_fresh(&k->cgroup) && cuv_cgroup_slot_renew(&k->cgroup) < 0)
			return CUV_KEEPER_SLOT_LOST;
	}
	if (cuv_net_print(k->seat->host->proc_fd, &print) < 0 || strcmp(cuv_buf_str(&print), k->seat->net_print) != 0)
		return CUV_KEEPER_NET_USED;
	return CUV_KEEPER_CLEAN;
}

static int keeper_start(const struct cuv_seat *t, pid_t launcher)
{
	int keep[5 + CUV_CGROUP_HIERARCHIES_MAX] = {t->orders, t->ns.net, t->ns.ipc, t->ns.uts, t->host->proc_fd};
	size_t n = 5, i;

	(void)prctl(PR_SET_NAME, "cuvette-keeper");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != launcher)
		return -ESRCH;
	/* Sessions' descriptors would keep them open when their clients are gone. */
	for (i = 0; i < t->cgroups->n; i++)
		keep[n++] = t->cgroups->hierarchy[i].instance_fd;
	(void)cuv_write_file_at(t->host->proc_fd, "self/oom_score_adj", OOM_SCORE);
	return cuv_close_others(keep, n);
}

static int probe_exit(const struct watch *w)
{
	if (w->cause == CAUSE_ENDED && WIFEXITED(w->ended.wait_status)) {
		int code = WEXITSTATUS(w->ended.wait_status);

		return code == 0 ? CUV_KEEPER_CLEAN : CUV_KEEPER_PROBE_FAILED + code - 1;
	}
	if (w->cause == CAUSE_FAILED && w->ended.stage < _CUV_STAGE_MAX)
		return CUV_KEEPER_PROBE_FAILED + (int)cuv_stage_layer(w->ended.stage);
	return CUV_KEEPER_PROBE_FAILED + CUV_LAYER_NAMESPACES;
}

/* Waits for the task, with the box half-way. Without one there is nothing to do
 * but to end: the box goes with us. So it does when init has been killed, before
 * a run is given to a dead box. */
static void wait_for_task(struct cuv_keeper *k)
{
	struct pollfd p[2] = {{.fd = k->seat->orders, .events = POLLIN}, {.fd = k->init_fd, .events = POLLIN}};

	while (poll(p, 2, -1) < 0 && errno == EINTR)
		;
	if (p[1].revents && !p[0].revents)
		_exit(CUV_KEEPER_CLEAN);
	if (cuv_task_recv(k->seat->orders, &k->task) != 0 || cuv_set_nonblock(k->task.session, true) < 0)
		_exit(CUV_KEEPER_CLEAN);
	cuv_pump_init(&k->pump, k->task.session, TAKE_FD(k->out), TAKE_FD(k->err), &k->task.run.limits);
}

/* Said when the order is out rather than when the program has executed: nobody has
 * to be woken for it, and it is less than a millisecond off. */
static void say_started(struct cuv_keeper *k)
{
	struct cuv_writer w;

	cuv_writer_init(&w, CUV_MSG_RUN_STARTED);
	cuv_pump_send(&k->pump, &w);
}

void cuv_keeper_main(const struct cuv_seat *seat, pid_t launcher)
{
	struct cuv_keeper k = {.seat = seat, .task = {.session = -1}};
	struct watch w = {.k = &k, .cpu_check_ns = CUV_NEVER, .oom_check_ns = CUV_NEVER, .err = CUV_ERROR_INIT};
	int r;

	w.ended.stage = CUV_STAGE_FORK;
	k.box.status = k.box.order = k.box.out = k.box.err = -1;
	k.oom_fd = k.init_fd = k.mount_ns = k.status = k.order = k.out = k.err = -1;
	if (keeper_start(seat, launcher) < 0)
		_exit(CUV_KEEPER_SLOT_LOST);
	r = cuv_keeper_begin(&k, &w.err);
	if (r == 0) {
		r = cuv_privileges_keep_kill();
		if (r < 0)
			cuv_error_set(&w.err, CUV_E_INTERNAL, "the keeper could not give up its rights");
	}
	wait_for_task(&k);
	w.setup_deadline_ns = cuv_deadline_ms(SETUP_MS);
	if (r == 0)
		r = cuv_keeper_order(&k, &w.err);
	w.deadline_ns = cuv_deadline_ms(k.task.run.limits.value[CUV_LIMIT_WALL]);
	w.cpu_check_ns = 0;
	if (r == 0) {
		say_started(&k);
	} else {
		end_run(&w, CAUSE_FAILED);
		w.dead = k.init <= 0;
	}
	while (!w.dead || (w.cause != CAUSE_FAILED && !cuv_pump_finished(&k.pump)))
		poll_once(&w);
	report(&w);
	_exit(seat->probe ? probe_exit(&w) : (int)look_over_slot(&w));
}
