/* SPDX-License-Identifier: MIT */
/*
 * A keeper's life: it begins a box and waits for a run, puts it in, watches it
 * (watch.c), answers (result.c), and looks over the slot.
 */
#include "worker-image/launcher/keeper.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "worker-image/launcher/privileges.h"
#include "worker-image/launcher/watch.h"

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

#define EMPTY_WAIT_MS 2000
#define RUNS_MAX 256 /* of one keeper in a zygote */
#define COUNT_MS 20  /* a box that nobody wants for so long is ready, and its counters at rest */
/* A run that waits does nothing: what its counters say more than when it came to wait is its packages'
 * work, for nobody. */
#define LOOK_MS 1000
#define IDLE_CPU_NS (50 * CUV_NS_PER_MS)
#define IDLE_BYTES (16ull * 1024 * 1024)
#define TASK_WAIT_MS 100 /* a task that a keeper was made for comes at once */
#define END_WAITING_MS 1000
#define OOM_SCORE "500" /* under pressure the host should take a run, not a service */

/* What may be done with the slot now. All of it after the answer is out. */
static enum cuv_keeper_exit look_over_slot(struct cuv_watch *w)
{
	_cleanup_buf_ struct cuv_buf print = CUV_BUF_INIT(CUV_NET_PRINT_MAX);
	struct cuv_keeper *k = w->k;

	if (w->lost)
		return CUV_KEEPER_SLOT_LOST;
	if (k->has_cgroup) {
		if (cuv_cgroup_slot_is_empty(&k->cgroup) != 1 && cuv_cgroup_slot_kill(&k->cgroup, EMPTY_WAIT_MS) < 0)
			return CUV_KEEPER_SLOT_UNSURE;
		if (!k->seat->cgroups->ops->is_fresh(&k->cgroup) && cuv_cgroup_slot_renew(&k->cgroup) < 0)
			return CUV_KEEPER_SLOT_UNSURE;
	}
	if (cuv_keeper_is_joined(k))
		return CUV_KEEPER_CLEAN; /* the network is the box maker's to look over */
	if (cuv_net_print(k->seat->host->proc_fd, &print) < 0 || strcmp(cuv_buf_str(&print), k->seat->net_print) != 0)
		return CUV_KEEPER_NET_USED;
	return CUV_KEEPER_CLEAN;
}

int cuv_keeper_start(const struct cuv_seat *t, pid_t launcher)
{
	int keep[9 + CUV_CGROUP_HIERARCHIES_MAX] = {t->orders,	    t->ns.net,	      t->ns.ipc,
						    t->ns.uts,	    t->host->proc_fd, t->boxes,
						    t->maker_boxes, t->maker_control, t->zygote};
	size_t n = 9, i;

	(void)prctl(PR_SET_NAME, "cuvette-keeper");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != launcher)
		return -ESRCH;
	/* Sessions' descriptors would keep them open when their clients are gone. */
	for (i = 0; i < t->cgroups->n; i++)
		keep[n++] = t->cgroups->hierarchy[i].instance_fd;
	(void)cuv_write_file_at(t->host->proc_fd, "self/oom_score_adj", OOM_SCORE);
	return cuv_close_others(keep, n);
}

void cuv_keeper_init(struct cuv_keeper *k, const struct cuv_seat *seat)
{
	*k = (struct cuv_keeper){.seat = seat, .task = {.session = -1}};
	k->box.status = k->box.order = k->box.out = k->box.err = -1;
	k->box.boxes = k->box.control = k->box.zygote = -1;
	k->oom_fd = k->init_fd = k->mount_ns = k->status = k->order = k->out = k->err = -1;
}

