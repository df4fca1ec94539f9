/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/server.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/proto/session.h"
#include "worker-image/launcher/turn.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPT_PAUSE_MS 100
#define RETRY_S 2
#define P_ZYGOTES (2 + CUV_CONTROLS_MAX)
#define P_SLOTS (P_ZYGOTES + CUV_ZYGOTES_MAX)
#define POLL_MAX (P_SLOTS + CUV_SLOTS_MAX + CUV_WAITING_MAX + CUV_QUEUE_MAX)

static void close_with(int fd, enum cuv_error_code code, const char *text)
{
	struct cuv_error err;

	cuv_error_set(&err, code, "%s", text);
	if (cuv_error_http_status(code) == 503)
		err.retry_after_s = RETRY_S;
	(void)cuv_failure_send(fd, &err);
	cuv_close(fd);
}

/* A new session, whatever way it came (taken over). */
static void add_waiting(struct cuv_server *s, int fd)
{
	int type = 0, family = 0;
	socklen_t len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET ||
	    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) < 0 || family != AF_UNIX ||
	    cuv_set_nonblock(fd, true) < 0) {
		cuv_close(fd);
		return;
	}
	if (s->n_waiting == CUV_WAITING_MAX) {
		close_with(fd, CUV_E_OVERLOADED, "too many sessions have been opened at once");
		return;
	}
	s->waiting[s->n_waiting++] = (struct cuv_waiting){.fd = fd, .deadline_ns = cuv_deadline_ms(CUV_FIRST_FRAME_MS)};
}

static void count(const struct cuv_server *s, uint64_t ret[_CUV_COUNT_MAX])
{
	const struct cuv_zygotes *z = &s->slots->zygotes;

	for (size_t i = 0; i < CUV_ZYGOTES_MAX; i++) {
		ret[CUV_COUNT_ZYGOTES] += z->zygote[i].state == CUV_ZYGOTE_WARM;
		ret[CUV_COUNT_POOL] += z->zygote[i].waiting;
	}
	ret[CUV_COUNT_READY] = s->slots->standby;
	ret[CUV_COUNT_QUEUE] = s->n_queue;
	ret[CUV_COUNT_WARMED] = z->warmed;
	ret[CUV_COUNT_FAILED] = z->failed;
	ret[CUV_COUNT_FAULTS] = s->slots->faults;
	ret[CUV_COUNT_LOST] = s->slots->lost;
}

static void answer_layers(struct cuv_server *s, int fd)
{
	struct cuv_layers m = *s->layers;
	_cleanup_writer_ struct cuv_writer w;

	m.boxes_max = s->slots->max;
	m.boxes_busy = s->slots->busy;
	count(s, m.counts);
	cuv_writer_init(&w, CUV_MSG_LAYERS);
	cuv_layers_put(&w, &m);
	(void)cuv_writer_send(&w, fd, NULL, 0);
	cuv_close(fd);
}

static void add_run(struct cuv_server *s, int fd, struct cuv_frame *f)
{
	struct cuv_task *t = calloc(1, sizeof(*t));

	if (!t || cuv_task_from_frame(f, fd, t) < 0) {
		free(t);
		close_with(fd, CUV_E_BAD_REQUEST, "the RUN message is not well-formed or passes a limit");
	} else if (s->slots->n == 0) {
		close_with(TAKE_FD(t->session), CUV_E_UNAVAILABLE,
			   "the launcher has lost all its boxes; restart the service");
		cuv_task_free(t);
	} else if (cuv_shortage_of_memory(s->shortage)) {
		close_with(TAKE_FD(t->session), CUV_E_NO_MEMORY, "the machine has not enough memory left for a run");
		cuv_task_free(t);
	} else if (t->run.stream && s->slots->streams == CUV_STREAM_RUNS_MAX) {
		close_with(TAKE_FD(t->session), CUV_E_OVERLOADED, "all places for runs with a stream are taken");
		cuv_task_free(t);
	} else if (t->run.stream || (!cuv_slots_full(s->slots) && s->n_queue == 0)) {
		cuv_slots_start(s->slots, t);
	} else if (s->n_queue == CUV_QUEUE_MAX || s->fds_held + t->n_fds + 1 > s->fds_max) {
		close_with(TAKE_FD(t->session), CUV_E_OVERLOADED, "the queue for boxes is full");
		cuv_task_free(t);
	} else {
		s->fds_held += t->n_fds + 1;
		s->queue[s->n_queue++] = t;
	}
}

