/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/slots.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/lease.h"
#include "lib/base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CLEAR_MS 2000
#define CLEAR_PAUSE_MS 3
#define DOUBTS_MAX 3 /* a failed call is no reason to lose a slot, one that always fails is */
#define STOP_PAUSE_NS 2000000
/* Identities of slots; the others are the zygotes'. */
#define SLOT_IDS (CUV_IDENTITIES_MAX - CUV_ZYGOTES_MAX)

void cuv_slots_init(struct cuv_slots *s, unsigned max, unsigned standby_max, const struct cuv_zygotes_settings *zygotes,
		    const struct cuv_host *host, const struct cuv_cgroups *cgroups)
{
	const unsigned n = max + CUV_STREAM_RUNS_MAX + CUV_SLOTS_SPARE;
	unsigned i;

	cuv_assert(max > 0 && max <= CUV_BOXES_MAX);
	*s = (struct cuv_slots){.host = host,
				.cgroups = cgroups,
				.n = n,
				.max = max,
				.next_id = n,
				.n_made = n,
				.clear_ns = CUV_NEVER,
				.standby_max = CUV_MIN(standby_max, CUV_SLOTS_SPARE / 2)};
	cuv_zygotes_init(&s->zygotes, zygotes, host, cgroups);
	cuv_buf_init(&s->net_print, CUV_NET_PRINT_MAX);
	for (i = 0; i < n; i++)
		s->slot[i] =
			(struct cuv_slot){.id = i, .ns = CUV_SLOTNS_INIT, .session = -1, .orders = -1, .lease = -1};
}

/* Makes the slot's namespaces if it has none. The first network made also shows what a
 * new one looks like. */
static int ready_ns(struct cuv_slots *s, struct cuv_slot *slot)
{
	if (slot->ns.net >= 0)
		return 0;
	return cuv_slotns_make(s->host->proc_fd, &slot->ns, s->net_print.len ? NULL : &s->net_print);
}

static bool stands_by(const struct cuv_slot *slot)
{
	return slot->keeper > 0 && !slot->task;
}

/* The slot where a keeper has stood by for longest, in this zygote or (NULL) with
 * a box of its own. */
static struct cuv_slot *find_standby(struct cuv_slots *s, const struct cuv_zygote *zygote)
{
	struct cuv_slot *found = NULL;
	unsigned i;

	for (i = 0; i < s->n; i++) {
		struct cuv_slot *slot = &s->slot[i];

		if (stands_by(slot) && slot->orders >= 0 && slot->zygote == zygote &&
		    (!found || slot->born_ns < found->born_ns))
			found = slot;
	}
	return found;
}

static bool is_free(const struct cuv_slot *slot)
{
	return slot->keeper == 0 && slot->clear_by_ns == 0;
}

static struct cuv_slot *find_free(struct cuv_slots *s)
{
	unsigned i;

	for (i = 0; i < s->n; i++)
		if (is_free(&s->slot[i]))
			return &s->slot[i];
	return NULL;
}

bool cuv_slots_full(const struct cuv_slots *s)
{
	unsigned i;

	for (i = 0; i < s->n && s->busy < s->max; i++)
		if (is_free(&s->slot[i]))
			return false;
	return true;
}

static void refuse(int session, const char *run_id, const char *what, int r)
{
	struct cuv_error err;

	if (r == -ESTALE) {
		cuv_error_set(&err, CUV_E_UNAVAILABLE,
			      "the run's environment has been evicted; send the request again");
		err.retry_after_s = 1;
	} else {
		(void)cuv_error_set_errno(&err, r == -ENOSPC ? -EUSERS : r, "%s (%s); the request can be sent again",
					  what, strerror(-r));
	}
	cuv_log(CUV_LOG_ERROR, "run-failed", CUV_S("run_id", run_id), CUV_S("why", err.message));
	(void)cuv_failure_send(session, &err);
}

/* One more or one fewer that stands by. */
static void count_standby(struct cuv_slots *s, const struct cuv_slot *slot, int change)
{
	if (slot->zygote)
		slot->zygote->waiting += (unsigned)change;
	else
		s->standby += (unsigned)change;
}

/* Forks a keeper for the slot; it stands by until it gets a task. */
static int start_keeper(struct cuv_slots *s, struct cuv_slot *slot, struct cuv_zygote *zygote, bool prefork)
{
	struct cuv_seat seat = CUV_SEAT_INIT;
	const pid_t self = getpid();
	int orders[2], r = zygote ? 0 : ready_ns(s, slot);

	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, orders) < 0)
		return -errno;
	seat.host = s->host;
	seat.cgroups = s->cgroups;
	seat.slot = slot->id;
	seat.orders = orders[1];
	seat.net_print = cuv_buf_str(&s->net_print);
	if (zygote) {
		seat.boxes = zygote->boxes;
		seat.prefork = prefork;
		seat.pool = s->zygotes.set.pool > 0;
	} else {
		seat.ns = slot->ns;
	}
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
	slot->zygote = zygote;
	slot->born_ns = cuv_now_ns();
	if (zygote)
		zygote->keepers++;
	count_standby(s, slot, 1);
	return 0;
}

