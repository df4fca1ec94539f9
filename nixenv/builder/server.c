/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/server.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/proto/session.h"
#include "nixenv/builder/cache.h"
#include "nixenv/builder/desk.h"
#include "nixenv/builder/flight.h"
#include "nixenv/builder/locks.h"
#include "nixenv/builder/look.h"
#include "nixenv/builder/share.h"
#include "nixenv/builder/uses.h"
#include "nixenv/requirements.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ASK_MS 10000 /* how long a session may stay open without asking */
#define DAY_S 86400
#define RESOLVE_MS_MAX 600000u
#define BUILD_MS_MAX 3600000u

enum session_state { SESSION_OPEN = 1, SESSION_WAITING, SESSION_ANSWERED };

struct server;

/* Descriptors of a message. */
struct fds {
	int fd[2];
	size_t n;
};

struct session {
	int fd; /* -1: free */
	struct server *server;
	bool may_ask_chores;
	enum session_state state;
	uint64_t deadline_ns; /* to ask */
	struct cuv_flight *flight;
	uint64_t asked_ns;
	bool stuck; /* the last message did not fit: send it when there is room */
	bool ends;  /* and close then */
	struct cuv_writer last;
	struct fds last_fds; /* that go with it */
};

struct server {
	const struct cuv_builder *b;
	struct cuv_server_fds fds;
	struct cuv_cache *cache;
	struct cuv_uses *uses;
	struct cuv_flights flights;
	struct cuv_desk desk;
	struct cuv_share *share; /* NULL: nothing is shared */
	struct session sessions[CUV_BUILDER_SESSIONS_MAX];
	size_t n_sessions; /* those behind it are free */
};

/* --- sessions --- */

static void close_fds(struct fds *fds)
{
	while (fds->n > 0)
		cuv_close(fds->fd[--fds->n]);
}
#define _cleanup_fds_ _cleanup_(close_fds)

static void session_close(struct session *s)
{
	struct cuv_flight *flight = s->flight;
	struct server *sv = s->server;

	if (s->fd < 0)
		return;
	if (s->stuck)
		cuv_writer_done(&s->last);
	close_fds(&s->last_fds);
	(void)cuv_close(s->fd);
	cuv_desk_leave(&sv->desk, s);
	cuv_share_leave(sv->share, s);
	*s = (struct session){.fd = -1};
	while (sv->n_sessions > 0 && sv->sessions[sv->n_sessions - 1].fd < 0)
		sv->n_sessions--;
	if (flight && --flight->n_sessions == 0) {
		cuv_log(CUV_LOG_INFO, "flight-cancelled", CUV_S("key", flight->key.hex));
		cuv_flight_end(flight);
	}
}

/* Sends the session's last message, now or when there is room; takes w and what is of fds
 * over. */
static void session_answer_fds(struct session *s, struct cuv_writer *w, struct fds fds)
{
	_cleanup_fds_ struct fds own = fds;
	int r = cuv_writer_send(w, s->fd, own.fd, own.n);

	if (s->flight)
		s->flight->n_sessions--;
	s->flight = NULL;
	s->state = SESSION_ANSWERED;
	if (r == -EAGAIN) {
		s->stuck = true;
		s->last = *w;
		s->last_fds = own;
		own.n = 0;
		*w = (struct cuv_writer){0};
	} else if (r < 0 || s->ends) {
		session_close(s);
	}
}

static void session_answer(struct session *s, struct cuv_writer *w)
{
	session_answer_fds(s, w, (struct fds){.n = 0});
}

static void session_fail(struct session *s, const struct cuv_error *err)
{
	_cleanup_writer_ struct cuv_writer w;

	cuv_writer_init(&w, CUV_MSG_FAILURE);
	cuv_failure_put(&w, err);
	session_answer(s, &w);
}

static void session_fail_with(struct session *s, enum cuv_error_code code, uint32_t retry_s, const char *text)
{
	struct cuv_error err;

	cuv_error_set(&err, code, "%s", text);
	err.retry_after_s = retry_s;
	session_fail(s, &err);
}

/* Takes over the lease, which who asked keeps for as long as they need the environment; -1 where
 * there is nothing to keep. So nothing is left of the session, and nobody is woken by its end. */
