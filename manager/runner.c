/* SPDX-License-Identifier: MIT */
#include "manager/runner.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "manager/explain.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A byte of output is at most three in UTF-8, and jansson copies it. */
#define OUTPUT_FACTOR 6
#define FORMATTED_FACTOR 2
/* A byte of ruff's JSON as jansson's objects, and as our own of them. */
#define LINT_FACTOR 16
#define RETRY_AFTER_S 2
/* One client leaves this part of the places to others. */
#define OTHERS_PART 4

static int later(struct cuv_error *err, enum cuv_error_code code, const char *text)
{
	cuv_error_set(err, code, "%s", text);
	err->retry_after_s = RETRY_AFTER_S;
	return -1;
}

static int take_service_place(struct cuv_server *s, struct cuv_error *err)
{
	if (atomic_fetch_add(&s->runs, 1) < s->runs_max)
		return 0;
	atomic_fetch_sub(&s->runs, 1);
	return later(err, CUV_E_OVERLOADED, "all places for runs are taken; try again");
}

static int make(struct cuv_server *s, const struct cuv_client *client, struct cuv_charge *charge,
		const char *request_id, struct cuv_runner **ret, struct cuv_error *err)
{
	struct cuv_runner *r;

	*ret = NULL;
	if (!cuv_charge_add(charge, sizeof(*r)) || !(r = calloc(1, sizeof(*r))))
		return cuv_charge_refused(charge, err, "request");
	r->health = cuv_health_look(&s->health);
	if (!r->health) {
		free(r);
		return cuv_budget_exhausted(err, "request");
	}
	r->server = s;
	r->client = client;
	r->charge = charge;
	r->request_id = request_id;
	*ret = r;
	return 0;
}

static int take_client_place(struct cuv_runner *r, bool unread, struct cuv_error *err)
{
	if (cuv_clients_take_place(r->server->clients, r->client, err) == 0)
		r->place = CUV_PLACE_TAKEN;
	else if (unread && cuv_clients_let_in(r->server->clients, r->client))
		r->place = CUV_PLACE_LET_IN;
	return r->place == CUV_PLACE_NONE ? -1 : cuv_runner_again(r, err);
}

static int open_runner(struct cuv_server *s, const struct cuv_client *client, struct cuv_charge *charge,
		       const char *request_id, bool unread, struct cuv_runner **ret, struct cuv_error *err)
{
	_cleanup_runner_ struct cuv_runner *r = NULL;

	*ret = NULL;
	if (atomic_load(&s->draining))
		return later(err, CUV_E_DRAINING, "the service is stopping; try again when it is back");
	if (take_service_place(s, err) < 0)
		return -1;
	if (make(s, client, charge, request_id, &r, err) < 0) {
		atomic_fetch_sub(&s->runs, 1);
		return -1;
	}
	if (!cuv_clients_hold(s->clients, client,
			      s->runs_max - CUV_MIN(CUV_MAX(s->runs_max / OTHERS_PART, 1u), s->runs_max - 1))) {
		atomic_fetch_sub(&s->runs, 1);
		return later(err, CUV_E_OVERLOADED,
			     "this API key has all places for runs that one may have; try again");
	}
	r->service_place = true;
	if (take_client_place(r, unread, err) < 0)
		return -1;
	*ret = TAKE_PTR(r);
	return 0;
}

int cuv_runner_open(struct cuv_server *s, const struct cuv_client *client, struct cuv_charge *charge,
		    const char *request_id, struct cuv_runner **ret, struct cuv_error *err)
{
	return open_runner(s, client, charge, request_id, false, ret, err);
}

int cuv_runner_open_unread(struct cuv_server *s, const struct cuv_client *client, struct cuv_charge *charge,
			   const char *request_id, struct cuv_runner **ret, struct cuv_error *err)
{
	return open_runner(s, client, charge, request_id, true, ret, err);
}

int cuv_runner_begin(struct cuv_runner *r, struct cuv_error *err)
{
	if (r->place == CUV_PLACE_TAKEN)
		return 0;
	if (cuv_clients_take_place(r->server->clients, r->client, err) < 0)
		return -1;
	cuv_clients_let_out(r->server->clients, r->client);
	r->place = CUV_PLACE_TAKEN;
	return 0;
}

int cuv_runner_open_accepted(struct cuv_server *s, const struct cuv_client *client, struct cuv_charge *charge,
			     const char *request_id, struct cuv_runner **ret, struct cuv_error *err)
{
	if (make(s, client, charge, request_id, ret, err) < 0) {
		cuv_clients_give_place(s->clients, client);
		return -1;
	}
	(*ret)->place = CUV_PLACE_TAKEN;
	return 0;
}