/* A keeper whose socket is closed ends, and its box with it. */
static void let_go(struct cuv_slot *slot)
{
	slot->orders = cuv_close(slot->orders);
	slot->zygote->leaving++;
}

void cuv_slots_make_room(struct cuv_slots *s, size_t runs)
{
	size_t leaving = 0, i;

	if (s->busy >= s->max)
		return;
	for (i = 0; i < CUV_ZYGOTES_MAX; i++)
		leaving += s->zygotes.zygote[i].leaving;
	for (i = 0; i < s->n && leaving < runs; i++)
		if (stands_by(&s->slot[i]) && s->slot[i].orders >= 0 && s->slot[i].zygote) {
			let_go(&s->slot[i]);
			leaving++;
		}
}

/* Those that wait in a zygote that is going, or where nobody comes any more. */
void cuv_slots_trim(struct cuv_slots *s)
{
	unsigned i;

	for (i = 0; i < s->n; i++) {
		struct cuv_slot *slot = &s->slot[i];

		if (stands_by(slot) && slot->orders >= 0 && slot->zygote &&
		    slot->zygote->waiting - slot->zygote->leaving > cuv_zygotes_standby(&s->zygotes, slot->zygote))
			let_go(slot);
	}
}

void cuv_slots_stand_by(struct cuv_slots *s)
{
	/* The others are for those with a box of their own: one for a run that comes
	 * must always be left. */
	const unsigned in_zygotes_max = CUV_SLOTS_SPARE - s->standby_max;
	struct cuv_slot *slot;
	unsigned in_zygotes = 0;
	size_t i;

	for (i = 0; i < CUV_ZYGOTES_MAX; i++)
		in_zygotes += s->zygotes.zygote[i].waiting;
	for (i = 0; i < CUV_ZYGOTES_MAX; i++) {
		struct cuv_zygote *g = &s->zygotes.zygote[i];
		const unsigned want = cuv_zygotes_standby(&s->zygotes, g);

		while (g->waiting - g->leaving < want && in_zygotes < in_zygotes_max && (slot = find_free(s))) {
			if (start_keeper(s, slot, g, g->waiting - g->leaving < s->zygotes.set.pool) < 0)
				return;
			in_zygotes++;
		}
	}
	while (s->standby < s->standby_max) {
		slot = find_free(s);
		if (!slot || start_keeper(s, slot, NULL, false) < 0)
			return; /* a run that needs one tries again, and says what is wrong */
	}
}

/* A slot with a keeper that stands by for this task, made now if need be. */
static int find_slot(struct cuv_slots *s, struct cuv_task *task, struct cuv_slot **ret)
{
	struct cuv_zygote *zygote =
		task->why_cold[0] ? NULL : cuv_zygotes_find(&s->zygotes, &task->run, task->why_cold);
	struct cuv_slot *slot = find_standby(s, zygote);
	int r;

	if (!slot) {
		slot = find_free(s);
		if (!slot) /* there are more than may be busy and stand by, but for lost and unclear ones */
			return -EAGAIN;
		r = start_keeper(s, slot, zygote, false);
		if (r < 0)
			return r;
	}
	if (zygote)
		cuv_zygotes_used(&s->zygotes, zygote);
	*ret = slot;
	return 0;
}

/* The builder's session has one too, but a builder can end before the run does. What
 * runs in a zygote has the zygote's; what is built in a box (a stream) needs none:
 * nothing is collected while its maker has the store's lock, and it dies with that. */
static int take_lease(const struct cuv_slots *s, struct cuv_slot *slot, const struct cuv_task *task)
{
	int r;

	if (s->host->leases_fd < 0 || !task->run.env[0] || task->run.stream || slot->zygote)
		return 0;
	r = cuv_lease_take(s->host->leases_fd, task->run.env, false);
	if (r < 0)
		return r == -ENOENT || r == -EBUSY ? -ESTALE : r;
	slot->lease = r;
	return 0;
}

/* Unlocked, not only closed: keepers that were forked meanwhile have it too. */
static void give_lease_back(struct cuv_slot *slot)
{
	if (slot->lease >= 0)
		(void)flock(slot->lease, LOCK_UN);
	slot->lease = cuv_close(slot->lease);
}

static unsigned *counter(struct cuv_slots *s, const struct cuv_task *task)
{
	return task->run.stream ? &s->streams : &s->busy;
}

