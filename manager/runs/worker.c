/* SPDX-License-Identifier: MIT */
/*
 * A thread that carries out one run after the other: the request from the store, a job
 * as any other, its events to those who follow it, its answer to the store.
 */
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "manager/answer.h"
#include "manager/dialect/sessions.h"
#include "manager/form_pack.h"
#include "manager/metrics.h"
#include "manager/run_intake.h"
#include "manager/runs/private.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/socket.h>

/* How often it is looked for a client's place, and whether something has expired. */
#define PLACE_NS (CUV_NS_PER_S / 5)
#define TIDY_NS (5 * CUV_NS_PER_S)
#define IDLE_NS (20 * CUV_NS_PER_S)
#define SESSIONS_S 60u
/* So much may be kept beyond the bounds until then. */
#define TIDY_BYTES (16u << 20)
#define TIDY_N 500
/* Nobody waits at the other end, so a box may be waited for longer. */
#define BOX_WAIT_MS 600000u
#define PROGRESS_NS (CUV_NS_PER_S / 4)
#define TRIM_BYTES (8u << 20)
#define JSON_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(9))

/* A run under way. */
struct carried {
	struct cuv_runs *a;
	struct cuv_runs_entry *e;
	struct cuv_charge charge;
	struct cuv_run_follower cases;
	bool has_cases;
	bool begun; /* whether the queue has been asked for its request */
	bool build; /* which is a success when it is done */
};

/* --- what is told while it is --- */

static bool is_news(const struct cuv_runs_entry *e, const struct cuv_env_progress *p)
{
	const struct cuv_env_progress *last = &e->progress;

	return !e->has_progress || p->phase != last->phase || p->done != last->done || p->total != last->total ||
	       (p->file[0] && p->file_done == p->file_total) || cuv_now_ns() >= e->progress_ns + PROGRESS_NS;
}

static void on_progress(void *arg, const struct cuv_env_progress *p)
{
	struct carried *c = arg;
	struct cuv_runs_entry *e = c->e;

	pthread_mutex_lock(&c->a->lock);
	if (e->row.state == CUV_RUNS_RESOLVING && p->phase != CUV_PHASE_RESOLVING)
		cuv_runs_set_state(c->a, e, CUV_RUNS_BUILDING);
	if (is_news(e, p)) {
		e->progress_ns = cuv_now_ns();
		cuv_run_events_add(&e->events, "progress", cuv_runs_progress(p));
		cuv_runs_moved(c->a, e);
	}
	e->progress = *p;
	e->has_progress = true;
	pthread_mutex_unlock(&c->a->lock);
}

static void on_started(void *arg)
{
	struct carried *c = arg;

	pthread_mutex_lock(&c->a->lock);
	if (c->e->row.state != CUV_RUNS_RUNNING)
		cuv_runs_set_state(c->a, c->e, CUV_RUNS_RUNNING);
	pthread_mutex_unlock(&c->a->lock);
}

static void on_output(void *arg, enum cuv_stream stream, const uint8_t *data, size_t len)
{
	struct carried *c = arg;

	pthread_mutex_lock(&c->a->lock);
	cuv_run_events_output(&c->e->events, stream, c->has_cases ? (int64_t)c->cases.number : -1, data, len);
	cuv_runs_moved(c->a, c->e);
	pthread_mutex_unlock(&c->a->lock);
}

static int on_case(void *arg, size_t number, const json_t *answer, struct cuv_error *err)
{
	struct carried *c = arg;

	(void)err;
	pthread_mutex_lock(&c->a->lock);
	cuv_run_events_add(&c->e->events, "case",
			   json_pack("{s:I, s:O*, s:O*, s:O*}", "case", (json_int_t)number, "success",
				     json_object_get(answer, "success"), "status", json_object_get(answer, "status"),
				     "return_code", json_object_get(answer, "return_code")));
	cuv_runs_moved(c->a, c->e);
	pthread_mutex_unlock(&c->a->lock);
	return 0;
}

static bool on_charge(void *arg, size_t bytes)
{
	return cuv_charge_add(&((struct carried *)arg)->charge, bytes);
}

/* --- the run --- */

static int begin(struct carried *c, struct cuv_buf *packed, struct cuv_error *err)
{
	int r;

	c->begun = true;
	r = c->a->in.queue->begin(c->a->in.queue, c->e->row.id, &c->charge, packed, err);
	return r == -ENOENT ? cuv_error_set(err, CUV_E_CANCELLED, "the run was cancelled before it began") : r;
}

