/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/slots.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KILL_WAIT_MS 2000
#define STOP_PAUSE_NS 2000000

void cuv_slots_init(struct cuv_slots *s, unsigned boxes, unsigned standby_max, const struct cuv_host *host,
		    const struct cuv_cgroups *cgroups)
{
	const unsigned n = boxes + CUV_STREAM_RUNS_MAX;
	unsigned i;

	cuv_assert(boxes > 0 && n <= CUV_BOXES_MAX);
	*s = (struct cuv_slots){.host = host, .cgroups = cgroups, .n = n, .next_id = n, .standby_max = standby_max};
	cuv_buf_init(&s->net_print, CUV_NET_PRINT_MAX);
	for (i = 0; i < n; i++)
		s->slot[i] = (struct cuv_slot){.id = i, .ns = CUV_SLOTNS_INIT, .session = -1, .orders = -1};
}

/* Makes the slot's namespaces if it has none. The first network made also shows what a
 * new one looks like. */
static int ready_ns(struct cuv_slots *s, struct cuv_slot *slot)
{
	if (slot->ns.net >= 0)
		return 0;
	return cuv_slotns_make(s->host->proc_fd, &slot->ns, s->net_print.len ? NULL : &s->net_print);
}

/* A slot where a keeper stands by, or one without a keeper. */
static struct cuv_slot *find_slot(struct cuv_slots *s, bool standing_by)
{
	unsigned i;

	for (i = 0; i < s->n; i++)
		if (standing_by ? s->slot[i].orders >= 0 : s->slot[i].keeper == 0)
			return &s->slot[i];
	return NULL;
}

static void refuse(int session, const char *run_id, const char *what, int r)
{
	struct cuv_error err;

	cuv_error_set(&err, CUV_E_INTERNAL, "%s (%s); the request can be sent again", what, strerror(-r));
	cuv_log(CUV_LOG_ERROR, "run-failed", CUV_S("run_id", run_id), CUV_S("why", err.message));
	(void)cuv_failure_send(session, &err);
}

/* Forks a keeper for the slot; it stands by until it gets a task. */
static int start_keeper(struct cuv_slots *s, struct cuv_slot *slot)
{
	struct cuv_seat seat = {.host = s->host, .cgroups = s->cgroups, .slot = slot->id};
	const pid_t self = getpid();
	int orders[2], r = ready_ns(s, slot);

	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, orders) < 0)
		return -errno;
	seat.ns = slot->ns;
	seat.net_print = cuv_buf_str(&s->net_print);
	seat.orders = orders[1];
	slot->keeper = fork();
	if (slot->keeper == 0)
		cuv_keeper_main(&seat, self);
	r = slot->keeper < 0 ? -errno : 0;
	cuv_close(orders[1]);
	if (r < 0) {
		slot->keeper = 0;
		cuv_close(orders[0]);
		return r;
	}
	slot->orders = orders[0];
	s->standby++;
	return 0;
}

void cuv_slots_stand_by(struct cuv_slots *s)
{
	while (s->standby < s->standby_max) {
		struct cuv_slot *slot = find_slot(s, false);

		if (!slot || start_keeper(s, slot) < 0)
			return; /* a run that needs one tries again, and says what is wrong */
	}
}

static unsigned *counter(struct cuv_slots *s, const struct cuv_slot *slot)
{
	return slot->stream ? &s->streams : &s->busy;
}

void cuv_slots_start(struct cuv_slots *s, struct cuv_task *task)
{
	struct cuv_slot *slot = find_slot(s, true);
	int r = 0;

	if (!slot) {
		slot = find_slot(s, false);
		cuv_assert(slot);
		r = start_keeper(s, slot);
	}
	if (r == 0) {
		r = cuv_task_send(task, slot->orders);
		slot->orders = cuv_close(slot->orders);
		s->standby--;
		slot->stream = task->run.stream;
		*counter(s, slot) += 1;
		slot->session = TAKE_FD(task->session);
		snprintf(slot->run_id, sizeof(slot->run_id), "%s", task->run.run_id);
		if (r < 0) /* it has died; what else there is to do is done when it is reaped */
			refuse(slot->session, slot->run_id, "the run's keeper died", r);
	} else {
		refuse(task->session, task->run.run_id, "no process can be started for the run", r);
	}
	cuv_task_done(task);
}

