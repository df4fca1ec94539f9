/* SPDX-License-Identifier: MIT */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "manager/answer.h"
#include "manager/form_pack.h"
#include "manager/metrics.h"
#include "manager/runs/private.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* Of the memory that requests may hold, events have this part. */
#define EVENTS_PART 16
#define CANCEL_WAIT_MS 5000

/* --- waiting --- */

int cuv_runs_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	int r;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	r = pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
	return -r;
}

void cuv_runs_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t deadline_ns)
{
	struct timespec ts = {.tv_sec = (time_t)(deadline_ns / CUV_NS_PER_S),
			      .tv_nsec = (long)(deadline_ns % CUV_NS_PER_S)};

	(void)pthread_cond_timedwait(cond, lock, &ts);
}

/* --- entries; all with the lock held --- */

static void entry_free(struct cuv_runs_entry *e)
{
	cuv_run_events_done(&e->events);
	pthread_cond_destroy(&e->moved);
	free(e->lost);
	free(e);
}

static struct cuv_runs_entry *entry_new(struct cuv_runs *a, const struct cuv_runs_row *row, size_t bytes)
{
	struct cuv_runs_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->row = *row;
	e->row.task = NULL;
	e->bytes = bytes;
	e->known_ns = cuv_now_ns();
	cuv_run_events_init(&e->events);
	(void)cuv_runs_cond_init(&e->moved);
	HASH_ADD_STR(a->by_id, row.id, e);
	if (!e->hh.tbl) {
		entry_free(e);
		return NULL;
	}
	return e;
}

void cuv_runs_ref(struct cuv_runs_entry *e)
{
	e->refs++;
}

void cuv_runs_unref(struct cuv_runs_entry *e)
{
	cuv_assert(e->refs > 0);
	if (--e->refs == 0 && e->forgotten)
		entry_free(e);
}

static void forget(struct cuv_runs *a, struct cuv_runs_entry *e)
{
	HASH_DEL(a->by_id, e);
	a->events_bytes -= e->counted;
	e->counted = 0;
	e->forgotten = true;
	if (e->refs == 0)
		entry_free(e);
}

static void forget_oldest(struct cuv_runs *a)
{
	struct cuv_runs_entry *e = a->first_ended;

	a->first_ended = e->next;
	if (!a->first_ended)
		a->last_ended = NULL;
	forget(a, e);
}

void cuv_runs_forget_old(struct cuv_runs *a, int64_t now_s)
{
	while (a->first_ended && !a->first_ended->lost && a->first_ended->row.ended_s + CUV_RUNS_KEEP_S < now_s)
		forget_oldest(a);
}

struct cuv_runs_entry *cuv_runs_find(struct cuv_runs *a, const struct cuv_client *c, const char *id)
{
	struct cuv_runs_entry *e = NULL;

	HASH_FIND_STR(a->by_id, id, e);
	return e && strcmp(e->row.tenant, c->tenant) == 0 ? e : NULL;
}

void cuv_runs_count(struct cuv_runs *a, struct cuv_runs_entry *e)
{
	a->events_bytes -= e->counted;
	e->counted = e->forgotten ? 0 : e->events.bytes + e->events.pending.cap;
	a->events_bytes += e->counted;
}

void cuv_runs_moved(struct cuv_runs *a, struct cuv_runs_entry *e)
{
	cuv_runs_count(a, e);
	while (a->events_bytes > a->events_max && a->first_ended && a->first_ended != e && !a->first_ended->lost)
		forget_oldest(a);
	if (a->events_bytes > a->events_max) {
		const size_t over = a->events_bytes - a->events_max;

		cuv_run_events_trim(&e->events, e->events.bytes - CUV_MIN(over, e->events.bytes));
		cuv_runs_count(a, e);
	}
	pthread_cond_broadcast(&e->moved);
}

void cuv_runs_set_state(struct cuv_runs *a, struct cuv_runs_entry *e, enum cuv_runs_state state)
{
	e->row.state = state;
	cuv_run_events_add(&e->events, "state", json_pack("{s:s}", "state", cuv_runs_state_name(state)));
	cuv_runs_moved(a, e);
}