static void session_ready(const struct server *sv, struct session *s, const struct cuv_environment *e, int lease,
			  int64_t exclude_s, bool cached)
{
	_cleanup_writer_ struct cuv_writer w;
	struct cuv_environment copy = *e; /* borrows the lists */
	struct fds fds = {.n = 0};
	int lock = cuv_locks_open(sv->b, e);

	if (lock < 0) {
		cuv_log(CUV_LOG_WARNING, "lock-unreadable", CUV_S("digest", e->lock_digest),
			CUV_S("error", strerror(-lock)));
		lock = cuv_memfd("lock", NULL, 0);
	}
	if (lock < 0) {
		(void)cuv_close(lease);
		session_close(s);
		return;
	}
	fds.fd[fds.n++] = lock;
	if (lease >= 0)
		fds.fd[fds.n++] = lease;
	copy.exclude_s = exclude_s;
	copy.cached = cached;
	if (cached)
		copy.resolve_ns = copy.build_ns = 0;
	s->ends = true;
	cuv_writer_init(&w, CUV_MSG_ENV_READY);
	cuv_environment_put(&w, &copy);
	session_answer_fds(s, &w, fds);
}

static void session_progress(struct session *s, const struct cuv_env_progress *p)
{
	_cleanup_writer_ struct cuv_writer w;

	cuv_writer_init(&w, CUV_MSG_ENV_PROGRESS);
	cuv_env_progress_put(&w, p);
	/* One that does not fit is not worth keeping: another one follows. */
	(void)cuv_writer_send(&w, s->fd, NULL, 0);
}

/* Takes the descriptor over. NULL when it can't be served. */
static struct session *session_new(struct server *sv, int fd, bool may_ask_chores)
{
	struct cuv_error err;

	for (size_t i = 0; i < CUV_BUILDER_SESSIONS_MAX; i++) {
		struct session *s = &sv->sessions[i];

		if (s->fd >= 0)
			continue;
		if (cuv_set_nonblock(fd, true) < 0)
			break;
		*s = (struct session){.fd = fd,
				      .server = sv,
				      .may_ask_chores = may_ask_chores,
				      .state = SESSION_OPEN,
				      .deadline_ns = cuv_deadline_ms(ASK_MS)};
		sv->n_sessions = CUV_MAX(sv->n_sessions, i + 1);
		return s;
	}
	cuv_error_set(&err, CUV_E_OVERLOADED, "the builder has no place for another session; try again");
	err.retry_after_s = 2;
	(void)cuv_failure_send(fd, &err);
	(void)cuv_close(fd);
	return NULL;
}

/* --- asks --- */

static void answer_tools(struct server *sv, struct session *s)
{
	_cleanup_writer_ struct cuv_writer w;
	struct cuv_tools tools = sv->b->pins.tools;
	struct cuv_error err;

	if (cuv_pins_check(&sv->b->pins, &sv->b->state, &err) < 0) {
		session_fail(s, &err);
		return;
	}
	tools.resolver_sealed = sv->b->sealed;
	tools.evicted = sv->b->evicted ? atomic_load(sv->b->evicted) : 0;
	for (size_t i = 0; i < tools.n_pythons; i++) {
		const struct cuv_pinned *p = &sv->b->pins.pythons[i];

		tools.pythons[i].made = cuv_pins_check_image(p, &sv->b->state, NULL) == 0;
		(void)cuv_pins_zygote(p->python, &sv->b->state, tools.pythons[i].zygote);
	}
	cuv_writer_init(&w, CUV_MSG_TOOLS);
	cuv_tools_put(&w, &tools);
	session_answer(s, &w);
}

/* Midnight UTC of today when there is no date, or one that is still to come. */
static int64_t date_in_effect(int64_t exclude_s)
{
	int64_t now = cuv_wall_s();

	return exclude_s <= 0 || exclude_s > now ? now - now % DAY_S : exclude_s;
}