void cuv_slots_start(struct cuv_slots *s, struct cuv_task *task)
{
	struct cuv_slot *slot;
	int r = find_slot(s, task, &slot);

	if (r == 0)
		r = take_lease(s, slot, task);
	if (r < 0) {
		s->faults += r != -ESTALE;
		refuse(task->session, task->run.run_id, "no process can be started for the run", r);
		cuv_task_free(task);
		return;
	}
	r = cuv_task_send(task, slot->orders);
	slot->undelivered = r < 0;
	if (!slot->zygote || r < 0) /* one in a zygote says there when it is free again */
		slot->orders = cuv_close(slot->orders);
	count_standby(s, slot, -1);
	*counter(s, task) += 1;
	slot->session = TAKE_FD(task->session);
	slot->task = task;
	if (r < 0) /* it has died, or does now; what else there is to do is done when it is reaped */
		cuv_log(CUV_LOG_WARNING, "keeper-gone", CUV_S("run_id", task->run.run_id), CUV_I("errno", -r));
}

/* Another identity for a slot whose old one may still have processes. */
static void replace_slot(struct cuv_slots *s, struct cuv_slot *slot)
{
	s->lost++;
	cuv_log(CUV_LOG_ERROR, "slot-lost", CUV_I("slot", slot->id), CUV_I("lost", s->lost));
	cuv_slotns_done(&slot->ns);
	give_lease_back(slot);
	slot->clear_by_ns = 0;
	slot->doubts = 0;
	if (s->next_id < SLOT_IDS) {
		slot->id = s->next_id++;
		return;
	}
	/* None is left: one place fewer. */
	s->n--;
	s->max = CUV_MIN(s->max, s->n);
	*slot = s->slot[s->n];
	s->slot[s->n] = (struct cuv_slot){.ns = CUV_SLOTNS_INIT, .session = -1, .orders = -1, .lease = -1};
}

/* A keeper that died in the middle: its box died with it (or is about to). Kills what
 * there is and does not wait for it. */
static int kill_rest(const struct cuv_slots *s, const struct cuv_slot *slot)
{
	struct cuv_cgroup_slot c;
	int r;

	if (!s->cgroups->ops)
		return 0;
	r = cuv_cgroup_slot_open(s->cgroups, slot->id, &c);
	if (r < 0)
		return r;
	r = cuv_cgroup_slot_kill(&c, 0);
	cuv_cgroup_slot_close(&c);
	return r;
}

/* One look at a slot whose keeper has died. */
static void clear_slot(struct cuv_slots *s, struct cuv_slot *slot)
{
	if (kill_rest(s, slot) == 0)
		slot->clear_by_ns = 0;
	else if (cuv_now_ns() >= slot->clear_by_ns)
		replace_slot(s, slot);
	else
		s->clear_ns = CUV_MIN(s->clear_ns, cuv_deadline_ms(CLEAR_PAUSE_MS));
}

uint64_t cuv_slots_clear_ns(const struct cuv_slots *s)
{
	return CUV_MIN(s->clear_ns, s->zygotes.clear_ns);
}

bool cuv_slots_clear(struct cuv_slots *s)
{
	bool any = false;
	unsigned i;

	cuv_zygotes_clear(&s->zygotes);
	s->clear_ns = CUV_NEVER;
	for (i = s->n; i-- > 0;) { /* backwards: one that is lost may be filled by the last */
		struct cuv_slot *slot = &s->slot[i];

		if (slot->clear_by_ns == 0)
			continue;
		clear_slot(s, slot);
		if (i < s->n && is_free(slot)) {
			give_lease_back(slot);
			(void)ready_ns(s, slot);
			any = true;
		}
	}
	return any;
}

bool cuv_slots_worn_out(const struct cuv_slots *s)
{
	return s->n < s->n_made && s->busy == 0 && s->streams == 0;
}

/* Tells the client of a keeper that ended as none should. Those that have their
 * answer already don't hear it: their session is shut. */
static void answer_for(struct cuv_slots *s, const struct cuv_slot *slot, int code)
{
	struct cuv_error err;

	s->faults += !s->stopping;
	if (s->stopping) {
		cuv_error_set(&err, CUV_E_DRAINING, "the service is stopping");
		(void)cuv_failure_send(slot->session, &err);
	} else if (code == CUV_KEEPER_SLOT_LOST || code == CUV_KEEPER_SLOT_UNSURE) {
		cuv_error_set(&err, CUV_E_INTERNAL,
			      "the run's slot could not be cleared; the request can be sent again");
		(void)cuv_failure_send(slot->session, &err);
	} else {
		refuse(slot->session, slot->task->run.run_id, "the run's keeper died", -ECHILD);
	}
}

/* A task that was not begun gets a box of its own. One that had one already, and
 * whose init died, gets another: once, which why_cold tells. */
