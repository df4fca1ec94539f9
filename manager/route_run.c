/* SPDX-License-Identifier: MIT */
/* POST /api/v1/run: receive, check, run, answer. */
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "manager/answer.h"
#include "manager/explain.h"
#include "manager/isolation.h"
#include "manager/json_form.h"
#include "manager/run_request.h"
#include "manager/server.h"

#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

/* Boundaries and headers around the fields. */
#define BODY_OVERHEAD_BYTES 65536
/* All fields in Base64, and some. */
#define JSON_BYTES_MAX (48 * CUV_MIB)
/* A byte of output is at most three in UTF-8, and jansson copies it. */
#define OUTPUT_FACTOR 6
#define FORMATTED_FACTOR 2
/* A byte of ruff's JSON as jansson's objects, and as our own of them. */
#define LINT_FACTOR 16
/* After a request that held so much, free memory goes back to the kernel. */
#define TRIM_BYTES (8u << 20)
#define RETRY_AFTER_S 2

static int overloaded(struct cuv_error *err, const char *text)
{
	cuv_error_set(err, CUV_E_OVERLOADED, "%s", text);
	err->retry_after_s = RETRY_AFTER_S;
	return -1;
}

/* What can be said before the body is read. */
static int check_head(const struct cuv_server *s, const struct cuv_http *h, char boundary[CUV_BOUNDARY_MAX + 1],
		      struct cuv_error *err)
{
	if (atomic_load(&s->draining)) {
		cuv_error_set(err, CUV_E_DRAINING, "the service is stopping; try again when it is back");
		err->retry_after_s = RETRY_AFTER_S;
		return -1;
	}
	if (h->head.body == CUV_BODY_NONE)
		return cuv_error_set(err, CUV_E_LENGTH_REQUIRED,
				     "send a multipart/form-data or application/json body with Content-Length or "
				     "chunked encoding");
	if (!h->head.content_type)
		return cuv_error_set(
			err, CUV_E_UNSUPPORTED_MEDIA_TYPE,
			"the body must be multipart/form-data or application/json (Content-Type is missing)");
	boundary[0] = '\0';
	if (cuv_json_form_is_meant(h->head.content_type))
		return 0;
	return cuv_multipart_boundary(h->head.content_type, boundary, err);
}

static int take(void *arg, const char *data, size_t len, struct cuv_error *err)
{
	return cuv_multipart_push(arg, data, len, err);
}

static int receive(struct cuv_http *h, const char *boundary, struct cuv_form *form, struct cuv_error *err)
{
	struct cuv_multipart_sink sink = cuv_form_sink(form);
	_cleanup_multipart_ struct cuv_multipart m;
	int r;

	cuv_multipart_init(&m, boundary, &sink);
	r = cuv_http_read_body(h, CUV_UPLOAD_BYTES_MAX + BODY_OVERHEAD_BYTES, take, &m, err);
	return r == 0 ? cuv_multipart_finish(&m, err) : r;
}

struct json_intake {
	struct cuv_buf text;
	struct cuv_charge *charge;
};

static int take_json(void *arg, const char *data, size_t len, struct cuv_error *err)
{
	struct json_intake *in = arg;

	/* A buffer doubles when it grows, and the parser makes strings of it. */
	if (cuv_charge_add(in->charge, 3 * len) && cuv_buf_add(&in->text, data, len) == 0)
		return 0;
	return overloaded(err, "the service has no memory left for this request; try again");
}

static int receive_json(struct cuv_http *h, struct cuv_form *form, struct cuv_error *err)
{
	struct json_intake in = {.text = CUV_BUF_INIT(JSON_BYTES_MAX), .charge = form->charge};
	int r = cuv_http_read_body(h, JSON_BYTES_MAX, take_json, &in, err);

	if (r == 0)
		r = cuv_json_form_read(cuv_buf_str(&in.text), in.text.len, form, err);
	cuv_buf_done(&in.text);
	return r;
}

static bool charge_more(void *arg, size_t bytes)
{
	return cuv_charge_add(arg, bytes);
}