void cuv_runs_set_ended(struct cuv_runs *a, struct cuv_runs_entry *e, enum cuv_runs_state state, json_t *data)
{
	if (cuv_runs_has_ended(e->row.state)) {
		json_decref(data);
		return;
	}
	cuv_metrics_ended(state);
	e->row.state = state;
	e->row.ended_s = cuv_wall_s();
	cuv_run_events_end(&e->events, data);
	cuv_buf_done(&e->events.pending);
	e->next = NULL;
	*(a->last_ended ? &a->last_ended->next : &a->first_ended) = e;
	a->last_ended = e;
	a->tidy_until_ns = cuv_now_ns() + CUV_RUNS_TIDY_NS;
	cuv_runs_moved(a, e);
}

/* --- accepting --- */

static int not_served(struct cuv_error *err)
{
	cuv_error_set(err, CUV_E_UNAVAILABLE, "`mode=async` is not served: this service keeps nothing (--store)");
	return -1;
}

/* Known from here on, as one that waits. */
static struct cuv_runs_entry *keep(struct cuv_runs *a, const struct cuv_runs_row *row, size_t bytes)
{
	struct cuv_runs_entry *e;

	pthread_mutex_lock(&a->lock);
	e = entry_new(a, row, bytes);
	if (e)
		cuv_runs_set_state(a, e, CUV_RUNS_QUEUED);
	pthread_mutex_unlock(&a->lock);
	return e;
}

/* e: known already, so that whoever takes it from the queue finds it. */
static int enqueue(struct cuv_runs *a, struct cuv_runs_entry *e, const struct cuv_runs_row *row,
		   const struct cuv_buf *request, struct cuv_error *err)
{
	int r = a->in.queue->add(a->in.queue, row, request, err);

	pthread_mutex_lock(&a->lock);
	if (r < 0)
		forget(a, e);
	a->arrived++;
	pthread_cond_signal(&a->work);
	pthread_mutex_unlock(&a->lock);
	return r;
}

int cuv_runs_accept(struct cuv_runs *a, const struct cuv_client *c, const char *request_id, const char *id,
		    const struct cuv_runs_request *request, struct cuv_error *err)
{
	struct cuv_runs_row row = {.state = CUV_RUNS_QUEUED,
				   .kind = request->kind,
				   .session = request->session,
				   .task = request->task,
				   .accepted_s = cuv_wall_s()};
	struct cuv_runs_entry *e;
	int r;

	if (!a->in.queue)
		return not_served(err);
	(void)snprintf(row.id, sizeof(row.id), "%s", id);
	(void)snprintf(row.tenant, sizeof(row.tenant), "%s", c->tenant);
	(void)snprintf(row.request_id, sizeof(row.request_id), "%s", request_id);
	e = keep(a, &row, request->body->len);
	if (!e)
		return cuv_budget_exhausted(err, "request");
	r = enqueue(a, e, &row, request->body, err);
	if (r == 0)
		cuv_metrics_accepted();
	return r;
}

int cuv_runs_submit(struct cuv_runs *a, const struct cuv_client *c, const char *request_id, const struct cuv_form *form,
		    char ret_id[CUV_ID_HEX_SIZE], struct cuv_error *err)
{
	const size_t size = form->total_bytes + CUV_FORM_PACK_OVERHEAD;
	_cleanup_buf_ struct cuv_buf packed = CUV_BUF_INIT(size);
	char id[CUV_ID_HEX_SIZE];
	int r;

	if (!a->in.queue)
		return not_served(err);
	r = a->in.queue->check_room(a->in.queue, c->tenant, form->total_bytes, err);
	if (r < 0)
		return r;
	if (!cuv_charge_add(form->charge, 2 * form->total_bytes) || cuv_form_pack(form, &packed) < 0)
		return cuv_budget_exhausted(err, "request");
	cuv_random_id(id);
	r = cuv_runs_accept(a, c, request_id, id,
			    &(struct cuv_runs_request){.kind = CUV_RUNS_KIND_RUN, .body = &packed}, err);
	if (r == 0)
		memcpy(ret_id, id, sizeof(id));
	return r;
}

/* --- asking --- */

