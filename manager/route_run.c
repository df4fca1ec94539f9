/* SPDX-License-Identifier: MIT */
/* POST /api/v1/run: receive, check, run, answer. */
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "manager/answer.h"
#include "manager/explain.h"
#include "manager/isolation.h"
#include "manager/run_request.h"
#include "manager/server.h"

#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

/* Boundaries and headers around the fields. */
#define BODY_OVERHEAD_BYTES 65536
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
				     "send a multipart/form-data body with Content-Length or chunked encoding");
	if (!h->head.content_type)
		return cuv_error_set(err, CUV_E_UNSUPPORTED_MEDIA_TYPE,
				     "the body must be multipart/form-data (Content-Type is missing)");
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

static int answer(struct cuv_http *h, const struct cuv_health_state *state, const struct cuv_job_spec *spec,
		  struct cuv_job_result *result, struct cuv_charge *charge, struct cuv_error *err)
{
	json_t *body;

	if (!cuv_charge_add(charge, LINT_FACTOR * result->lint.len + FORMATTED_FACTOR * result->formatted.len))
		result->lint_state = CUV_LINT_UNAVAILABLE;
	if (!cuv_charge_add(charge, OUTPUT_FACTOR * (result->out.len + result->err.len + result->artifacts.len) +
					    (spec->source ? CUV_EXPLAIN_LINE_BYTES * spec->source->n_lines +
								    CUV_EXPLAIN_LOCK_FACTOR * result->lock.len
							  : 0)))
		return overloaded(err, "the service has no memory left for this answer; try again");
	body = cuv_answer_run(spec, result, h->request_id);
	if (!body)
		return overloaded(err, "the service has no memory left for this answer; try again");
	json_object_set_new(body, "isolation", cuv_answer_isolation(&state->layers));
	cuv_http_reply_json(h, 200, NULL, body);
	json_decref(body);
	return 0;
}

static int run(struct cuv_server *s, struct cuv_http *h, const struct cuv_health_state *state,
	       const struct cuv_run_request *request, struct cuv_charge *charge, struct cuv_error *err)
{
	struct cuv_job_events events = CUV_JOB_EVENTS_INIT;
	struct cuv_job_result result;
	int r;

	events.arg = charge;
	events.charge = charge_more;
	events.cancel_fd = h->fd;
	events.cancel_events = POLLRDHUP;
	cuv_job_result_init(&result, &request->spec);
	r = cuv_job_run(&s->peers, &state->tools, &request->spec, &events, &result, err);
	if (r == 0) {
		log_run(h, &result);
		r = answer(h, state, &request->spec, &result, charge, err);
	}
	cuv_job_result_done(&result);
	return r;
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

static int serve(struct cuv_server *s, struct cuv_http *h, struct cuv_charge *charge, struct cuv_error *err)
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
	r = receive(h, boundary, &in->form, err);
	if (r == 0)
		r = cuv_run_request_read(&in->form, cuv_wall_s(), &in->request, err);
	if (r < 0)
		return r;
	cuv_sharing_apply(s->settings->sharing, CUV_TENANT_HTTP, &in->request.spec);
	cuv_random_id(h->run_id);
	snprintf(in->request.spec.run_id, sizeof(in->request.spec.run_id), "%s", h->run_id);
	return run(s, h, &in->state, &in->request, charge, err);
}

void cuv_route_run(struct cuv_server *s, struct cuv_http *h)
{
	_cleanup_charge_ struct cuv_charge charge = CUV_CHARGE_INIT(&s->budget);
	struct cuv_error err = CUV_ERROR_INIT;
	int r;

	if (atomic_fetch_add(&s->runs, 1) < s->runs_max)
		r = serve(s, h, &charge, &err);
	else
		r = overloaded(&err, "all places for runs are taken; try again");
	atomic_fetch_sub(&s->runs, 1);
	/* Nobody is there to read about a cancelled run. */
	if (r < 0 && err.code != CUV_E_CANCELLED)
		cuv_http_reply_error(h, &err, NULL);
	else if (r < 0)
		h->code = err.code;
	if (charge.bytes > TRIM_BYTES)
		malloc_trim(0);
}