static void log_run(const struct cuv_http *h, const struct cuv_job_result *r)
{
	cuv_log(CUV_LOG_INFO, "run", CUV_S("request_id", h->request_id), CUV_S("run_id", h->run_id),
		CUV_S("status", cuv_run_status_name(r->run.status)), CUV_I("exit_code", r->run.exit_code),
		CUV_S("path", cuv_run_path_name(r->run.path)), CUV_S("why_cold", r->run.why_cold),
		CUV_I("wall_us", r->run.wall_ns / 1000), CUV_I("max_memory", r->run.max_memory_bytes),
		CUV_S("environment", r->environment.digest), CUV_I("cached", r->environment.cached),
		CUV_I("resolve_us", r->environment.resolve_ns / 1000),
		CUV_I("build_us", r->environment.build_ns / 1000), CUV_I("lint", r->lint_state));
}

static int no_room(struct cuv_error *err)
{
	return overloaded(err, "the service has no memory left for this answer; try again");
}

/* What will be made of it as JSON. */
static int charge_answer(const struct cuv_job_spec *spec, struct cuv_job_result *result, struct cuv_charge *charge,
			 struct cuv_error *err)
{
	if (!cuv_charge_add(charge, LINT_FACTOR * result->lint.len + FORMATTED_FACTOR * result->formatted.len))
		result->lint_state = CUV_LINT_UNAVAILABLE;
	if (!cuv_charge_add(charge, OUTPUT_FACTOR * (result->out.len + result->err.len + result->artifacts.len) +
					    (spec->source ? CUV_EXPLAIN_LINE_BYTES * spec->source->n_lines +
								    CUV_EXPLAIN_LOCK_FACTOR * result->lock.len
							  : 0)))
		return no_room(err);
	return 0;
}

/* Takes over the body. */
static int reply(struct cuv_http *h, const struct cuv_health_state *state, json_t *body, struct cuv_error *err)
{
	if (!body)
		return no_room(err);
	json_object_set_new(body, "isolation", cuv_answer_isolation(&state->layers));
	cuv_http_reply_json(h, 200, NULL, body);
	json_decref(body);
	return 0;
}

/* One job, its result charged for; done with the result is the caller's, whatever comes. */
static int run(struct cuv_server *s, struct cuv_http *h, const struct cuv_health_state *state,
	       struct cuv_job_spec *spec, struct cuv_charge *charge, struct cuv_job_result *result,
	       struct cuv_error *err)
{
	struct cuv_job_events events = CUV_JOB_EVENTS_INIT;
	int r;

	cuv_random_id(h->run_id);
	snprintf(spec->run_id, sizeof(spec->run_id), "%s", h->run_id);
	events.arg = charge;
	events.charge = charge_more;
	events.cancel_fd = h->fd;
	events.cancel_events = POLLRDHUP;
	cuv_job_result_init(result, spec);
	r = cuv_job_run(&s->peers, &state->tools, spec, &events, result, err);
	if (r < 0)
		return r;
	log_run(h, result);
	return charge_answer(spec, result, charge, err);
}

static int run_single(struct cuv_server *s, struct cuv_http *h, const struct cuv_health_state *state,
		      struct cuv_run_request *request, struct cuv_charge *charge, struct cuv_error *err)
{
	struct cuv_job_result result;
	int r = run(s, h, state, &request->spec, charge, &result, err);

	if (r == 0)
		r = reply(h, state, cuv_answer_run(&request->spec, &result, h->request_id), err);
	cuv_job_result_done(&result);
	return r;
}

/* Case number i, added to the body, which the first one makes. */
static int run_case(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client,
		    const struct cuv_health_state *state, const struct cuv_run_request *request, size_t i,
		    struct cuv_charge *charge, json_t **body, bool *success, struct cuv_error *err)
{
	const struct cuv_run_case *c = &request->cases.items[i];
	struct cuv_job_spec spec = request->spec;
	struct cuv_job_result result;
	int r;