/* Another identity for a slot whose old one may still have processes. */
static void replace_slot(struct cuv_slots *s, struct cuv_slot *slot)
{
	s->lost++;
	cuv_log(CUV_LOG_ERROR, "slot-lost", CUV_I("slot", slot->id), CUV_I("lost", s->lost));
	cuv_slotns_done(&slot->ns);
	if (s->next_id < CUV_BOXES_MAX) {
		slot->id = s->next_id++;
		return;
	}
	/* None is left: one place fewer. */
	s->n--;
	*slot = s->slot[s->n];
	s->slot[s->n] = (struct cuv_slot){.ns = CUV_SLOTNS_INIT, .session = -1, .orders = -1};
}

/* A keeper that died in the middle: its box died with it (or is about to). */
static int clear_slot(struct cuv_slots *s, const struct cuv_slot *slot)
{
	struct cuv_cgroup_slot c;
	int r;

	if (!s->cgroups->ops)
		return 0;
	r = cuv_cgroup_slot_open(s->cgroups, slot->id, &c);
	if (r < 0)
		return r;
	r = cuv_cgroup_slot_kill(&c, KILL_WAIT_MS);
	cuv_cgroup_slot_close(&c);
	return r;
}

/* Tells the client of a keeper that ended as none should. Those that have their
 * answer already don't hear it: their session is shut. */
static void answer_for(struct cuv_slots *s, const struct cuv_slot *slot, int code)
{
	struct cuv_error err;

	if (s->stopping) {
		cuv_error_set(&err, CUV_E_DRAINING, "the service is stopping");
		(void)cuv_failure_send(slot->session, &err);
	} else if (code == CUV_KEEPER_SLOT_LOST) {
		cuv_error_set(&err, CUV_E_INTERNAL,
			      "the run's slot could not be cleared; the request can be sent again");
		(void)cuv_failure_send(slot->session, &err);
	} else {
		refuse(slot->session, slot->run_id, "the run's keeper died", -ECHILD);
	}
}

/* Returns whether it had a task. */
static bool keeper_ended(struct cuv_slots *s, struct cuv_slot *slot, const siginfo_t *info)
{
	const int code = info->si_code == CLD_EXITED ? info->si_status : -1;
	const bool had_task = slot->orders < 0;
	const bool as_it_should = code == CUV_KEEPER_CLEAN || code == CUV_KEEPER_NET_USED;

	slot->keeper = 0;
	if (had_task)
		*counter(s, slot) -= 1;
	else
		s->standby--;
	if (had_task && !as_it_should)
		answer_for(s, slot, code);
	if (code != CUV_KEEPER_CLEAN)
		cuv_slotns_done(&slot->ns);
	slot->session = cuv_close(slot->session);
	slot->orders = cuv_close(slot->orders);
	if (code == CUV_KEEPER_SLOT_LOST || (!as_it_should && clear_slot(s, slot) < 0))
		replace_slot(s, slot);
	else if (!s->stopping)
		(void)ready_ns(s, slot); /* now, not when a run waits for it */
	return had_task;
}

bool cuv_slots_reap(struct cuv_slots *s)
{
	bool any = false;

	for (;;) {
		siginfo_t info = {0};
		unsigned i;

		/* Any child: one that is not known must not stay a zombie either. */
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
			return any;
		for (i = 0; i < s->n; i++)
			if (s->slot[i].keeper == info.si_pid) {
				any |= keeper_ended(s, &s->slot[i], &info);
				break;
			}
	}
}

void cuv_slots_stop(struct cuv_slots *s, uint64_t wait_ms)
{
	uint64_t deadline = cuv_deadline_ms(wait_ms);
	unsigned i;

	s->stopping = true;
	for (i = 0; i < s->n; i++)
		if (s->slot[i].keeper > 0)
			(void)kill(s->slot[i].keeper, SIGKILL);
	for (;;) {
		(void)cuv_slots_reap(s);
		if (s->busy + s->streams + s->standby == 0 || cuv_now_ns() >= deadline)
			break;
		nanosleep(&(struct timespec){.tv_nsec = STOP_PAUSE_NS}, NULL);
	}
	for (i = 0; i < s->n; i++)
		cuv_slotns_done(&s->slot[i].ns);
	cuv_buf_done(&s->net_print);
}
