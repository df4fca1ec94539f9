/* SPDX-License-Identifier: MIT */
#include "manager/ruff/pool.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "manager/ruff/guard.h"
#include "manager/ruff/lint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define TICK_MS 1000	/* how often an idle server is looked after */
#define QUEUE_MS 1000	/* longest wait for a server */
#define QUEUED_MAX 4096 /* as many as there may be clients */
/* A server is replaced before its box's time is over, and not both at once. */
#define AGE_MS (CUV_LINT_SERVER_MS * 4 / 5)
#define AGE_STEP_MS (CUV_LINT_SERVER_MS / 10)
#define DOCUMENTS_MAX 5000
#define PAUSE_MS 100 /* after a start that failed; twice as long each time */
#define PAUSE_MS_MAX 5000

struct cuv_ruff_ticket {
	struct cuv_ruff_ticket *next;
	int ours, theirs; /* theirs is closed when it is done; -1 then */
	uint64_t came_ns;
	bool taken;	/* a worker has it; otherwise it is in the queue, or done */
	bool abandoned; /* whoever asked is gone: the worker frees it */
	bool answered;
	struct cuv_ruff_report report;
	struct cuv_ruff_key key;
	size_t len;
	char code[];
};

static void ticket_free(struct cuv_ruff_ticket *t)
{
	cuv_close(t->ours);
	cuv_close(t->theirs);
	cuv_ruff_report_done(&t->report);
	free(t);
}

/* --- with the lock held --- */

static size_t queued(const struct cuv_ruff_pool *p)
{
	const struct cuv_ruff_ticket *t;
	size_t n = 0;

	for (t = p->first; t; t = t->next)
		n++;
	return n;
}

static void enqueue(struct cuv_ruff_pool *p, struct cuv_ruff_ticket *t)
{
	*(p->first ? &p->last->next : &p->first) = t;
	p->last = t;
	pthread_cond_signal(&p->moved);
}

static struct cuv_ruff_ticket *dequeue(struct cuv_ruff_pool *p)
{
	struct cuv_ruff_ticket *t = p->first;

	if (t)
		p->first = t->next;
	return t;
}

static void remove_queued(struct cuv_ruff_pool *p, struct cuv_ruff_ticket *t)
{
	struct cuv_ruff_ticket **at = &p->first, *before = NULL;

	while (*at && *at != t) {
		before = *at;
		at = &before->next;
	}
	if (!*at)
		return;
	*at = t->next;
	if (p->last == t)
		p->last = before;
}

/* It is over, with an answer or without one. */
static void finish(struct cuv_ruff_ticket *t, bool answered)
{
	t->taken = false;
	t->answered = answered;
	if (t->abandoned)
		ticket_free(t);
	else
		t->theirs = cuv_close(t->theirs);
}

static void refuse_all(struct cuv_ruff_pool *p)
{
	struct cuv_ruff_ticket *t;

	while ((t = dequeue(p)))
		finish(t, false);
}

/* False when the time is over and nothing has moved. */
static bool wait_ms(struct cuv_ruff_pool *p, uint64_t ms)
{
	const uint64_t until = cuv_deadline_ms(ms);
	struct timespec ts = {.tv_sec = (time_t)(until / CUV_NS_PER_S), .tv_nsec = (long)(until % CUV_NS_PER_S)};

	return pthread_cond_timedwait(&p->moved, &p->lock, &ts) != ETIMEDOUT;
}

/* --- a worker --- */

static bool is_due(const struct cuv_ruff_worker *w)
{
	const uint64_t age_ms = (cuv_now_ns() - w->server.born_ns) / CUV_NS_PER_MS;

	return age_ms >= AGE_MS - w->number * AGE_STEP_MS || w->server.documents >= DOCUMENTS_MAX;
}

/* Whether there is an answer. Without the lock. */
static bool serve(struct cuv_ruff_worker *w, struct cuv_ruff_ticket *t)
{
	bool answered;

	if (cuv_now_ns() - t->came_ns > QUEUE_MS * CUV_NS_PER_MS || !cuv_ruff_server_check(&w->server))
		return false;
	answered = cuv_ruff_server_ask(&w->server, t->code, t->len, &t->report) == 0;
	/* What a server was lost with must not cost the next one too. */
	cuv_ruff_cache_put(&w->pool->cache, &t->key, answered ? &t->report : NULL);
	return answered;
}

/* Has a server started; false when it could not be. Called and left with the lock held. */
static bool have_server(struct cuv_ruff_worker *w)
{
	struct cuv_ruff_pool *p = w->pool;
	int r;

	pthread_mutex_unlock(&p->lock);
	cuv_ruff_server_stop(&w->server);
	r = cuv_ruff_server_start(&w->server, p->peers, &p->tools);
	pthread_mutex_lock(&p->lock);
	if (r == 0)
		p->ready++;
	else if (p->ready == 0)
		refuse_all(p);
	return r == 0;
}

