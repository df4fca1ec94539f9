/* SPDX-License-Identifier: MIT */
/* POST /api/v1/run: receive, check, run, answer. */
#include "lib/base/clock.h"
#include "manager/http_text.h"
#include "manager/json_form.h"
#include "manager/run_intake.h"
#include "manager/runs.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

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

static int run_now(struct cuv_runner *u, struct cuv_http *h, const struct cuv_run_request *request,
		   struct cuv_error *err)
{
	const struct cuv_job_events events = cuv_runner_events(u, h);
	json_t *body = NULL;
	int r = cuv_runner_begin(u, err);

	if (r == 0)
		r = cuv_run_perform(u, request, &events, NULL, &body, err);
	memcpy(h->run_id, u->run_id, sizeof(h->run_id));
	if (r < 0)
		return r;
	cuv_http_reply_json(h, 200, NULL, body);
	json_decref(body);
	return 0;
}

static int run_later(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client,
		     const struct cuv_form *form, struct cuv_error *err)
{
	char headers[128];
	json_t *body;
	int r = cuv_runs_submit(s->runs_later, client, h->request_id, form, h->run_id, err);

	if (r < 0)
		return r;
	(void)snprintf(headers, sizeof(headers), "Location: " CUV_RUNS_PATH "%s\r\n", h->run_id);
	body = json_pack("{s:s, s:s, s:s+, s:s++, s:s}", "run_id", h->run_id, "state", "queued", "status_url",
			 CUV_RUNS_PATH, h->run_id, "events_url", CUV_RUNS_PATH, h->run_id, "/events", "request_id",
			 h->request_id);
	cuv_http_reply_json(h, 202, headers, body);
	json_decref(body);
	return 0;
}

static int serve(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client, struct cuv_charge *charge,
		 struct cuv_error *err)
{
	_cleanup_runner_ struct cuv_runner *u = NULL;
	_cleanup_intake_ struct cuv_run_intake *in = NULL;
	char boundary[CUV_BOUNDARY_MAX + 1];
	int r = cuv_runner_open_unread(s, client, charge, h->request_id, &u, err);

	if (r == 0)
		r = check_head(h, boundary, err);
	if (r < 0 || !(in = cuv_run_intake_new(charge, err)))
		return -1;
	r = boundary[0] ? receive(h, boundary, &in->form, err) : receive_json(h, &in->form, err);
	if (r == 0)
		r = cuv_run_request_read(&in->form, cuv_wall_s(), &in->request, err);
	if (r < 0)
		return r;
	return in->request.async ? run_later(s, h, client, &in->form, err) : run_now(u, h, &in->request, err);
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