	/* The first one's is the request's own. */
	if (i > 0 && (r = cuv_clients_use_run(s->clients, client, cuv_wall_s(), err)) < 0)
		return r;
	if (c->has_stdin) {
		spec.stdin_data = cuv_buf_str(&c->stdin_data);
		spec.stdin_len = c->stdin_data.len;
	}
	if (c->has_args)
		spec.args = &c->args;
	spec.lint = spec.lint && i == 0;
	r = run(s, h, state, &spec, charge, &result, err);
	if (r == 0 && i == 0)
		*body = cuv_answer_cases(&spec, &result, h->request_id);
	if (r == 0 && json_array_append_new(json_object_get(*body, "cases"), cuv_answer_case(&spec, &result)) < 0)
		r = no_room(err);
	*success = *success && r == 0 && result.run.status == CUV_RUN_SUCCESS;
	cuv_job_result_done(&result);
	return r;
}

/* One after the other, so that a request has one box, like any other. */
static int run_cases(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client,
		     const struct cuv_health_state *state, const struct cuv_run_request *request,
		     struct cuv_charge *charge, struct cuv_error *err)
{
	json_t *body = NULL;
	bool success = true;
	int r = 0;

	for (size_t i = 0; r == 0 && i < request->cases.n; i++)
		r = run_case(s, h, client, state, request, i, charge, &body, &success, err);
	if (r < 0) {
		json_decref(body);
		return r;
	}
	json_object_set_new(body, "success", json_boolean(success));
	return reply(h, state, body, err);
}

/* What is too large for the stack of a worker of civetweb, which has 100 KiB. */
struct intake {
	struct cuv_form form;
	struct cuv_run_request request;
	struct cuv_health_state state;
};

static void intake_free(struct intake **in)
{
	if (*in) {
		cuv_run_request_done(&(*in)->request);
		cuv_form_done(&(*in)->form);
	}
	free(*in);
}

static int serve(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client, struct cuv_charge *charge,
		 struct cuv_error *err)
{
	_cleanup_(intake_free) struct intake *in = NULL;
	char boundary[CUV_BOUNDARY_MAX + 1];
	const struct cuv_field_info *fields;
	size_t n;
	int r = check_head(s, h, boundary, err);

	if (r < 0)
		return r;
	if (!cuv_charge_add(charge, sizeof(*in)) || !(in = calloc(1, sizeof(*in))))
		return overloaded(err, "the service has no memory left for this request; try again");
	in->request.files = CUV_UPLOAD_INIT;
	cuv_health_get(&s->health, UINT32_MAX, &in->state);
	fields = cuv_run_fields(&n);
	cuv_form_init(&in->form, fields, n, CUV_UPLOAD_BYTES_MAX, charge);
	r = boundary[0] ? receive(h, boundary, &in->form, err) : receive_json(h, &in->form, err);
	if (r == 0)
		r = cuv_run_request_read(&in->form, cuv_wall_s(), &in->request, err);
	if (r < 0)
		return r;
	cuv_sharing_apply(s->settings->sharing, client->tenant, &in->request.spec);
	return in->request.cases.n ? run_cases(s, h, client, &in->state, &in->request, charge, err)
				   : run_single(s, h, &in->state, &in->request, charge, err);
}

/* One more of all runs, and of the client's. */
static int serve_one(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client,
		     struct cuv_charge *charge, struct cuv_error *err)
{
	int r;

	if (atomic_fetch_add(&s->runs, 1) >= s->runs_max)
		r = overloaded(err, "all places for runs are taken; try again");
	else
		r = cuv_clients_take_run(s->clients, client, cuv_wall_s(), err);
	if (r == 0) {
		r = serve(s, h, client, charge, err);
		cuv_clients_give_run(s->clients, client);
	}
	atomic_fetch_sub(&s->runs, 1);
	return r;
}

void cuv_route_run(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client)
{
	_cleanup_charge_ struct cuv_charge charge = CUV_CHARGE_INIT(&s->budget);
	struct cuv_error err = CUV_ERROR_INIT;
	int r = serve_one(s, h, client, &charge, &err);

	/* Nobody is there to read about a cancelled run. */
	if (r < 0 && err.code != CUV_E_CANCELLED)
		cuv_http_reply_error(h, &err, NULL);
	else if (r < 0)
		h->code = err.code;
	if (charge.bytes > TRIM_BYTES)
		malloc_trim(0);
}