static struct cuv_task *take_back(struct cuv_slots *s, struct cuv_slot *slot, int code)
{
	struct cuv_task *task = slot->task;

	if (!task || (code != CUV_KEEPER_GIVEN_BACK && !slot->undelivered) || s->stopping || task->retried)
		return NULL;
	slot->task = NULL;
	task->session = TAKE_FD(slot->session);
	task->retried = true;
	snprintf(task->why_cold, sizeof(task->why_cold), "%s",
		 slot->zygote ? "the zygote could not be forked" : "its first box died");
	return task;
}

/* Returns whether it had a task. */
static bool keeper_ended(struct cuv_slots *s, struct cuv_slot *slot, const siginfo_t *info)
{
	const int code = info->si_code == CLD_EXITED ? info->si_status : -1;
	const bool had_task = slot->task != NULL;
	const bool as_it_should = code == CUV_KEEPER_CLEAN || code == CUV_KEEPER_NET_USED;
	struct cuv_task *again = take_back(s, slot, code);

	slot->keeper = 0;
	if (had_task)
		*counter(s, again ? again : slot->task) -= 1;
	else
		count_standby(s, slot, -1);
	if (slot->zygote) {
		slot->zygote->keepers--;
		slot->zygote->leaving -= !had_task && slot->orders < 0;
		if (had_task || code == CUV_KEEPER_GIVEN_BACK)
			cuv_zygotes_left(&s->zygotes, slot->zygote, code == CUV_KEEPER_GIVEN_BACK);
	}
	slot->zygote = NULL;
	if (slot->task && !as_it_should)
		answer_for(s, slot, code);
	if (code != CUV_KEEPER_CLEAN)
		cuv_slotns_done(&slot->ns);
	slot->session = cuv_close(slot->session);
	slot->orders = cuv_close(slot->orders);
	cuv_task_free(slot->task);
	slot->task = NULL;
	slot->doubts = code == CUV_KEEPER_SLOT_UNSURE ? slot->doubts + 1 : 0;
	if (code == CUV_KEEPER_SLOT_LOST || slot->doubts == DOUBTS_MAX) {
		replace_slot(s, slot);
	} else if (!as_it_should && !s->stopping) {
		slot->clear_by_ns = cuv_deadline_ms(CLEAR_MS);
		clear_slot(s, slot);
	}
	if (is_free(slot))
		give_lease_back(slot);
	if (is_free(slot) && !s->stopping)
		(void)ready_ns(s, slot); /* now, not when a run waits for it */
	if (again)
		cuv_slots_start(s, again);
	return had_task;
}

bool cuv_slots_on_done(struct cuv_slots *s, struct cuv_slot *slot)
{
	char byte;
	ssize_t n = recv(slot->orders, &byte, sizeof(byte), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n != 1 || !slot->task) {
		slot->orders = cuv_close(slot->orders); /* it has died: the rest when it is reaped */
		return false;
	}
	*counter(s, slot->task) -= 1;
	cuv_task_free(slot->task);
	slot->task = NULL;
	slot->session = cuv_close(slot->session);
	slot->born_ns = cuv_now_ns();
	count_standby(s, slot, 1);
	return true;
}

bool cuv_slots_reap(struct cuv_slots *s)
{
	bool any = false;

	for (;;) {
		siginfo_t info = {0};
		unsigned i;

		/* Any child: one that is not known must not stay a zombie either. */
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0 && errno == EINTR)
			continue;
		if (info.si_pid == 0)
			return any;
		if (cuv_zygotes_reaped(&s->zygotes, info.si_pid))
			continue;
		for (i = 0; i < s->n; i++)
			if (s->slot[i].keeper == info.si_pid) {
				any |= keeper_ended(s, &s->slot[i], &info);
				break;
			}
	}
}

static bool nobody_lives(const struct cuv_slots *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->slot[i].keeper > 0)
			return false;
	for (i = 0; i < CUV_ZYGOTES_MAX; i++)
		if (s->zygotes.zygote[i].keeper > 0)
			return false;
	return true;
}

void cuv_slots_stop(struct cuv_slots *s, uint64_t wait_ms)
{
	uint64_t deadline = cuv_deadline_ms(wait_ms);
	unsigned i;

	s->stopping = true;
	cuv_zygotes_stop(&s->zygotes);
	for (i = 0; i < s->n; i++)
		if (s->slot[i].keeper > 0)
			(void)kill(s->slot[i].keeper, SIGKILL);
	for (;;) {
		(void)cuv_slots_reap(s);
		if (nobody_lives(s) || cuv_now_ns() >= deadline)
			break;
		nanosleep(&(struct timespec){.tv_nsec = STOP_PAUSE_NS}, NULL);
	}
	for (i = 0; i < s->n; i++)
		cuv_slotns_done(&s->slot[i].ns);
	cuv_buf_done(&s->net_print);
}