static int read_ask(const struct cuv_builder *b, struct cuv_frame *f, struct cuv_env_ask *ask, struct cuv_buf *text)
{
	_cleanup_close_ int fd = cuv_frame_take_fd(f, 0);
	struct stat st;

	if (fd < 0 || f->n_fds != 1 || cuv_env_ask_get(&f->body, ask) < 0)
		return -EBADMSG;
	/* A pipe or a socket here would let a client hold up everybody. */
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || cuv_pread_all(fd, text) < 0)
		return -EBADMSG;
	ask->resolve_ms = CUV_MIN(ask->resolve_ms, RESOLVE_MS_MAX);
	ask->build_ms = CUV_MIN(ask->build_ms, BUILD_MS_MAX);
	ask->sdist = ask->sdist && b->launcher >= 0 && !b->no_sdists;
	/* What is locked was dated when it was. */
	if (ask->source == CUV_ENV_REQUIREMENTS)
		ask->exclude_s = date_in_effect(ask->exclude_s);
	return 0;
}

/* The environment of this key if it is known: from memory, else from the disk; with a
 * lease. */
static const struct cuv_environment *look_up(struct server *sv, const struct cuv_key *key,
					     const struct cuv_env_ask *ask, int *ret_lease)
{
	char store_name[CUV_STORE_NAME_SIZE];
	_cleanup_environment_ struct cuv_environment e = CUV_ENVIRONMENT_INIT;
	const struct cuv_environment *known = cuv_cache_ready(sv->cache, key);
	int r;

	if (known && (*ret_lease = cuv_uses_take(sv->uses, known->store_name)) >= 0)
		return known;
	if (known)
		cuv_cache_drop_ready(sv->cache, key);
	if (ask->source == CUV_ENV_DIGEST) {
		cuv_index_store_name(ask->digest, store_name);
		r = cuv_index_load(sv->b, store_name, &e);
	} else {
		r = cuv_index_find(sv->b, key, &e);
	}
	if (r < 0)
		cuv_log(CUV_LOG_WARNING, "index-entry-unreadable", CUV_S("key", key->hex),
			CUV_S("error", strerror(-r)));
	if (r != 0 || (*ret_lease = cuv_uses_take(sv->uses, e.store_name)) < 0)
		return NULL;
	return cuv_cache_take_ready(sv->cache, key, &e);
}

static void join_flight(struct session *s, struct cuv_flight *flight, const struct cuv_env_ask *ask)
{
	/* Who asked first must not cut short what others asked for. */
	flight->ask.resolve_ms = CUV_MAX(flight->ask.resolve_ms, ask->resolve_ms);
	flight->ask.build_ms = CUV_MAX(flight->ask.build_ms, ask->build_ms);
	s->flight = flight;
	s->state = SESSION_WAITING;
	flight->n_sessions++;
	if (flight->has_progress)
		session_progress(s, &flight->progress);
}

/* Brings ask->python into its short form. False when the session has been told that
 * there is none such, or not in this store. */
static bool find_python(struct server *sv, struct session *s, struct cuv_env_ask *ask)
{
	const struct cuv_python *python;
	const struct cuv_pinned *p = NULL;
	struct cuv_error err;

	python = cuv_python_choose("the request", ask->python, &err);
	if (python) {
		(void)snprintf(ask->python, sizeof(ask->python), "%s", python->version);
		p = cuv_pins_find(&sv->b->pins, ask->python);
	}
	if (p && (p == sv->b->pins.pythons || cuv_pins_check_image(p, &sv->b->state, &err) == 0))
		return true;
	session_fail(s, &err);
	return false;
}