json_t *cuv_runs_progress(const struct cuv_env_progress *p)
{
	json_t *o = json_pack("{s:s, s:I, s:I, s:I, s:I}", "phase", cuv_env_phase_name(p->phase), "done",
			      (json_int_t)p->done, "total", (json_int_t)p->total, "bytes_done",
			      (json_int_t)p->bytes_done, "bytes_total", (json_int_t)p->bytes_total);

	if (p->file[0]) {
		json_object_set_new(o, "file", json_string(p->file));
		json_object_set_new(o, "file_done", json_integer((json_int_t)p->file_done));
		json_object_set_new(o, "file_total", json_integer((json_int_t)p->file_total));
	}
	return o;
}

/* 1 when all is said, 0 when the results have to be asked. */
static int look(struct cuv_runs *a, const struct cuv_client *c, const char *id, struct cuv_runs_view *ret,
		struct cuv_buf *answer)
{
	const struct cuv_runs_entry *e = cuv_runs_find(a, c, id);

	if (!e || (cuv_runs_has_ended(e->row.state) && !e->lost))
		return 0;
	ret->row = e->row;
	ret->has_progress = e->has_progress;
	ret->progress = e->progress;
	ret->position = cuv_runs_position(a, e);
	return e->lost && answer ? cuv_buf_add_str(answer, e->lost) == 0 : 1;
}

int cuv_runs_get(struct cuv_runs *a, const struct cuv_client *c, const char *id, struct cuv_runs_view *ret,
		 struct cuv_charge *charge, struct cuv_buf *answer, struct cuv_error *err)
{
	int r;

	*ret = (struct cuv_runs_view){0};
	if (!a->in.results)
		return not_served(err);
	pthread_mutex_lock(&a->lock);
	r = look(a, c, id, ret, answer);
	pthread_mutex_unlock(&a->lock);
	if (r > 0)
		return 0;
	r = a->in.results->get(a->in.results, id, c->tenant, &ret->row, charge, answer, err);
	if (r == 0 && ret->row.ended_s && ret->row.ended_s + CUV_RUNS_KEEP_S < cuv_wall_s())
		return cuv_error_set(err, CUV_E_NOT_FOUND, "the answer of this run has expired");
	return r;
}

static void list_one(void *arg, const struct cuv_runs_row *row)
{
	struct cuv_runs_list *l = arg;

	l->views[l->n++] = (struct cuv_runs_view){.row = *row};
}

/* What is known better than the results have it; those whose state is not wanted go. */
static void refine(struct cuv_runs *a, unsigned states, struct cuv_runs_list *l)
{
	size_t n = 0;

	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < l->n; i++) {
		struct cuv_runs_view *v = &l->views[i];
		const struct cuv_runs_entry *e = NULL;

		HASH_FIND_STR(a->by_id, v->row.id, e);
		if (e && !cuv_runs_has_ended(v->row.state)) {
			v->row = e->row;
			v->position = cuv_runs_position(a, e);
		}
		if (states & 1u << v->row.state)
			l->views[n++] = *v;
	}
	pthread_mutex_unlock(&a->lock);
	l->n = n;
}

int cuv_runs_list(struct cuv_runs *a, const struct cuv_client *c, const struct cuv_runs_wanted *wanted,
		  struct cuv_charge *charge, struct cuv_runs_list *ret, struct cuv_error *err)
{
	const size_t max = CUV_MIN(wanted->max, CUV_RUNS_LISTED_MAX);
	int r;

	*ret = (struct cuv_runs_list){.n = 0};
	if (!a->in.results)
		return not_served(err);
	if (!cuv_charge_add(charge, max * sizeof(*ret->views)))
		return cuv_budget_exhausted(err, "request");
	ret->views = calloc(max, sizeof(*ret->views));
	if (!ret->views)
		return cuv_budget_exhausted(err, "request");
	r = a->in.results->list(a->in.results, c->tenant, wanted->states, cuv_wall_s() - CUV_RUNS_KEEP_S, wanted->after,
				(uint32_t)max, list_one, ret, err);
	if (r > 0)
		memcpy(ret->next, ret->views[ret->n - 1].row.id, sizeof(ret->next));
	if (r >= 0)
		refine(a, wanted->states, ret);
	return CUV_MIN(r, 0);
}