/* While the server is of use. Called and left with the lock held. */
static void work(struct cuv_ruff_worker *w)
{
	struct cuv_ruff_pool *p = w->pool;
	bool lives = true;

	while (lives && !p->stop && !is_due(w)) {
		struct cuv_ruff_ticket *t = dequeue(p);
		bool answered = false;

		if (t) {
			t->taken = true;
		} else {
			if (wait_ms(p, TICK_MS) || p->first)
				continue;
		}
		pthread_mutex_unlock(&p->lock);
		if (t)
			answered = serve(w, t);
		else
			(void)cuv_ruff_server_rest(&w->server);
		pthread_mutex_lock(&p->lock);
		lives = cuv_ruff_server_lives(&w->server);
		p->ready -= !lives;
		if (t)
			finish(t, answered);
	}
	p->ready -= lives;
}

static void *worker_main(void *arg)
{
	struct cuv_ruff_worker *w = arg;
	struct cuv_ruff_pool *p = w->pool;
	uint64_t pause_ms = PAUSE_MS;

	pthread_mutex_lock(&p->lock);
	while (!p->open && !p->stop)
		pthread_cond_wait(&p->moved, &p->lock);
	while (!p->stop) {
		if (have_server(w)) {
			pause_ms = PAUSE_MS;
			work(w);
		} else {
			(void)wait_ms(p, pause_ms);
			pause_ms = CUV_MIN(2 * pause_ms, (uint64_t)PAUSE_MS_MAX);
		}
	}
	pthread_mutex_unlock(&p->lock);
	cuv_ruff_server_stop(&w->server);
	return NULL;
}

/* --- the pool --- */

int cuv_ruff_pool_start(struct cuv_ruff_pool *p, unsigned servers)
{
	pthread_condattr_t attr;
	int r = 0;

	cuv_assert(servers <= CUV_RUFF_SERVERS_MAX);
	*p = (struct cuv_ruff_pool){.open = false};
	cuv_ruff_cache_init(&p->cache, CUV_RUFF_CACHE_BYTES);
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->moved, &attr);
	pthread_condattr_destroy(&attr);
	while (r == 0 && p->threads < servers) {
		struct cuv_ruff_worker *w = &p->worker[p->threads];

		w->pool = p;
		w->number = p->threads;
		cuv_ruff_server_init(&w->server);
		r = -pthread_create(&w->thread, NULL, worker_main, w);
		p->threads += r == 0;
	}
	return r;
}

void cuv_ruff_pool_open(struct cuv_ruff_pool *p, const struct cuv_peers *peers, const struct cuv_tools *tools)
{
	pthread_mutex_lock(&p->lock);
	p->peers = peers;
	p->tools = *tools;
	p->open = true;
	pthread_cond_broadcast(&p->moved);
	pthread_mutex_unlock(&p->lock);
}

void cuv_ruff_pool_stop(struct cuv_ruff_pool *p)
{
	unsigned i;

	pthread_mutex_lock(&p->lock);
	p->stop = true;
	refuse_all(p);
	pthread_cond_broadcast(&p->moved);
	pthread_mutex_unlock(&p->lock);
	for (i = 0; i < p->threads; i++)
		pthread_join(p->worker[i].thread, NULL);
	cuv_ruff_cache_done(&p->cache);
	pthread_cond_destroy(&p->moved);
	pthread_mutex_destroy(&p->lock);
}

static struct cuv_ruff_ticket *ticket_new(const struct cuv_ruff_key *key, const char *code, size_t len)
{
	struct cuv_ruff_ticket *t = malloc(sizeof(*t) + len);
	int pair[2];

	if (!t)
		return NULL;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		free(t);
		return NULL;
	}
	*t = (struct cuv_ruff_ticket){
		.ours = pair[0], .theirs = pair[1], .came_ns = cuv_now_ns(), .key = *key, .len = len};
	memcpy(t->code, code, len);
	cuv_ruff_report_init(&t->report);
	return t;
}

struct cuv_ruff_ticket *cuv_ruff_pool_ask(struct cuv_ruff_pool *p, const struct cuv_ruff_key *key, const char *code,
					  size_t len)
{
	struct cuv_ruff_ticket *t;
	bool taken;

	if (p->threads == 0 || !cuv_ruff_guard(code, len))
		return NULL;
	t = ticket_new(key, code, len);
	if (!t)
		return NULL;
	pthread_mutex_lock(&p->lock);
	taken = p->ready > 0 && !p->stop && queued(p) < QUEUED_MAX;
	if (taken)
		enqueue(p, t);
	pthread_mutex_unlock(&p->lock);
	if (taken)
		return t;
	ticket_free(t);
	return NULL;
}

int cuv_ruff_ticket_fd(const struct cuv_ruff_ticket *t)
{
	return t->ours;
}

bool cuv_ruff_ticket_end(struct cuv_ruff_pool *p, struct cuv_ruff_ticket *t, struct cuv_ruff_report *ret)
{
	bool answered = false, ours = true;

	if (!t)
		return false;
	pthread_mutex_lock(&p->lock);
	if (t->taken) {
		t->abandoned = true;
		ours = false;
	} else {
		remove_queued(p, t);
	}
	pthread_mutex_unlock(&p->lock);
	if (!ours)
		return false;
	if (t->answered && ret) {
		*ret = t->report;
		cuv_ruff_report_init(&t->report);
		answered = true;
	}
	ticket_free(t);
	return answered;
}