void cuv_runner_close(struct cuv_runner **r)
{
	if (!*r)
		return;
	if ((*r)->place == CUV_PLACE_TAKEN)
		cuv_clients_give_place((*r)->server->clients, (*r)->client);
	else if ((*r)->place == CUV_PLACE_LET_IN)
		cuv_clients_let_out((*r)->server->clients, (*r)->client);
	if ((*r)->service_place) {
		cuv_clients_let_go((*r)->server->clients, (*r)->client);
		atomic_fetch_sub(&(*r)->server->runs, 1);
	}
	cuv_health_unlook((*r)->health);
	free(*r);
	*r = NULL;
}

static bool charge_more(void *arg, size_t bytes)
{
	return cuv_charge_add(arg, bytes);
}

static void log_run(const struct cuv_runner *u, const struct cuv_job_spec *spec, const struct cuv_job_result *r)
{
	if (spec->build_only) {
		cuv_log(CUV_LOG_INFO, "build", CUV_S("request_id", u->request_id),
			CUV_S("environment", r->environment.digest), CUV_I("cached", r->environment.cached),
			CUV_I("resolve_us", r->environment.resolve_ns / 1000),
			CUV_I("build_us", r->environment.build_ns / 1000));
		return;
	}
	cuv_log(CUV_LOG_INFO, "run", CUV_S("request_id", u->request_id), CUV_S("run_id", spec->run_id),
		CUV_S("status", cuv_run_status_name(r->run.status)), CUV_I("exit_code", r->run.exit_code),
		CUV_S("path", cuv_run_path_name(r->run.path)), CUV_S("why_cold", r->run.why_cold),
		CUV_I("wall_us", r->run.wall_ns / 1000), CUV_I("max_memory", r->run.max_memory_bytes),
		CUV_S("environment", r->environment.digest), CUV_I("cached", r->environment.cached),
		CUV_I("resolve_us", r->environment.resolve_ns / 1000),
		CUV_I("build_us", r->environment.build_ns / 1000), CUV_I("lint", r->lint_state));
}

/* What will be made of it as JSON. */
static int charge_answer(const struct cuv_job_spec *spec, struct cuv_job_result *result, struct cuv_charge *charge,
			 struct cuv_error *err)
{
	const size_t files = spec->artifacts_stay ? 0 : result->artifacts.len;

	if (!cuv_charge_add(charge, LINT_FACTOR * result->lint.len + FORMATTED_FACTOR * result->formatted.len))
		result->lint_state = CUV_LINT_UNAVAILABLE;
	if (!cuv_charge_add(charge, OUTPUT_FACTOR * (result->out.len + result->err.len + files) +
					    (spec->source ? CUV_EXPLAIN_LINE_BYTES * spec->source->n_lines +
								    CUV_EXPLAIN_LOCK_FACTOR * result->lock.len
							  : 0)))
		return cuv_charge_refused(charge, err, "answer");
	return 0;
}

int cuv_runner_run(struct cuv_runner *r, struct cuv_job_spec *spec, const struct cuv_job_events *events,
		   struct cuv_job_result *result, struct cuv_error *err)
{
	const uint64_t begun = cuv_now_ns();
	int done;

	if (r->run_as)
		snprintf(r->run_id, sizeof(r->run_id), "%s", r->run_as);
	else
		cuv_random_id(r->run_id);
	r->run_as = NULL;
	memcpy(spec->run_id, r->run_id, sizeof(spec->run_id));
	cuv_sharing_apply(r->server->settings->sharing, r->client->tenant, spec);
	cuv_job_result_init(result, spec);
	done = cuv_job_run(&r->server->peers, &r->health->state.tools, spec, events, result, err);
	if (done < 0) {
		cuv_metrics_no_run(r->dialect, err->code);
		return done;
	}
	if (spec->build_only)
		cuv_metrics_environment(&result->environment);
	else
		cuv_metrics_run(r->dialect, result, cuv_now_ns() - begun);
	cuv_holdings_note(&r->server->holdings, r->client->tenant, &result->environment, cuv_wall_s());
	log_run(r, spec, result);
	return charge_answer(spec, result, r->charge, err);
}

struct cuv_job_events cuv_runner_events(const struct cuv_runner *r, const struct cuv_http *h)
{
	struct cuv_job_events events = CUV_JOB_EVENTS_INIT;

	events.arg = r->charge;
	events.charge = charge_more;
	events.cancel_fd = h->fd;
	events.cancel_events = POLLRDHUP;
	return events;
}

int cuv_runner_run_http(struct cuv_runner *r, struct cuv_http *h, struct cuv_job_spec *spec,
			struct cuv_job_result *result, struct cuv_error *err)
{
	const struct cuv_job_events events = cuv_runner_events(r, h);
	int done = cuv_runner_run(r, spec, &events, result, err);

	if (!spec->build_only)
		memcpy(h->run_id, r->run_id, sizeof(h->run_id));
	return done;
}

int cuv_runner_again(struct cuv_runner *r, struct cuv_error *err)
{
	return cuv_clients_use_run(r->server->clients, r->client, cuv_wall_s(), err);
}