int cuv_runs_get_task(struct cuv_runs *a, const struct cuv_client *c, const char *task, struct cuv_runs_view *ret,
		      struct cuv_charge *charge, struct cuv_buf *answer, struct cuv_error *err)
{
	char id[CUV_ID_HEX_SIZE];
	int r = a->in.results ? a->in.results->find(a->in.results, c->tenant, task, id, err) : not_served(err);

	return r == 0 ? cuv_runs_get(a, c, id, ret, charge, answer, err) : r;
}

/* Waits until it has ended. */
static void cancel_under_way(struct cuv_runs *a, struct cuv_runs_entry *e)
{
	const uint64_t deadline = cuv_deadline_ms(CANCEL_WAIT_MS);

	if (e->worker)
		(void)send(e->worker->cancel[1], "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	cuv_runs_ref(e);
	while (!cuv_runs_has_ended(e->row.state) && cuv_now_ns() < deadline)
		cuv_runs_wait(&e->moved, &a->lock, deadline);
	cuv_runs_unref(e);
}

int cuv_runs_cancel(struct cuv_runs *a, const struct cuv_client *c, const char *id, struct cuv_error *err)
{
	struct cuv_runs_entry *e;
	int r;

	if (!a->in.queue)
		return not_served(err);
	pthread_mutex_lock(&a->lock);
	e = cuv_runs_find(a, c, id);
	if (e && cuv_runs_has_ended(e->row.state))
		e = NULL;
	if (e)
		cuv_runs_ref(e);
	pthread_mutex_unlock(&a->lock);
	if (!e)
		return 0;
	r = a->in.queue->cancel(a->in.queue, c->tenant, id, cuv_wall_s(), err);
	pthread_mutex_lock(&a->lock);
	if (r == 0)
		cuv_runs_set_ended(a, e, CUV_RUNS_CANCELLED, json_pack("{s:s}", "state", "cancelled"));
	else if (r == -ENOENT)
		cancel_under_way(a, e);
	cuv_runs_unref(e);
	pthread_mutex_unlock(&a->lock);
	return r == -ENOENT ? 0 : r;
}

void cuv_runs_tend_sessions(struct cuv_runs *a)
{
	pthread_mutex_lock(&a->lock);
	if (!a->sessions)
		pthread_cond_broadcast(&a->work);
	a->sessions = true;
	pthread_mutex_unlock(&a->lock);
}

/* The next one of a session that has not ended, after `last`; with the lock held. */
static struct cuv_runs_entry *find_of_session(struct cuv_runs *a, int64_t session, const struct cuv_runs_entry *last)
{
	struct cuv_runs_entry *e = last ? last->hh.next : a->by_id;

	while (e && (e->row.session != session || cuv_runs_has_ended(e->row.state)))
		e = e->hh.next;
	return e;
}

/* It has been told to end when this returns. With the lock held, which is left meanwhile. */
static void cancel_now(struct cuv_runs *a, struct cuv_runs_entry *e)
{
	struct cuv_error err;
	int r;

	pthread_mutex_unlock(&a->lock);
	r = a->in.queue->cancel(a->in.queue, e->row.tenant, e->row.id, cuv_wall_s(), &err);
	pthread_mutex_lock(&a->lock);
	if (r == 0)
		cuv_runs_set_ended(a, e, CUV_RUNS_CANCELLED, json_pack("{s:s}", "state", "cancelled"));
	else if (e->worker)
		(void)send(e->worker->cancel[1], "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void cuv_runs_cancel_session(struct cuv_runs *a, int64_t session)
{
	struct cuv_runs_entry *e, *next;
	int rounds = 0;

	pthread_mutex_lock(&a->lock);
	/* One that was forgotten meanwhile does not say which is next: then it begins anew. */
	for (e = find_of_session(a, session, NULL); e && rounds <= 2 * CUV_RUNS_SESSION_MAX; e = next, rounds++) {
		cuv_runs_ref(e);
		cancel_now(a, e);
		next = find_of_session(a, session, e->forgotten ? NULL : e);
		cuv_runs_unref(e);
	}
	pthread_mutex_unlock(&a->lock);
}

/* --- the beginning and the end --- */

struct recovery {
	struct cuv_runs *a;
	unsigned n, lost;
};

static bool recover_one(void *arg, const struct cuv_runs_row *row, size_t bytes)
{
	struct recovery *r = arg;
	const bool kept = keep(r->a, row, bytes) != NULL;

	(*(kept ? &r->n : &r->lost))++;
	return kept;
}

static int recover(struct cuv_runs *a, struct cuv_error *err)
{
	_cleanup_free_ char *interrupted = NULL;
	struct recovery rec = {.a = a};
	struct cuv_error why = CUV_ERROR_INIT;
	int r;

	cuv_error_set(&why, CUV_E_INTERRUPTED,
		      "the service was started again while this run was under way; send it again");
	why.retry_after_s = 1;
	interrupted = cuv_runs_error_text(&why);
	if (!interrupted)
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "no memory for runs");
	r = a->in.results->interrupt(a->in.results, cuv_wall_s(), interrupted, err);
	if (r == 0)
		r = a->in.queue->recover(a->in.queue, recover_one, &rec, err);
	if (r == 0)
		r = a->in.results->expire(a->in.results, cuv_wall_s() - CUV_RUNS_KEEP_S, CUV_RUNS_KEPT_BYTES_MAX,
					  CUV_RUNS_KEPT_MAX, err);
	if (rec.n + rec.lost > 0)
		cuv_log(CUV_LOG_INFO, "runs-recovered", CUV_I("waiting", rec.n), CUV_I("lost", rec.lost));
	return r;
}

static int start_worker(struct cuv_runs *a, struct cuv_runs_worker *w)
{
	w->runs = a;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->cancel) < 0)
		return -errno;
	return -pthread_create(&w->thread, NULL, cuv_runs_worker_main, w);
}

