/* SPDX-License-Identifier: MIT */
/* How a keeper comes by a box in a zygote, and by a run in it: it asks the box
 * maker, and believes what that says. Until the order is sent nothing of the task
 * has been given away, so that any failure before can be mended by another box. */
#include "worker-image/launcher/keeper.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "worker-image/launcher/maker.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define MADE_MS 5000
#define WAITING_MS (CUV_MAKER_FORK_MS + 1000) /* the box maker's own deadline comes first */

/* First the box is made, then its run waits; of one whose run was asked for with it, only
 * that. What comes first brings the pidfd of its init. 0, or -errno for anything else. */
static int take_event(struct cuv_keeper *k, const struct cuv_box_event *e, struct cuv_fdmsg *msg)
{
	if (e->kind == CUV_BOX_MADE && k->init_fd < 0 && msg->n == 1) {
		k->init_fd = TAKE_FD(msg->fds[0]);
		return 0;
	}
	if (e->kind == CUV_BOX_WAITING && !k->waiting && msg->n == (k->init_fd < 0 ? 1u : 0u)) {
		if (msg->n == 1)
			k->init_fd = TAKE_FD(msg->fds[0]);
		k->waiting = true;
		return 0;
	}
	if (e->kind == CUV_BOX_MOUNTS && k->mount_ns < 0 && msg->n == 1) {
		k->mount_ns = TAKE_FD(msg->fds[0]);
		return 0;
	}
	return e->kind == CUV_BOX_FAILED && e->error > 0 ? -e->error : -ECHILD;
}

/* Waits until the flag or descriptor of this event is there. 0 or -errno. */
static int wait_until(struct cuv_keeper *k, enum cuv_box_event_kind kind, uint64_t ms)
{
	const uint64_t deadline = cuv_deadline_ms(ms);

	while (kind == CUV_BOX_MADE ? k->init_fd < 0 : kind == CUV_BOX_MOUNTS ? k->mount_ns < 0 : !k->waiting) {
		struct pollfd p[2] = {{.fd = k->status, .events = POLLIN}, {.fd = k->init_fd, .events = POLLIN}};
		struct cuv_fdmsg msg = {0};
		struct cuv_box_event e;
		int n = poll(p, 2, cuv_deadline_poll_ms(deadline)), r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ETIMEDOUT;
		r = cuv_fdmsg_recv(k->status, &e, sizeof(e), 1, &msg, MSG_DONTWAIT);
		if (r == 0)
			r = take_event(k, &e, &msg);
		else if (r != -EAGAIN || p[1].revents)
			r = -ECHILD;
		else
			r = 0;
		cuv_fdmsg_done(&msg);
		if (r < 0)
			return r;
	}
	return 0;
}

int cuv_joined_until_made(struct cuv_keeper *k, uint64_t ms)
{
	return wait_until(k, CUV_BOX_MADE, ms);
}

/* The run has its own of them. */
static void close_streams(struct cuv_keeper *k)
{
	k->box.order = cuv_close(k->box.order);
	k->box.out = cuv_close(k->box.out);
	k->box.err = cuv_close(k->box.err);
}

int cuv_joined_begin(struct cuv_keeper *k, bool prefork)
{
	static struct cuv_box_shared started; /* in a box of its own, init and program see it too */
	int r;

	started.started_ns = 0;
	k->box.shared = &started;
	r = k->has_cgroup ? cuv_keeper_use_again(k) : cuv_keeper_enter_slot(k);
	if (r == 0)
		r = cuv_keeper_open_streams(k);
	if (r == 0) {
		const int streams[CUV_MAKER_STREAMS] = {k->box.order, k->box.out, k->box.err};

		r = cuv_maker_ask_box(k->seat->boxes, k->seat->slot, k->box.status, k->box.procs, k->box.n_procs,
				      prefork ? streams : NULL);
	}
	k->box.status = cuv_close(k->box.status);
	k->asked = prefork;
	if (prefork)
		close_streams(k);
	return r;
}

/* The run is wanted now. */
static int ask(struct cuv_keeper *k)
{
	const int streams[CUV_MAKER_STREAMS] = {k->box.order, k->box.out, k->box.err};
	int r = cuv_joined_until_made(k, MADE_MS);

	if (r == 0)
		r = cuv_maker_ask_fork(k->seat->boxes, k->seat->slot, streams);
	close_streams(k);
	k->asked = true;
	return r;
}

/* By them the run's files are found when all in the box is dead. */
static int ask_mounts(struct cuv_keeper *k)
{
	int r = cuv_maker_ask_mounts(k->seat->boxes, k->seat->slot);

	return r == 0 ? wait_until(k, CUV_BOX_MOUNTS, MADE_MS) : r;
}

int cuv_joined_on_status(struct cuv_keeper *k)
{
	struct cuv_fdmsg msg = {0};
	struct cuv_box_event e;
	int r = cuv_fdmsg_recv(k->status, &e, sizeof(e), 1, &msg, MSG_DONTWAIT);

	if (r == -EAGAIN)
		return 0;
	r = r == 0 ? take_event(k, &e, &msg) : -ECHILD;
	cuv_fdmsg_done(&msg);
	if (r == 0 && k->waiting)
		r = cuv_keeper_count(k); /* now, not when a client waits for it */
	return r;
}

int cuv_joined_order(struct cuv_keeper *k)
{
	struct cuv_error err;
	int r = 0;

	k->path = k->asked ? CUV_RUN_PATH_POOL : CUV_RUN_PATH_ZYGOTE;
	/* A box of its own says what is wrong with them. */
	if (cuv_task_check_fds(&k->task, &err) < 0)
		return -EINVAL;
	if (!k->asked)
		r = ask(k);
	if (r == 0 && !k->waiting)
		r = wait_until(k, CUV_BOX_WAITING, WAITING_MS);
	if (r == 0 && k->task.run.artifacts.n > 0)
		r = ask_mounts(k);
	if (r == 0)
		r = cuv_keeper_limit_slot(k);
	if (r < 0)
		return r;
	k->box.shared->started_ns = cuv_now_ns();
	/* One message: when it can't be sent (the run has died meanwhile), none of it was. */
	return cuv_keeper_send_order(k);
}
