/* SPDX-License-Identifier: MIT */
/* POST /api/v1/run: receive, check, run, answer. */
#include "lib/base/clock.h"
#include "manager/answer.h"
#include "manager/http_form.h"
#include "manager/run_intake.h"
#include "manager/run_later.h"
#include "manager/runs/runs.h"

#include <malloc.h>
#include <string.h>

/* After a request that held so much, free memory goes back to the kernel. */
#define TRIM_BYTES (8u << 20)
#define LINES_TYPE "application/x-ndjson; charset=utf-8"
#define LINE_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(9))
#define LINE_OVERHEAD 128u

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

/* --- case by case --- */

struct stream {
	struct cuv_http *h;
	struct cuv_charge *charge; /* borrowed */
	bool begun;
	uint64_t said_ns; /* when something was said last, or could have been; 0: no program has been started yet */
};

static int gone(struct cuv_error *err)
{
	return cuv_error_set(err, CUV_E_CANCELLED, "the client went away");
}

/* A proxy is not to gather them. */
static bool begin(struct stream *s)
{
	s->begun = s->begun || cuv_http_begin(s->h, 200, "X-Accel-Buffering: no\r\n", LINES_TYPE);
	return s->begun;
}

static void on_started(void *arg)
{
	struct stream *s = arg;

	if (!s->said_ns)
		s->said_ns = cuv_now_ns();
}

/* So that nobody on the way takes the connection for dead: JSON has no use for a space before a
 * value. Who is gone is seen by the job. */
static void on_waits(void *arg)
{
	struct stream *s = arg;

	if (!s->said_ns || cuv_now_ns() < s->said_ns + CUV_HTTP_KEEP_ALIVE_NS)
		return;
	if (begin(s))
		(void)cuv_http_send(s->h, " ", 1);
	s->said_ns = cuv_now_ns();
}

static bool on_charge(void *arg, size_t bytes)
{
	return cuv_charge_add(((struct stream *)arg)->charge, bytes);
}

/* One line: the event, the case's number unless it is negative, and what it is about, an
 * object that is not empty. */
static int send_line(struct stream *s, const char *event, json_int_t number, const json_t *about, struct cuv_error *err)
{
	const size_t len = json_dumpb(about, NULL, 0, LINE_FLAGS);
	_cleanup_buf_ struct cuv_buf line = CUV_BUF_INIT(len + LINE_OVERHEAD);
	char *room;

	if (len < 3 || !cuv_charge_add(s->charge, len + LINE_OVERHEAD))
		return cuv_budget_exhausted(err, "answer");
	cuv_buf_addf(&line, "{\"event\":\"%s\",", event);
	if (number >= 0)
		cuv_buf_addf(&line, "\"case\":%lld,", (long long)number);
	/* Its first bracket becomes what is there already. */
	line.len--;
	room = cuv_buf_room(&line, len);
	if (!room)
		return cuv_budget_exhausted(err, "answer");
	(void)json_dumpb(about, room, len, LINE_FLAGS);
	*room = ',';
	cuv_buf_grew(&line, len);
	cuv_buf_add_str(&line, "\n");
	if (cuv_buf_err(&line) < 0)
		return cuv_budget_exhausted(err, "answer");
	if (!begin(s) || !cuv_http_send(s->h, line.data, line.len))
		return gone(err);
	s->said_ns = cuv_now_ns();
	return 0;
}

static int send_case(void *arg, size_t number, const json_t *answer, struct cuv_error *err)
{
	return send_line(arg, "case", (json_int_t)number, answer, err);
}

/* Until something has been said an error is an answer as any other. */
static int run_streamed(struct cuv_runner *u, struct cuv_http *h, const struct cuv_run_request *request,
			struct cuv_error *err)
{
	struct cuv_job_events events = cuv_runner_events(u, h);
	struct stream s = {.h = h, .charge = u->charge};
	struct cuv_run_follower follower = {.apart = true, .arg = &s, .done = send_case};
	struct cuv_error unsaid;
	json_t *body = NULL;
	int r = cuv_runner_begin(u, err);

	events.arg = &s;
	events.charge = on_charge;
	events.started = on_started;
	events.waits = on_waits;
	if (r == 0)
		r = cuv_run_perform(u, request, &events, &follower, &body, err);
	memcpy(h->run_id, u->run_id, sizeof(h->run_id));
	if (r == 0)
		r = send_line(&s, "end", -1, body, err);
	json_decref(body);
	if (r == 0 || !s.begun)
		return r;
	h->code = err->code;
	body = err->code == CUV_E_CANCELLED ? NULL : cuv_answer_error(err, h->request_id);
	if (body)
		(void)send_line(&s, "error", -1, body, &unsaid);
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
	switch (in->request.mode) {
	case CUV_RUN_ASYNC:
		return cuv_run_later(s, h, client, &in->form, CUV_RUNS_PATH, err);
	case CUV_RUN_STREAM:
		return run_streamed(u, h, &in->request, err);
	case CUV_RUN_SYNC:
	default:
		return run_now(u, h, &in->request, err);
	}
}

void cuv_route_run(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client)
{
	_cleanup_charge_ struct cuv_charge charge = cuv_clients_charge(s->clients, client, &s->budget);
	struct cuv_error err = CUV_ERROR_INIT;
	int r = serve(s, h, client, &charge, &err);

	/* Nobody is there to read about a cancelled run. */
	if (r < 0 && err.code != CUV_E_CANCELLED)
		cuv_http_reply_error(h, &err, NULL);
	else if (r < 0)
		h->code = err.code;
	if (charge.most_bytes > TRIM_BYTES)
		malloc_trim(0);
}