/* The first frame says what a session is for. */
static void on_first_frame(struct cuv_server *s, int fd)
{
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	int r = cuv_frame_recv(fd, &f);

	if (r == -EAGAIN || r == 1 || (r < 0 && r != -EBADMSG)) {
		cuv_close(fd);
		return;
	}
	if (r == 0 && f.type == CUV_MSG_RUN)
		add_run(s, fd, &f);
	else if (r == 0 && f.type == CUV_MSG_LAYERS_ASK && f.n_fds == 0)
		answer_layers(s, fd);
	else
		close_with(fd, CUV_E_BAD_REQUEST, "a session begins with RUN or LAYERS_ASK");
}

static void on_control(struct cuv_server *s, size_t i)
{
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	int r = cuv_frame_recv(s->control[i], &f);

	if (r == -EAGAIN)
		return;
	if (r == 0 && f.type == CUV_MSG_SESSION_OPEN && f.n_fds == 1) {
		add_waiting(s, cuv_frame_take_fd(&f, 0));
		return;
	}
	if (r == 0 || r == -EBADMSG) {
		/* One bad message does not cost the others their sessions. */
		cuv_log(CUV_LOG_WARNING, "bad-control-message", CUV_I("control", i), CUV_I("type", f.type));
		return;
	}
	/* For want of memory, say: the message is still there, or its session is closed. */
	if (r < 0 && r != -ECONNRESET) {
		cuv_log(CUV_LOG_WARNING, "control-receive", CUV_I("control", i), CUV_I("errno", -r));
		return;
	}
	s->control[i] = cuv_close(s->control[i]);
	if (i == 0)
		s->stopping = true;
}

static void on_connection(struct cuv_server *s)
{
	int fd = cuv_session_accept(s->listener, s->allowed_uid);

	if (fd >= 0)
		add_waiting(s, fd);
	else if (fd != -EAGAIN && fd != -EPERM && fd != -ECONNABORTED && fd != -EINTR)
		s->listen_again_ns = cuv_deadline_ms(ACCEPT_PAUSE_MS);
}

static void on_signal(struct cuv_server *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo == SIGTERM)
			s->stopping = true;
	s->run_ended |= cuv_slots_reap(s->slots);
}

static void drop_queued(struct cuv_server *s, size_t i)
{
	s->fds_held -= s->queue[i]->n_fds + 1;
	memmove(&s->queue[i], &s->queue[i + 1], (s->n_queue - i - 1) * sizeof(s->queue[0]));
	s->n_queue--;
}

static void fill_slots(struct cuv_server *s)
{
	while (s->n_queue > 0 && !cuv_slots_full(s->slots)) {
		const size_t i = cuv_turn_next(s->slots, s->queue, s->n_queue);
		struct cuv_task *t = s->queue[i];

		drop_queued(s, i);
		cuv_slots_start(s->slots, t);
	}
	if (s->n_queue > 0)
		cuv_slots_make_room(s->slots, s->n_queue);
}

/* Where a keeper in a zygote will say that it is free again. */
static int awaited(const struct cuv_slots *slots, size_t i)
{
	return i < slots->n && slots->slot[i].task && slots->slot[i].zygote ? slots->slot[i].orders : -1;
}

/* What to poll, in this order; the counts are those before anything changes. */
static size_t fill_poll(const struct cuv_server *s, struct pollfd *p)
{
	const bool accepting = s->n_waiting < CUV_WAITING_MAX && cuv_now_ns() >= s->listen_again_ns;
	size_t n = 0, i;

	p[n++] = (struct pollfd){.fd = s->signals, .events = POLLIN};
	p[n++] = (struct pollfd){.fd = accepting ? s->listener : -1, .events = POLLIN};
	for (i = 0; i < CUV_CONTROLS_MAX; i++)
		p[n++] = (struct pollfd){.fd = s->control[i], .events = POLLIN};
	for (i = 0; i < CUV_ZYGOTES_MAX; i++)
		p[n++] = (struct pollfd){.fd = s->slots->zygotes.zygote[i].news, .events = POLLIN};
	for (i = 0; i < s->slots->n; i++)
		p[n++] = (struct pollfd){.fd = awaited(s->slots, i), .events = POLLIN};
	for (i = 0; i < s->n_waiting; i++)
		p[n++] = (struct pollfd){.fd = s->waiting[i].fd, .events = POLLIN};
	for (i = 0; i < s->n_queue; i++) /* a queued client only ever hangs up */
		p[n++] = (struct pollfd){.fd = s->queue[i]->session, .events = POLLIN | POLLRDHUP};
	return n;
}

