/* SPDX-License-Identifier: MIT */
/* POST /api/v1/run: receive, check, run, answer. */
#include "lib/base/clock.h"
#include "manager/http_form.h"
#include "manager/run_intake.h"
#include "manager/runs.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

/* After a request that held so much, free memory goes back to the kernel. */
#define TRIM_BYTES (8u << 20)

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
	int r = cuv_runner_open_unread(s, client, charge, h->request_id, &u, err);

	if (r < 0 || !(in = cuv_run_intake_new(charge, err)))
		return -1;
	r = cuv_http_read_form(h, &in->form, err);
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