static void answer_env(struct server *sv, struct session *s, struct cuv_frame *f)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_LOCK_COMPLETE_BYTES_MAX);
	_cleanup_free_ char *canonical = NULL;
	const struct cuv_environment *known;
	const struct cuv_error *failed;
	struct cuv_flight *flight;
	struct cuv_env_ask ask;
	struct cuv_key key;
	bool lock_only;
	int lease;
	size_t len;

	s->asked_ns = cuv_now_ns();
	if (read_ask(sv->b, f, &ask, &text) < 0) {
		session_close(s);
		return;
	}
	if (!find_python(sv, s, &ask))
		return;
	lock_only = ask.lock_only;
	ask.lock_only = false;
	cuv_index_key(sv->b, &ask, cuv_buf_str(&text), text.len, &key);
	if ((known = look_up(sv, &key, &ask, &lease))) {
		session_ready(sv, s, known, lease, ask.exclude_s, true);
		return;
	}
	if (ask.source == CUV_ENV_DIGEST && sv->b->caches.n == 0) {
		session_fail_with(s, CUV_E_ENVIRONMENT_UNKNOWN, 0,
				  "no environment has this digest here; send its lock or its requirements");
		return;
	}
	/* Who waits for a lock alone waits for nobody's build, and nobody for theirs. */
	if (lock_only) {
		ask.lock_only = true;
		cuv_index_key(sv->b, &ask, cuv_buf_str(&text), text.len, &key);
	}
	if ((failed = cuv_cache_failed(sv->cache, &key, s->asked_ns))) {
		session_fail(s, failed);
		return;
	}
	flight = cuv_flights_find(&sv->flights, &key);
	if (!flight) {
		len = text.len;
		canonical = cuv_buf_take(&text, NULL);
		flight = canonical ? cuv_flights_take_new(&sv->flights, &key, &ask, &canonical, len) : NULL;
	}
	if (!flight) {
		session_fail_with(s, CUV_E_OVERLOADED, 10, "too many environments are being made; try again");
		return;
	}
	join_flight(s, flight, &ask);
}

static void answer_chore(struct server *sv, struct session *s, struct cuv_frame *f)
{
	_cleanup_chore_ask_ struct cuv_chore_ask ask = CUV_CHORE_ASK_INIT;
	_cleanup_close_ int fd = cuv_frame_take_fd(f, 0);

	if (!s->may_ask_chores || fd < 0 || f->n_fds != 1 || cuv_chore_ask_get(&f->body, &ask) < 0) {
		session_close(s);
		return;
	}
	/* It is about what was used up to now. */
	cuv_uses_flush(sv->uses);
	if (cuv_desk_add(&sv->desk, s, &ask, fd) < 0) {
		session_fail_with(s, CUV_E_OVERLOADED, 5, "too many chores are waiting; try again");
		return;
	}
	(void)TAKE_FD(fd);
	s->state = SESSION_WAITING;
}

/* The descriptor is borrowed; err stands for -1. */
static void share_answer(void *owner, int fd, const struct cuv_error *err)
{
	struct session *s = owner;

	if (fd < 0) {
		session_fail(s, err);
		return;
	}
	s->state = SESSION_ANSWERED;
	if (cuv_msg_send_plain(s->fd, CUV_MSG_SHARE, &fd, 1) < 0)
		session_close(s);
}

static void answer_share(struct server *sv, struct session *s, struct cuv_frame *f)
{
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_share_ask ask;
	_cleanup_close_ int fd = -1;

	if (cuv_share_ask_get(&f->body, &ask) < 0) {
		session_close(s);
		return;
	}
	if (!sv->share) {
		session_fail_with(s, CUV_E_NOT_FOUND, 0, "nothing is shared here");
		return;
	}
	fd = cuv_share_ask(sv->share, s, &ask, &err);
	if (fd == -EINPROGRESS)
		s->state = SESSION_WAITING;
	else
		share_answer(s, fd < 0 ? -1 : fd, &err);
}

static void answer_look(struct server *sv, struct session *s, struct cuv_frame *f)
{
	_cleanup_look_ struct cuv_look look = CUV_LOOK_INIT;
	_cleanup_writer_ struct cuv_writer w;
	struct cuv_look_ask ask;
	struct cuv_error err;
	int lock;

	if (cuv_look_ask_get(&f->body, &ask) < 0) {
		session_close(s);
		return;
	}
	if (cuv_look(sv->b, ask.digest, &look, &err) < 0) {
		session_fail(s, &err);
		return;
	}
	lock = cuv_locks_open(sv->b, &look.environment);
	cuv_writer_init(&w, CUV_MSG_LOOK);
	cuv_look_put(&w, &look);
	session_answer_fds(s, &w, (struct fds){.fd = {lock}, .n = lock >= 0});
}

static void answer_which(struct server *sv, struct session *s, struct cuv_frame *f)
{
	_cleanup_which_ struct cuv_which ask = CUV_WHICH_INIT, there = CUV_WHICH_INIT;
	_cleanup_writer_ struct cuv_writer w;

	if (cuv_which_get(&f->body, &ask) < 0 || cuv_look_which(sv->b, &ask, &there) < 0) {
		session_close(s);
		return;
	}
	cuv_writer_init(&w, CUV_MSG_WHICH);
	cuv_which_put(&w, &there);
	session_answer(s, &w);
}