static int probe_exit(const struct cuv_watch *w)
{
	if (w->cause == CUV_CAUSE_ENDED && WIFEXITED(w->ended.wait_status)) {
		int code = WEXITSTATUS(w->ended.wait_status);

		return code == 0 ? CUV_KEEPER_CLEAN : CUV_KEEPER_PROBE_FAILED + code - 1;
	}
	if (w->cause == CUV_CAUSE_FAILED && w->ended.stage < _CUV_STAGE_MAX)
		return CUV_KEEPER_PROBE_FAILED + (int)cuv_stage_layer(w->ended.stage);
	return CUV_KEEPER_PROBE_FAILED + CUV_LAYER_NAMESPACES;
}

/* A run that waits in a zygote is in the slot's cgroup, which is not as new before it
 * is gone; where it does not go in time, whoever has the slot next sees it. */
static void end_waiting(struct cuv_keeper *k)
{
	struct pollfd p = {.events = POLLIN};

	/* The box maker may be about to put it there. */
	if (!cuv_keeper_is_joined(k) || cuv_joined_until_made(k, END_WAITING_MS) < 0)
		return;
	p.fd = k->init_fd;
	(void)syscall(SYS_pidfd_send_signal, k->init_fd, SIGKILL, NULL, 0);
	(void)poll(&p, 1, END_WAITING_MS);
}

static bool is_idle(struct cuv_keeper *k)
{
	struct cuv_cgroup_usage u;

	if (!k->has_cgroup || k->seat->cgroups->ops->read_usage(&k->cgroup, &u) < 0)
		return true;
	return u.cpu_user_ns + u.cpu_system_ns <= k->before.cpu_user_ns + k->before.cpu_system_ns + IDLE_CPU_NS &&
	       u.memory_peak_bytes <= k->before.memory_peak_bytes + IDLE_BYTES;
}

/* Waits for the task, with the box half-way. Without one there is nothing to do
 * but to end: the box goes with us. So it does when init has been killed, before
 * a run is given to a dead box. */
static void wait_for_task(struct cuv_keeper *k)
{
	struct pollfd p[3] = {{.fd = k->seat->orders, .events = POLLIN},
			      {.fd = k->init_fd, .events = POLLIN},
			      {.fd = cuv_keeper_is_joined(k) ? k->status : -1, .events = POLLIN}};
	bool tried = false;
	int r;

	for (;;) {
		p[1].fd = k->init_fd; /* in a zygote it comes later */
		r = poll(p, 3, k->waiting && k->counted ? LOOK_MS : tried || k->counted ? -1 : COUNT_MS);
		if (r == 0 && k->waiting && k->counted) {
			if (is_idle(k))
				continue;
			end_waiting(k); /* its slot is to be as new */
			_exit(CUV_KEEPER_GIVEN_BACK);
		} else if (r == 0) {
			tried = true; /* what does not work now is tried again, and told of, when there is a run */
			k->counted = cuv_keeper_count(k) == 0;
		}
		if (r <= 0)
			continue; /* EINTR */
		if (p[2].revents && cuv_joined_on_status(k) < 0)
			_exit(CUV_KEEPER_GIVEN_BACK);
		if (p[0].revents)
			break;
		if (p[1].revents)
			_exit(CUV_KEEPER_GIVEN_BACK);
	}
	r = cuv_task_recv(k->seat->orders, &k->task);
	if (r == 1) { /* nobody needs us; a probe that was not made proves nothing */
		end_waiting(k);
		_exit(k->seat->probe ? CUV_KEEPER_GIVEN_BACK : CUV_KEEPER_CLEAN);
	}
	if (r < 0 || cuv_set_nonblock(k->task.session, true) < 0)
		_exit(CUV_KEEPER_GIVEN_BACK);
	cuv_pump_init(&k->pump, k->task.session, TAKE_FD(k->out), TAKE_FD(k->err), &k->task.run.limits);
}

/* A box of its own: whatever goes wrong is told to the client. */
static int begin(struct cuv_keeper *k, struct cuv_error *err)
{
	int r = cuv_keeper_begin(k, err);

	if (r == 0) {
		r = cuv_privileges_keep_kill();
		if (r < 0)
			cuv_error_set(err, CUV_E_INTERNAL, "the keeper could not give up its rights");
	}
	return r;
}

