/* SPDX-License-Identifier: MIT */
/* POST /api/v1/run: receive, check, run, answer. */
#include "lib/base/clock.h"
#include "manager/answer.h"
#include "manager/http_text.h"
#include "manager/json_form.h"
#include "manager/run_request.h"
#include "manager/runner.h"

#include <malloc.h>
#include <stdlib.h>

/* Boundaries and headers around the fields. */
#define BODY_OVERHEAD_BYTES 65536
/* All fields in Base64, and some. */
#define JSON_BYTES_MAX (48 * CUV_MIB)
/* After a request that held so much, free memory goes back to the kernel. */
#define TRIM_BYTES (8u << 20)

/* What can be said before the body is read. */
static int check_head(const struct cuv_http *h, char boundary[CUV_BOUNDARY_MAX + 1], struct cuv_error *err)
{
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

static int receive_json(struct cuv_http *h, struct cuv_form *form, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(JSON_BYTES_MAX);
	int r = cuv_http_read_text(h, form->charge, &text, err);

	return r == 0 ? cuv_json_form_read(cuv_buf_str(&text), text.len, form, err) : r;
}

/* Takes over the body. */
static int reply(struct cuv_http *h, const struct cuv_runner *u, json_t *body, struct cuv_error *err)
{
	if (!body)
		return cuv_budget_exhausted(err, "answer");
	json_object_set_new(body, "isolation", cuv_answer_isolation(&u->state.layers));
	cuv_http_reply_json(h, 200, NULL, body);
	json_decref(body);
	return 0;
}

static int run_single(struct cuv_runner *u, struct cuv_http *h, struct cuv_run_request *request, struct cuv_error *err)
{
	struct cuv_job_result result;
	int r = cuv_runner_run_http(u, h, &request->spec, &result, err);

	if (r == 0)
		r = reply(h, u, cuv_answer_run(&request->spec, &result, h->request_id), err);
	cuv_job_result_done(&result);
	return r;
}

/* Case number i, added to the body, which the first one makes. */
static int run_case(struct cuv_runner *u, struct cuv_http *h, const struct cuv_run_request *request, size_t i,
		    json_t **body, bool *success, struct cuv_error *err)
{
	const struct cuv_run_case *c = &request->cases.items[i];
	struct cuv_job_spec spec = request->spec;
	struct cuv_job_result result;
	int r;

	/* The first one's is the request's own. */
	if (i > 0 && (r = cuv_runner_again(u, err)) < 0)
		return r;
	if (c->has_stdin) {
		spec.stdin_data = cuv_buf_str(&c->stdin_data);
		spec.stdin_len = c->stdin_data.len;
	}
	if (c->has_args)
		spec.args = &c->args;
	spec.lint = spec.lint && i == 0;
	r = cuv_runner_run_http(u, h, &spec, &result, err);
	if (r == 0 && i == 0)
		*body = cuv_answer_cases(&spec, &result, h->request_id);
	if (r == 0 && json_array_append_new(json_object_get(*body, "cases"), cuv_answer_case(&spec, &result)) < 0)
		r = cuv_budget_exhausted(err, "answer");
	*success = *success && r == 0 && result.run.status == CUV_RUN_SUCCESS;
	cuv_job_result_done(&result);
	return r;
}

/* One after the other, so that a request has one box, like any other. */
static int run_cases(struct cuv_runner *u, struct cuv_http *h, const struct cuv_run_request *request,
		     struct cuv_error *err)
{
	json_t *body = NULL;
	bool success = true;
	int r = 0;

	for (size_t i = 0; r == 0 && i < request->cases.n; i++)
		r = run_case(u, h, request, i, &body, &success, err);
	if (r < 0) {
		json_decref(body);
		return r;
	}
	json_object_set_new(body, "success", json_boolean(success));
	return reply(h, u, body, err);
}

/* What is too large for the stack of a worker of civetweb, which has 100 KiB. */
struct intake {
	struct cuv_form form;
	struct cuv_run_request request;
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
	_cleanup_runner_ struct cuv_runner *u = NULL;
	_cleanup_(intake_free) struct intake *in = NULL;
	char boundary[CUV_BOUNDARY_MAX + 1];
	const struct cuv_field_info *fields;
	size_t n;
	int r = cuv_runner_open(s, client, charge, h->request_id, &u, err);

	if (r == 0)
		r = check_head(h, boundary, err);
	if (r < 0)
		return r;
	if (!cuv_charge_add(charge, sizeof(*in)) || !(in = calloc(1, sizeof(*in))))
		return cuv_budget_exhausted(err, "request");
	in->request.files = CUV_UPLOAD_INIT;
	fields = cuv_run_fields(&n);
	cuv_form_init(&in->form, fields, n, CUV_UPLOAD_BYTES_MAX, charge);
	r = boundary[0] ? receive(h, boundary, &in->form, err) : receive_json(h, &in->form, err);
	if (r == 0)
		r = cuv_run_request_read(&in->form, cuv_wall_s(), &in->request, err);
	if (r < 0)
		return r;
	return in->request.cases.n ? run_cases(u, h, &in->request, err) : run_single(u, h, &in->request, err);
}

void cuv_route_run(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client)
{
	_cleanup_charge_ struct cuv_charge charge = CUV_CHARGE_INIT(&s->budget);
	struct cuv_error err = CUV_ERROR_INIT;
	int r = serve(s, h, client, &charge, &err);

	/* Nobody is there to read about a cancelled run. */
	if (r < 0 && err.code != CUV_E_CANCELLED)
		cuv_http_reply_error(h, &err, NULL);
	else if (r < 0)
		h->code = err.code;
	if (charge.bytes > TRIM_BYTES)
		malloc_trim(0);
}