/* Who says so has waited for nothing, and closes the session. */
static void take_used(struct server *sv, struct session *s, struct cuv_frame *f)
{
	char store_name[CUV_STORE_NAME_SIZE];
	struct cuv_env_used used;

	if (cuv_env_used_get(&f->body, &used) == 0) {
		cuv_index_store_name(used.digest, store_name);
		cuv_uses_note(sv->uses, store_name, used.count);
	}
	session_close(s);
}

static void session_input(struct server *sv, struct session *s)
{
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	int r = cuv_frame_recv(s->fd, &f);

	if (r == -EAGAIN)
		return;
	if (r != 0 || s->state != SESSION_OPEN)
		session_close(s);
	else if (f.type == CUV_MSG_TOOLS_ASK && cuv_reader_end(&f.body) == 0)
		answer_tools(sv, s);
	else if (f.type == CUV_MSG_ENV_ASK)
		answer_env(sv, s, &f);
	else if (f.type == CUV_MSG_CHORE_ASK)
		answer_chore(sv, s, &f);
	else if (f.type == CUV_MSG_SHARE_ASK)
		answer_share(sv, s, &f);
	else if (f.type == CUV_MSG_LOOK_ASK)
		answer_look(sv, s, &f);
	else if (f.type == CUV_MSG_WHICH_ASK)
		answer_which(sv, s, &f);
	else if (f.type == CUV_MSG_ENV_USED)
		take_used(sv, s, &f);
	else
		session_close(s);
}

static void session_output(struct session *s)
{
	int r = cuv_writer_send(&s->last, s->fd, s->last_fds.fd, s->last_fds.n);

	if (r == -EAGAIN)
		return;
	cuv_writer_done(&s->last);
	close_fds(&s->last_fds);
	s->stuck = false;
	if (r < 0 || s->ends)
		session_close(s);
}

/* --- flights --- */

#define for_each_follower(sv, s, flight_)                                                                              \
	for (struct session *s = (sv)->sessions; s < (sv)->sessions + (sv)->n_sessions; s++)                           \
		if (s->fd >= 0 && s->flight == (flight_))

/* session_answer takes each follower off the flight; it is ended by the caller. */
static void flight_fail(struct server *sv, struct cuv_flight *flight, const struct cuv_error *err)
{
	/* What is wrong with a request is said to who sent it: the message has words of theirs. */
	cuv_log(CUV_LOG_INFO, "environment-failed", CUV_S("key", flight->key.hex),
		CUV_S("code", cuv_error_name(err->code)),
		CUV_S("message", cuv_error_http_status(err->code) >= 500 ? err->message : ""));
	cuv_cache_put_failed(sv->cache, &flight->key, err, cuv_now_ns());
	/* Perhaps of damage that can be healed by now. */
	if (err->code == CUV_E_UNAVAILABLE)
		cuv_desk_tend_later(&sv->desk);
	for_each_follower(sv, s, flight) session_fail(s, err);
	cuv_flight_end(flight);
}

static void flight_ready(struct server *sv, struct cuv_flight *flight, struct cuv_environment *e)
{
	const struct cuv_environment *kept;
	int64_t exclude_s = flight->ask.exclude_s;

	cuv_log(CUV_LOG_INFO, "environment-ready", CUV_S("key", flight->key.hex), CUV_S("digest", e->digest),
		CUV_I("resolve_ms", e->resolve_ns / CUV_NS_PER_MS), CUV_I("build_ms", e->build_ns / CUV_NS_PER_MS));
	/* There is a lock and no environment: nothing to remember or to keep. */
	if (flight->ask.lock_only) {
		for_each_follower(sv, s, flight) session_ready(sv, s, e, -1, exclude_s, false);
		cuv_flight_end(flight);
		return;
	}
	kept = cuv_cache_take_ready(sv->cache, &flight->key, e);
	for_each_follower(sv, s, flight)
	{
		int lease = cuv_uses_take(sv->uses, kept->store_name);

		if (lease >= 0)
			session_ready(sv, s, kept, lease, exclude_s, false);
		else
			session_fail_with(s, CUV_E_UNAVAILABLE, 1,
					  "the environment was evicted as soon as it was made; try again");
	}
	cuv_flight_end(flight);
	if (sv->b->budget.bytes || sv->b->budget.count)
		cuv_desk_tend_later(&sv->desk);
}