/* A box in a zygote: whatever goes wrong, the run can still have one of its own. */
static void begin_joined(struct cuv_keeper *k, bool prefork)
{
	if (cuv_joined_begin(k, prefork) < 0 || cuv_privileges_keep_kill() < 0)
		_exit(CUV_KEEPER_GIVEN_BACK);
}

/* Could not begin. Whoever is meant to have the box now is told why; without a
 * task that would be whoever comes next, when there may be no reason any more. */
static void wait_for_blame(const struct cuv_keeper *k)
{
	struct pollfd p = {.fd = k->seat->orders, .events = POLLIN};

	if (!k->seat->probe && (poll(&p, 1, TASK_WAIT_MS) <= 0 || !(p.revents & POLLIN)))
		_exit(CUV_KEEPER_GIVEN_BACK);
}

static void watch_and_report(struct cuv_keeper *k, struct cuv_watch *w, int begun)
{
	cuv_watch_start(w);
	if (begun != 0) {
		cuv_watch_end(w, CUV_CAUSE_FAILED);
		w->dead = k->init_fd < 0;
	}
	cuv_watch_run(w);
	cuv_report(w);
}

/* Lets go of the run and its box; the slot's cgroup stays as it is. */
static void forget_run(struct cuv_keeper *k)
{
	uint64_t count;

	cuv_task_done(&k->task);
	cuv_pump_done(&k->pump);
	k->init_fd = cuv_close(k->init_fd);
	k->mount_ns = cuv_close(k->mount_ns);
	k->status = cuv_close(k->status);
	k->order = cuv_close(k->order);
	k->out = cuv_close(k->out);
	k->err = cuv_close(k->err);
	k->counted = k->asked = k->waiting = false;
	if (k->oom_fd >= 0)
		(void)!read(k->oom_fd, &count, sizeof(count));
}

/* One run in a zygote after the other: a keeper, its cgroup and its limits can be
 * used again, and making them is a third of what a small run costs. */
_noreturn_ static void serve_joined(struct cuv_keeper *k)
{
	const char done = 'd';
	unsigned runs;

	for (runs = 1;; runs++) {
		struct cuv_watch w;

		begin_joined(k, runs == 1 ? k->seat->prefork : k->seat->pool);
		wait_for_task(k);
		if (cuv_joined_order(k) < 0)
			_exit(CUV_KEEPER_GIVEN_BACK);
		cuv_watch_init(&w, k);
		watch_and_report(k, &w, 0);
		cuv_watch_bury(&w); /* its client has the answer */
		if (w.lost || runs == RUNS_MAX || !k->has_cgroup || cuv_cgroup_slot_is_empty(&k->cgroup) != 1 ||
		    !k->seat->cgroups->ops->is_fresh(&k->cgroup))
			_exit((int)look_over_slot(&w));
		forget_run(k);
		if (send(k->seat->orders, &done, sizeof(done), MSG_NOSIGNAL) < 0)
			_exit(CUV_KEEPER_CLEAN);
	}
}

void cuv_keeper_main(const struct cuv_seat *seat, pid_t launcher)
{
	struct cuv_keeper k;
	struct cuv_watch w;
	int r;

	cuv_keeper_init(&k, seat);
	cuv_watch_init(&w, &k);
	if (cuv_keeper_start(seat, launcher) < 0)
		_exit(CUV_KEEPER_GIVEN_BACK);
	if (cuv_keeper_is_joined(&k))
		serve_joined(&k);
	r = begin(&k, &w.err);
	if (r < 0)
		wait_for_blame(&k);
	wait_for_task(&k);
	if (r == 0)
		r = cuv_keeper_order(&k, &w.err);
	watch_and_report(&k, &w, r);
	cuv_watch_bury(&w);
	_exit(seat->probe ? probe_exit(&w) : (int)look_over_slot(&w));
}
