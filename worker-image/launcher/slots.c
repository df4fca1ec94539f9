/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/slots.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KILL_WAIT_MS 2000
#define STOP_PAUSE_NS 2000000

void cuv_slots_init(struct cuv_slots *s, unsigned n, const struct cuv_host *host, const struct cuv_cgroups *cgroups)
{
	unsigned i;

	cuv_assert(n > 0 && n <= CUV_BOXES_MAX);
	*s = (struct cuv_slots){.host = host, .cgroups = cgroups, .n = n, .next_id = n};
	cuv_buf_init(&s->net_print, CUV_NET_PRINT_MAX);
	for (i = 0; i < n; i++)
		s->slot[i] = (struct cuv_slot){.id = i, .ns = CUV_SLOTNS_INIT, .session = -1};
}

/* Makes the slot's namespaces if it has none. The first network made also shows what a
 * new one looks like. */
static int ready_ns(struct cuv_slots *s, struct cuv_slot *slot)
{
	if (slot->ns.net >= 0)
		return 0;
	return cuv_slotns_make(s->host->proc_fd, &slot->ns, s->net_print.len ? NULL : &s->net_print);
}

static struct cuv_slot *free_slot(struct cuv_slots *s)
{
	unsigned i;

	for (i = 0; i < s->n; i++)
		if (s->slot[i].keeper == 0)
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

void cuv_slots_start(struct cuv_slots *s, struct cuv_task *task)
{
	struct cuv_slot *slot = free_slot(s);
	const pid_t self = getpid();
	size_t i;
	int r;

	cuv_assert(slot);
	r = ready_ns(s, slot);
	if (r == 0) {
		task->host = s->host;
		task->cgroups = s->cgroups;
		task->slot = slot->id;
		task->ns = slot->ns;
		task->net_print = cuv_buf_str(&s->net_print);
		slot->keeper = fork();
		if (slot->keeper == 0)
			cuv_keeper_main(task, self);
		if (slot->keeper < 0)
			r = -errno;
	}
	for (i = 0; i < task->n_fds; i++)
		task->fds[i] = cuv_close(task->fds[i]);
	if (r < 0) {
		slot->keeper = 0;
		refuse(task->session, task->run.run_id, "no process can be started for the run", r);
		task->session = cuv_close(task->session);
		return;
	}
	slot->session = TAKE_FD(task->session);
	snprintf(slot->run_id, sizeof(slot->run_id), "%s", task->run.run_id);
	s->busy++;
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
	s->slot[s->n] = (struct cuv_slot){.ns = CUV_SLOTNS_INIT, .session = -1};
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

static void keeper_ended(struct cuv_slots *s, struct cuv_slot *slot, const siginfo_t *info)
{
	const int code = info->si_code == CLD_EXITED ? info->si_status : -1;
	struct cuv_error err;

	slot->keeper = 0;
	s->busy--;
	if (code == CUV_KEEPER_NET_USED) {
		cuv_slotns_done(&slot->ns);
	} else if (code == CUV_KEEPER_SLOT_LOST) {
		/* A keeper that could not even begin has not answered. */
		refuse(slot->session, slot->run_id, "the run's slot could not be cleared", -EBUSY);
	} else if (s->stopping) {
		/* Heard only by those that have no answer yet. */
		cuv_error_set(&err, CUV_E_DRAINING, "the service is stopping");
		(void)cuv_failure_send(slot->session, &err);
	} else if (code != CUV_KEEPER_CLEAN) {
		refuse(slot->session, slot->run_id, "the run's keeper died", -ECHILD);
		cuv_slotns_done(&slot->ns);
	}
	slot->session = cuv_close(slot->session);
	if (code == CUV_KEEPER_SLOT_LOST ||
	    (code != CUV_KEEPER_CLEAN && code != CUV_KEEPER_NET_USED && clear_slot(s, slot) < 0))
		replace_slot(s, slot);
	else if (!s->stopping)
		(void)ready_ns(s, slot); /* now, not when a run waits for it */
}

void cuv_slots_reap(struct cuv_slots *s)
{
	for (;;) {
		siginfo_t info = {0};
		unsigned i;

		/* Any child: one that is not known must not stay a zombie either. */
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
			return;
		for (i = 0; i < s->n; i++)
			if (s->slot[i].keeper == info.si_pid) {
				keeper_ended(s, &s->slot[i], &info);
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
		cuv_slots_reap(s);
		if (s->busy == 0 || cuv_now_ns() >= deadline)
			break;
		nanosleep(&(struct timespec){.tv_nsec = STOP_PAUSE_NS}, NULL);
	}
	for (i = 0; i < s->n; i++)
		cuv_slotns_done(&s->slot[i].ns);
	cuv_buf_done(&s->net_print);
}