static int flight_message(struct server *sv, struct cuv_flight *flight, struct cuv_frame *f)
{
	_cleanup_environment_ struct cuv_environment e = CUV_ENVIRONMENT_INIT;
	struct cuv_error err;

	switch (f->type) {
	case CUV_MSG_ENV_PROGRESS:
		if (cuv_env_progress_get(&f->body, &flight->progress) < 0)
			return -EBADMSG;
		flight->has_progress = true;
		for_each_follower(sv, s, flight) session_progress(s, &flight->progress);
		return 0;
	case CUV_MSG_ENV_READY:
		if (cuv_environment_get(&f->body, &e) < 0)
			return -EBADMSG;
		flight_ready(sv, flight, &e);
		return 0;
	case CUV_MSG_FAILURE:
		if (cuv_failure_get(&f->body, &err) < 0)
			return -EBADMSG;
		flight_fail(sv, flight, &err);
		return 0;
	default:
		return -EBADMSG;
	}
}

static void flight_input(struct server *sv, struct cuv_flight *flight)
{
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	struct cuv_error err;
	int r = cuv_frame_recv(flight->worker.sock, &f);

	if (r == -EAGAIN)
		return;
	if (r == 0)
		r = flight_message(sv, flight, &f);
	if (r == 0)
		return;
	cuv_error_set(&err, CUV_E_INTERNAL, "the environment's worker died");
	flight_fail(sv, flight, &err);
}

/* When the next one has to be given up, or CUV_NEVER. */
static uint64_t end_overdue(struct server *sv)
{
	uint64_t next = CUV_NEVER, now = cuv_now_ns();
	struct cuv_error err;

	for (size_t i = 0; sv->flights.n > 0 && i < CUV_FLIGHTS_MAX; i++) {
		struct cuv_flight *flight = &sv->flights.items[i];

		if (!flight->used || flight->worker.pid <= 0)
			continue;
		if (flight->overdue_ns <= now) {
			cuv_error_set(&err, CUV_E_BUILD_TIMEOUT, "making the environment took longer than its limits");
			flight_fail(sv, flight, &err);
		} else {
			next = CUV_MIN(next, flight->overdue_ns);
		}
	}
	return next;
}

static void start_flights(struct server *sv)
{
	struct cuv_flight *flight;
	struct cuv_error err;
	int r = 0;

	while ((flight = cuv_flights_start(&sv->flights, sv->b, &r))) {
		(void)cuv_error_set_errno(&err, r, "the environment's worker can't be started: %s", strerror(-r));
		flight_fail(sv, flight, &err);
	}
}

/* --- chores --- */

static void chore_failed(struct server *sv, const struct cuv_error *err)
{
	struct session *s = sv->desk.item[0].owner;

	if (s)
		session_fail(s, err);
	else
		cuv_log(CUV_LOG_WARNING, "chore-failed", CUV_S("error", err->message));
}

/* What the chore says goes to who asked for it as it is. False when it was the last. */
static bool chore_message(struct server *sv, struct cuv_frame *f)
{
	struct session *s = sv->desk.item[0].owner;
	_cleanup_close_ int fd = cuv_frame_take_fd(f, 0);
	struct cuv_env_progress progress;
	struct cuv_error err;

	if (f->type == CUV_MSG_ENV_PROGRESS && cuv_env_progress_get(&f->body, &progress) == 0) {
		if (s)
			session_progress(s, &progress);
		return true;
	}
	if (f->type == CUV_MSG_FAILURE && cuv_failure_get(&f->body, &err) == 0) {
		chore_failed(sv, &err);
	} else if (f->type == CUV_MSG_CHORE_ANSWER && s && fd >= 0) {
		s->state = SESSION_ANSWERED;
		/* What it made counts, too. */
		if (sv->desk.item[0].ask.verb == CUV_CHORE_IMPORT && (sv->b->budget.bytes || sv->b->budget.count))
			cuv_desk_tend_later(&sv->desk);
		if (cuv_msg_send_plain(s->fd, CUV_MSG_CHORE_ANSWER, &fd, 1) < 0)
			session_close(s);
	}
	return false;
}