/* Of POST /api/v1/run, or /api/v1/environments; packed is freed. */
static int perform_form(struct carried *c, struct cuv_runner *u, struct cuv_buf *packed,
			const struct cuv_job_events *events, json_t **ret, struct cuv_error *err)
{
	_cleanup_intake_ struct cuv_run_intake *in = cuv_run_intake_new(&c->charge, err);
	int r;

	if (!in)
		return -ENOMEM;
	r = cuv_form_unpack(cuv_buf_str(packed), packed->len, &in->form, err);
	cuv_buf_done(packed);
	c->build = r == 0 && cuv_run_request_is_build(&in->form);
	if (r == 0)
		r = c->build ? cuv_run_request_read_build(&in->form, cuv_wall_s(), &in->request, err)
			     : cuv_run_request_read(&in->form, cuv_wall_s(), &in->request, err);
	if (r < 0)
		return r;
	in->request.spec.queue_ms = BOX_WAIT_MS;
	c->has_cases = in->request.cases.n > 0;
	c->cases = (struct cuv_run_follower){.arg = c, .done = on_case};
	if (!c->has_cases)
		u->run_as = c->e->row.id;
	pthread_mutex_lock(&c->a->lock);
	c->e->events.base64 = in->request.spec.base64;
	pthread_mutex_unlock(&c->a->lock);
	return cuv_run_perform(u, &in->request, events, &c->cases, ret, err);
}

static int perform(struct carried *c, const struct cuv_client *client, json_t **ret, struct cuv_error *err)
{
	struct cuv_job_events events = {.arg = c,
					.progress = on_progress,
					.started = on_started,
					.output = on_output,
					.keep = true,
					.charge = on_charge,
					.cancel_fd = c->e->worker->cancel[0]};
	_cleanup_runner_ struct cuv_runner *u = NULL;
	_cleanup_buf_ struct cuv_buf packed = CUV_BUF_INIT(c->e->bytes);
	int r = cuv_runner_open_accepted(c->a->server, client, &c->charge, c->e->row.request_id, &u, err);

	if (r == 0)
		r = begin(c, &packed, err);
	if (r < 0)
		return r;
	switch (c->e->row.kind) {
	case CUV_RUNS_KIND_INSTALL:
	case CUV_RUNS_KIND_EXECUTE:
		return cuv_session_task(u, &c->e->row, &packed, &events, ret, err);
	case CUV_RUNS_KIND_RUN:
	default:
		return perform_form(c, u, &packed, &events, ret, err);
	}
}

/* --- its end --- */

char *cuv_runs_error_text(const struct cuv_error *err)
{
	json_t *whole = cuv_answer_error(err, NULL);
	char *text = json_dumps(json_object_get(whole, "error"), JSON_FLAGS);

	json_decref(whole);
	return text;
}

/* The answer's text to the store. */
static int store_answer(struct carried *c, const json_t *answer, struct cuv_error *err)
{
	const size_t len = json_dumpb(answer, NULL, 0, JSON_FLAGS);
	_cleanup_free_ char *text = len > 0 && cuv_charge_add(&c->charge, len) ? malloc(len) : NULL;
	int r;

	if (!text)
		return cuv_budget_exhausted(err, "answer");
	(void)json_dumpb(answer, text, len, JSON_FLAGS);
	r = c->a->in.results->end(c->a->in.results, c->e->row.id, CUV_RUNS_DONE, cuv_wall_s(), text, len, err);
	return r == -ENOENT ? cuv_error_set(err, CUV_E_INTERNAL, "the run is not in the store any more") : r;
}

/* Ends it in the store; what can't be stored stays with the entry. The last event's data. */
static json_t *store_error(struct carried *c, const struct cuv_error *err, enum cuv_runs_state *ret_state)
{
	_cleanup_free_ char *text = cuv_runs_error_text(err);
	const bool cancelled = err->code == CUV_E_CANCELLED;
	json_t *said;
	struct cuv_error why = CUV_ERROR_INIT;
	int r;

	*ret_state = cancelled ? CUV_RUNS_CANCELLED : CUV_RUNS_FAILED;
	r = c->a->in.results->end(c->a->in.results, c->e->row.id, *ret_state, cuv_wall_s(), text ? text : "",
				  text && !cancelled ? strlen(text) : 0, &why);
	if (cancelled)
		return json_pack("{s:s}", "state", cuv_runs_state_name(*ret_state));
	said = text ? json_loads(text, 0, NULL) : NULL;
	/* Somebody has cancelled it meanwhile: it has ended. */
	if (r == -ENOENT)
		r = 0;
	if (r < 0)
		cuv_log(CUV_LOG_WARNING, "run-not-stored", CUV_S("run_id", c->e->row.id), CUV_S("why", why.message));
	if (r < 0 && text) {
		pthread_mutex_lock(&c->a->lock);
		c->e->lost = TAKE_PTR(text);
		pthread_mutex_unlock(&c->a->lock);
	}
	return json_pack("{s:s, s:o*}", "state", cuv_runs_state_name(*ret_state), "error", said);
}