int cuv_runs_start(struct cuv_server *s, const struct cuv_backends *in, struct cuv_runs **ret, struct cuv_error *err)
{
	struct cuv_runs *a = calloc(1, sizeof(*a));
	int r = 0;

	if (!a || !(a->workers = calloc(s->settings->runs_at_once, sizeof(*a->workers)))) {
		free(a);
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "no memory for runs");
	}
	*ret = a;
	a->server = s;
	a->epoch = randombytes_random();
	pthread_mutex_init(&a->lock, NULL);
	(void)cuv_runs_cond_init(&a->work);
	a->events_max = s->settings->memory_bytes / EVENTS_PART;
	a->in = *in;
	if (!in->queue)
		return 0;
	s->budget.max_bytes -= a->events_max;
	r = recover(a, err);
	if (r < 0)
		return r;
	a->tidy_until_ns = cuv_now_ns() + CUV_RUNS_TIDY_NS;
	a->sessions = s->clients->store != NULL;
	for (unsigned i = 0; r == 0 && i < s->settings->runs_at_once; i++)
		r = start_worker(a, &a->workers[i]);
	return r == 0 ? 0 : cuv_error_set(err, CUV_E_UNAVAILABLE, "no thread can be made: %s", strerror(-r));
}

static void set_open(struct cuv_runs *a, bool open)
{
	pthread_mutex_lock(&a->lock);
	a->open = open;
	a->draining = !open;
	pthread_cond_broadcast(&a->work);
	/* What is taken from the queue just now counts as under way when we return. */
	while (!open && a->picking > 0)
		pthread_cond_wait(&a->work, &a->lock);
	pthread_mutex_unlock(&a->lock);
}

void cuv_runs_open(struct cuv_runs *a)
{
	set_open(a, true);
}

void cuv_runs_drain(struct cuv_runs *a)
{
	set_open(a, false);
}

unsigned cuv_runs_active(struct cuv_runs *a)
{
	unsigned n;

	pthread_mutex_lock(&a->lock);
	n = a->running;
	pthread_mutex_unlock(&a->lock);
	return n;
}

unsigned cuv_runs_waiting(struct cuv_runs *a)
{
	return a->in.queue ? a->in.queue->waiting(a->in.queue) : 0;
}

uint32_t cuv_runs_position(const struct cuv_runs *a, const struct cuv_runs_entry *e)
{
	return e->row.state == CUV_RUNS_QUEUED ? a->in.queue->position(a->in.queue, e->row.tenant, e->row.id) : 0;
}