static void chore_input(struct server *sv)
{
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	struct cuv_error err;
	int r = cuv_frame_recv(sv->desk.worker.sock, &f);

	if (r == -EAGAIN || (r == 0 && chore_message(sv, &f)))
		return;
	if (r != 0) {
		cuv_error_set(&err, CUV_E_INTERNAL, "the chore's worker died");
		chore_failed(sv, &err);
	}
	/* A session that was closed above has taken its chore along. */
	if (sv->desk.worker.pid > 0)
		cuv_desk_next(&sv->desk);
}

static void start_chores(struct server *sv)
{
	struct cuv_error err;
	int r;

	while ((r = cuv_desk_start(&sv->desk, sv->b)) < 0) {
		(void)cuv_error_set_errno(&err, r, "the chore's worker can't be started: %s", strerror(-r));
		chore_failed(sv, &err);
		cuv_desk_next(&sv->desk);
	}
}

/* --- the loop --- */

static void control_input(struct server *sv)
{
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	int r = cuv_frame_recv(sv->fds.control, &f);
	struct session *s;

	if (r == -EAGAIN)
		return;
	if (r == 0 && f.type == CUV_MSG_SESSION_OPEN && f.n_fds == 1) {
		s = session_new(sv, cuv_frame_take_fd(&f, 0), sv->fds.chores);
		/* Mostly it has been asked already. */
		if (s)
			session_input(sv, s);
		return;
	}
	/* The manager is gone, or not itself any more. */
	if (r != 1)
		cuv_log(CUV_LOG_ERROR, "control-broken", CUV_I("error", r));
	sv->fds.control = cuv_close(sv->fds.control);
}

static void listener_input(struct server *sv)
{
	int fd = cuv_session_accept(sv->fds.listener, sv->fds.uid);

	if (fd >= 0)
		(void)session_new(sv, fd, true);
}

enum { FD_STOP, FD_SUPERVISOR, FD_CONTROL, FD_LISTENER, FD_CHORE, FD_FIRST_SHARE };
#define FD_FIRST_FLIGHT (FD_FIRST_SHARE + CUV_SHARE_WORKERS)
#define FD_FIRST_SESSION (FD_FIRST_FLIGHT + CUV_FLIGHTS_MAX)
#define FDS_MAX (FD_FIRST_SESSION + CUV_BUILDER_SESSIONS_MAX)

/* How many there are to wait for. */
static nfds_t fill_poll(const struct server *sv, int stop_fd, struct pollfd *p)
{
	p[FD_STOP] = (struct pollfd){.fd = stop_fd, .events = POLLIN};
	p[FD_SUPERVISOR] = (struct pollfd){.fd = sv->fds.supervisor, .events = POLLIN};
	p[FD_CONTROL] = (struct pollfd){.fd = sv->fds.control, .events = POLLIN};
	p[FD_LISTENER] = (struct pollfd){.fd = sv->fds.listener, .events = POLLIN};
	p[FD_CHORE] = (struct pollfd){.fd = sv->desk.worker.sock, .events = POLLIN};
	for (size_t i = 0; i < CUV_SHARE_WORKERS; i++)
		p[FD_FIRST_SHARE + i] = (struct pollfd){.fd = cuv_share_socket(sv->share, i), .events = POLLIN};
	for (size_t i = 0; i < CUV_FLIGHTS_MAX; i++)
		p[FD_FIRST_FLIGHT + i] = (struct pollfd){
			.fd = sv->flights.n > 0 ? sv->flights.items[i].worker.sock : -1, .events = POLLIN};
	for (size_t i = 0; i < sv->n_sessions; i++)
		p[FD_FIRST_SESSION + i] = (struct pollfd){
			.fd = sv->sessions[i].fd, .events = (short)(POLLIN | (sv->sessions[i].stuck ? POLLOUT : 0))};
	return (nfds_t)(FD_FIRST_SESSION + sv->n_sessions);
}