static void empty(int fd)
{
	char buf[16];

	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

static void end(struct carried *c, int r, json_t *answer, struct cuv_error *err)
{
	enum cuv_runs_state state = CUV_RUNS_DONE;
	struct cuv_runs_entry *e = c->e;
	json_t *data = NULL;

	if (r == 0)
		r = store_answer(c, answer, err);
	if (r == 0)
		data = json_pack("{s:s, s:b}", "state", "done", "success",
				 c->build || json_is_true(json_object_get(answer, "success")));
	else
		data = store_error(c, err, &state);
	cuv_log(CUV_LOG_INFO, "run-ended", CUV_S("request_id", e->row.request_id), CUV_S("run_id", e->row.id),
		CUV_S("state", cuv_runs_state_name(state)),
		CUV_S("code", state == CUV_RUNS_FAILED ? cuv_error_name(err->code) : ""),
		CUV_I("waited_s", cuv_wall_s() - e->row.accepted_s));
	pthread_mutex_lock(&c->a->lock);
	if (e->worker)
		empty(e->worker->cancel[0]);
	e->worker = NULL;
	cuv_runs_set_ended(c->a, e, state, data);
	c->a->ended_n++;
	c->a->ended_bytes += c->charge.bytes;
	pthread_mutex_unlock(&c->a->lock);
}

static void carry_out(struct cuv_runs *a, struct cuv_runs_entry *e, const struct cuv_client *client, bool key_gone)
{
	struct carried c = {
		.a = a, .e = e, .charge = cuv_clients_charge(a->server->clients, client, &a->server->budget)};
	struct cuv_error err = CUV_ERROR_INIT;
	char id[CUV_ID_HEX_SIZE]; /* the entry may be gone when the run has ended */
	json_t *answer = NULL;
	int r;

	memcpy(id, e->row.id, sizeof(id));
	if (!key_gone && !cuv_clients_is_good(a->server->clients, client)) {
		cuv_clients_give_place(a->server->clients, client);
		key_gone = true;
	}
	if (key_gone) {
		r = cuv_error_set(&err, CUV_E_UNAUTHORIZED, "the API key of this run was revoked before it began");
	} else if (e->row.accepted_s + CUV_RUNS_WAIT_S < cuv_wall_s()) {
		cuv_clients_give_place(a->server->clients, client);
		r = cuv_error_set(&err, CUV_E_OVERLOADED, "the run waited for more than %d s", CUV_RUNS_WAIT_S);
		err.retry_after_s = 60;
	} else {
		r = perform(&c, client, &answer, &err);
	}
	end(&c, r, answer, &err);
	if (!c.begun)
		a->in.queue->forget(a->in.queue, id);
	json_decref(answer);
	if (c.charge.bytes > TRIM_BYTES)
		malloc_trim(0);
	cuv_charge_done(&c.charge);
}

/* --- the thread --- */

/* How often it is looked for sessions that have expired. */
static uint64_t sessions_ns(void)
{
	return CUV_MIN(CUV_MAX(cuv_profile_sessions()->idle_s / 4, 1u), SESSIONS_S) * CUV_NS_PER_S;
}

/* As the next one. */
static void tidy_sessions(struct cuv_runs *a, uint64_t now)
{
	const int64_t before_s = cuv_wall_s() - (int64_t)cuv_profile_sessions()->idle_s;
	struct cuv_error err;
	int r;

	if (!a->sessions || now < a->expired_ns + sessions_ns())
		return;
	a->expired_ns = now;
	a->sessions = false;
	pthread_mutex_unlock(&a->lock);
	r = cuv_sessions_expire(a->server->sessions, before_s, &err);
	if (r < 0)
		cuv_log(CUV_LOG_WARNING, "sessions-not-expired", CUV_S("why", err.message));
	pthread_mutex_lock(&a->lock);
	a->sessions = a->sessions || r != 0;
}

static struct cuv_runs_entry *find_lost(const struct cuv_runs *a)
{
	struct cuv_runs_entry *e = a->first_ended;

	while (e && !e->lost)
		e = e->next;
	return e;
}

/* As the next one: what could not be stored when it ended may be now. */
static void store_lost(struct cuv_runs *a)
{
	struct cuv_runs_entry *e;
	struct cuv_error err;
	int r = 0;

	while (r == 0 && (e = find_lost(a))) {
		_cleanup_free_ char *text = strdup(e->lost);
		const int64_t ended_s = e->row.ended_s;

		if (!text)
			return;
		cuv_runs_ref(e);
		pthread_mutex_unlock(&a->lock);
		r = a->in.results->end(a->in.results, e->row.id, CUV_RUNS_FAILED, ended_s, text, strlen(text), &err);
		pthread_mutex_lock(&a->lock);
		/* Somebody else was faster. */
		if (r == -ENOENT)
			r = 0;
		if (r == 0) {
			free(e->lost);
			e->lost = NULL;
		}
		cuv_runs_unref(e);
	}
}

/* With the lock held, which is left meanwhile. */
static void tidy(struct cuv_runs *a)
{
	const uint64_t now = cuv_now_ns();
	struct cuv_error err;

	tidy_sessions(a, now);
	cuv_runs_forget_old(a, cuv_wall_s());
	if (now < a->tidied_ns + TIDY_NS && a->ended_n < TIDY_N && a->ended_bytes < TIDY_BYTES)
		return;
	a->tidied_ns = now;
	a->ended_n = a->ended_bytes = 0;
	store_lost(a);
	pthread_mutex_unlock(&a->lock);
	if (a->in.results->expire(a->in.results, cuv_wall_s() - CUV_RUNS_KEEP_S, CUV_RUNS_KEPT_BYTES_MAX,
				  CUV_RUNS_KEPT_MAX, &err) < 0)
		cuv_log(CUV_LOG_WARNING, "runs-not-expired", CUV_S("why", err.message));
	pthread_mutex_lock(&a->lock);
}

/* Each sees to what expires; without anything to see to, all sleep. seen: of what has arrived,
 * when the queue was asked. */
static void rest(struct cuv_runs *a, uint64_t seen)
{
	const uint64_t now = cuv_now_ns();

	if (a->open && a->arrived != seen)
		return;
	if (a->open && cuv_runs_waiting(a) > 0)
		cuv_runs_wait(&a->work, &a->lock, now + PLACE_NS);
	else if (a->sessions && (sessions_ns() < IDLE_NS || now >= a->tidy_until_ns))
		cuv_runs_wait(&a->work, &a->lock, now + sessions_ns());
	else if (now < a->tidy_until_ns)
		cuv_runs_wait(&a->work, &a->lock, now + IDLE_NS);
	else
		pthread_cond_wait(&a->work, &a->lock);
}

/* Who takes a run from the queue. */
struct taker {
	struct cuv_clients *clients;
	struct cuv_client client;
	bool key_gone; /* the run is to fail, because its client's key was revoked */
};

static bool may_begin(void *arg, const char *tenant)
{
	struct taker *t = arg;
	struct cuv_error busy;

	t->key_gone = !cuv_clients_of(t->clients, tenant, &t->client);
	return t->key_gone || cuv_clients_take_place(t->clients, &t->client, &busy) == 0;
}

/* The next one that can begin, with its client's place taken; NULL: none. With the lock
 * held, which is left meanwhile. */
static struct cuv_runs_entry *pick(struct cuv_runs *a, struct taker *t)
{
	struct cuv_runs_entry *e = NULL;
	struct cuv_runs_row row;
	int r;

	if (!a->open)
		return NULL;
	a->picking++;
	pthread_mutex_unlock(&a->lock);
	r = a->in.queue->next(a->in.queue, may_begin, t, &row);
	pthread_mutex_lock(&a->lock);
	a->picking--;
	if (!a->open)
		pthread_cond_broadcast(&a->work);
	if (r > 0)
		HASH_FIND_STR(a->by_id, row.id, e);
	/* It was cancelled between the queue and here. */
	if (r > 0 && (!e || cuv_runs_has_ended(e->row.state))) {
		if (!t->key_gone)
			cuv_clients_give_place(t->clients, &t->client);
		a->in.queue->release(a->in.queue, row.session);
		e = NULL;
		a->arrived++;
	}
	return e;
}

void *cuv_runs_worker_main(void *arg)
{
	struct cuv_runs_worker *w = arg;
	struct cuv_runs *a = w->runs;

	pthread_mutex_lock(&a->lock);
	for (;;) {
		struct taker t = {.clients = a->server->clients};
		const uint64_t seen = a->arrived;
		struct cuv_runs_entry *e = pick(a, &t);

		if (!e) {
			rest(a, seen);
		} else {
			a->running++;
			e->worker = w;
			cuv_runs_ref(e);
			cuv_runs_set_state(a, e, CUV_RUNS_RESOLVING);
			cuv_metrics_begun(cuv_now_ns() - e->known_ns);
			pthread_mutex_unlock(&a->lock);
			carry_out(a, e, &t.client, t.key_gone);
			pthread_mutex_lock(&a->lock);
			a->running--;
			a->in.queue->release(a->in.queue, e->row.session);
			/* The next of its session may begin. */
			a->arrived += e->row.session != 0;
			cuv_runs_unref(e);
		}
		tidy(a);
	}
	return NULL;
}