/* Deadlines are the same for all, so the oldest is the next. */
static uint64_t next_deadline(const struct cuv_server *s)
{
	uint64_t next = s->listen_again_ns > cuv_now_ns() ? s->listen_again_ns : CUV_NEVER;
	size_t i;

	next = CUV_MIN(next, CUV_MIN(s->zygotes_ns, cuv_slots_clear_ns(s->slots)));
	for (i = 0; i < s->n_waiting; i++)
		next = CUV_MIN(next, s->waiting[i].deadline_ns);
	if (s->n_queue > 0)
		next = CUV_MIN(next, s->queue[0]->came_ns + CUV_QUEUE_MS * CUV_NS_PER_MS);
	return next;
}

/* Backwards, so that removing one moves none that is still to be looked at. */
static void check_queue(struct cuv_server *s, const struct pollfd *p, size_t n)
{
	uint64_t now = cuv_now_ns();

	while (n-- > 0) {
		struct cuv_task *t = s->queue[n];
		bool late = now >= t->came_ns + CUV_QUEUE_MS * CUV_NS_PER_MS;

		if (!p[n].revents && !late)
			continue;
		drop_queued(s, n);
		if (late && !p[n].revents)
			close_with(TAKE_FD(t->session), CUV_E_OVERLOADED, "no box became free in time");
		cuv_task_free(t);
	}
}

static void check_waiting(struct cuv_server *s, const struct pollfd *p, size_t n)
{
	uint64_t now = cuv_now_ns();
	size_t i, kept = 0;

	/* Those that are done leave first: what they start may add to the list. */
	struct cuv_waiting ready[CUV_WAITING_MAX];
	size_t n_ready = 0;

	for (i = 0; i < n; i++) {
		if (p[i].revents)
			ready[n_ready++] = s->waiting[i];
		else if (now >= s->waiting[i].deadline_ns)
			close_with(s->waiting[i].fd, CUV_E_REQUEST_TIMEOUT, "the session did not say what it is for");
		else
			s->waiting[kept++] = s->waiting[i];
	}
	s->n_waiting = kept;
	for (i = 0; i < n_ready; i++)
		on_first_frame(s, ready[i].fd);
}

static void check_slots(struct cuv_server *s, const struct pollfd *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i].revents && p[i].fd == awaited(s->slots, i))
			s->run_ended |= cuv_slots_on_done(s->slots, &s->slots->slot[i]);
}

static void check_zygotes(struct cuv_server *s, const struct pollfd *p)
{
	struct cuv_zygotes *z = &s->slots->zygotes;
	size_t i;

	for (i = 0; i < CUV_ZYGOTES_MAX; i++)
		if (p[i].revents && z->zygote[i].news >= 0) {
			cuv_zygotes_on_news(z, &z->zygote[i]);
			s->run_ended = true; /* there may be somebody to stand by now */
		}
	if (cuv_now_ns() >= s->zygotes_ns) {
		s->zygotes_ns = cuv_zygotes_tick(z);
		cuv_slots_trim(s->slots);
	}
}

static int serve_once(struct cuv_server *s)
{
	static struct pollfd p[POLL_MAX];
	const size_t n_slots = s->slots->n, n_waiting = s->n_waiting, n_queue = s->n_queue, first = P_SLOTS + n_slots;
	size_t n = fill_poll(s, p), i;

	if (poll(p, n, cuv_deadline_poll_ms(next_deadline(s))) < 0)
		return errno == EINTR ? 0 : -errno;
	check_zygotes(s, p + P_ZYGOTES);
	if (cuv_now_ns() >= cuv_slots_clear_ns(s->slots))
		s->run_ended |= cuv_slots_clear(s->slots);
	check_slots(s, p + P_SLOTS, n_slots);
	check_queue(s, p + first + n_waiting, n_queue);
	check_waiting(s, p + first, n_waiting);
	if (p[0].revents)
		on_signal(s);
	for (i = 0; i < CUV_CONTROLS_MAX; i++)
		if (p[2 + i].revents)
			on_control(s, i);
	if (p[1].revents)
		on_connection(s);
	fill_slots(s);
	if (s->run_ended && s->n_queue == 0)
		cuv_slots_stand_by(s->slots);
	if (s->run_ended)
		cuv_shortage_look_ahead(s->shortage);
	s->run_ended = false;
	return 0;
}

int cuv_server_run(struct cuv_server *s)
{
	int r = 0;

	cuv_slots_stand_by(s->slots);
	while (!s->stopping && r == 0) {
		r = serve_once(s);
		if (r == 0 && s->n_queue == 0 && cuv_slots_worn_out(s->slots))
			r = -EUSERS;
	}
	while (s->n_waiting > 0)
		close_with(s->waiting[--s->n_waiting].fd, CUV_E_DRAINING, "the service is stopping");
	while (s->n_queue > 0) {
		struct cuv_task *t = s->queue[--s->n_queue];

		close_with(TAKE_FD(t->session), CUV_E_DRAINING, "the service is stopping");
		cuv_task_free(t);
	}
	return r;
}