/* When the first silent session is due, or CUV_NEVER. */
static uint64_t close_silent(struct server *sv)
{
	uint64_t next = CUV_NEVER, now = cuv_now_ns();

	for (size_t i = 0; i < sv->n_sessions; i++) {
		struct session *s = &sv->sessions[i];

		if (s->fd < 0 || s->state != SESSION_OPEN)
			continue;
		if (s->deadline_ns <= now)
			session_close(s);
		else
			next = CUV_MIN(next, s->deadline_ns);
	}
	return next;
}

/* n: of p, as fill_poll said. */
static void handle(struct server *sv, const struct pollfd *p, nfds_t n)
{
	/* Each entry is looked up again by its descriptor: what came before may
	 * have closed it, and its place may be another's by now. */
	for (size_t i = 0; i < CUV_FLIGHTS_MAX; i++)
		if (p[FD_FIRST_FLIGHT + i].revents && sv->flights.items[i].worker.sock == p[FD_FIRST_FLIGHT + i].fd)
			flight_input(sv, &sv->flights.items[i]);
	if (p[FD_CHORE].revents && sv->desk.worker.sock == p[FD_CHORE].fd)
		chore_input(sv);
	for (size_t i = 0; i < CUV_SHARE_WORKERS; i++)
		if (p[FD_FIRST_SHARE + i].revents && cuv_share_socket(sv->share, i) == p[FD_FIRST_SHARE + i].fd)
			cuv_share_input(sv->share, i, share_answer);
	for (size_t i = 0; FD_FIRST_SESSION + i < n; i++) {
		const struct pollfd *e = &p[FD_FIRST_SESSION + i];
		struct session *s = &sv->sessions[i];

		if (e->revents && s->fd == e->fd && s->stuck && (e->revents & POLLOUT))
			session_output(s);
		if ((e->revents & ~POLLOUT) && s->fd == e->fd)
			session_input(sv, s);
	}
	if (p[FD_CONTROL].revents)
		control_input(sv);
	if (p[FD_LISTENER].revents)
		listener_input(sv);
}

static int serve(struct server *sv, int stop_fd)
{
	static struct pollfd p[FDS_MAX];

	for (;;) {
		uint64_t next = CUV_MIN(close_silent(sv), end_overdue(sv));
		nfds_t n;

		start_flights(sv);
		start_chores(sv);
		next = CUV_MIN(next, CUV_MIN(cuv_uses_due_ns(sv->uses), sv->desk.tend_ns));
		n = fill_poll(sv, stop_fd, p);
		if (poll(p, n, cuv_deadline_poll_ms(next)) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (p[FD_STOP].revents || p[FD_SUPERVISOR].revents)
			return 0;
		handle(sv, p, n);
		if (cuv_now_ns() >= cuv_uses_due_ns(sv->uses))
			cuv_uses_flush(sv->uses);
	}
}

int cuv_server_run(const struct cuv_builder *b, const struct cuv_server_fds *fds, struct cuv_share *share, int stop_fd)
{
	struct server *sv = calloc(1, sizeof(*sv));
	int r;

	if (!sv)
		return -ENOMEM;
	sv->b = b;
	sv->fds = *fds;
	sv->share = share;
	sv->cache = cuv_cache_new();
	sv->uses = cuv_uses_new(b);
	cuv_desk_init(&sv->desk);
	for (size_t i = 0; i < CUV_BUILDER_SESSIONS_MAX; i++)
		sv->sessions[i] = (struct session){.fd = -1};
	for (size_t i = 0; i < CUV_FLIGHTS_MAX; i++)
		sv->flights.items[i].worker = CUV_WORKER_INIT;
	if (sv->fds.control >= 0)
		(void)cuv_set_nonblock(sv->fds.control, true);
	if (sv->fds.listener >= 0)
		(void)cuv_set_nonblock(sv->fds.listener, true);
	r = sv->cache && sv->uses ? serve(sv, stop_fd) : -ENOMEM;
	for (size_t i = 0; i < CUV_BUILDER_SESSIONS_MAX; i++)
		session_close(&sv->sessions[i]);
	for (size_t i = 0; i < CUV_FLIGHTS_MAX; i++)
		cuv_flight_end(&sv->flights.items[i]);
	cuv_desk_done(&sv->desk);
	cuv_uses_free(sv->uses);
	cuv_cache_free(sv->cache);
	(void)cuv_close(sv->fds.control);
	(void)cuv_close(sv->fds.listener);
	free(sv);
	return r;
}
