/* SPDX-License-Identifier: MIT */
/* GET /api/v1/runs, GET and DELETE /api/v1/runs/{id}, and its events; builds the same way. */
#include "lib/base/clock.h"
#include "lib/base/parse.h"
#include "manager/query.h"
#include "manager/runs/events.h"
#include "manager/runs/runs.h"
#include "manager/server.h"

#include <stdlib.h>
#include <string.h>

#define EVENTS_ROOM (2 * CUV_RUN_EVENTS_ROOM)

static json_t *date(int64_t s)
{
	char text[CUV_RFC3339_SIZE];

	if (s <= 0)
		return json_null();
	cuv_format_rfc3339(s, text);
	return json_string(text);
}

/* Where the client has found it. */
static const char *base_of(const struct cuv_http *h)
{
	return strncmp(h->head.path, CUV_BUILDS_PATH, strlen(CUV_BUILDS_PATH)) == 0 ? CUV_BUILDS_PATH : CUV_RUNS_PATH;
}

static json_t *describe(const struct cuv_runs_view *v, const char *base)
{
	const struct cuv_runs_row *row = &v->row;

	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:s++}", "run_id", row->id, "request_id",
			 row->request_id, "state", cuv_runs_state_name(row->state), "accepted", date(row->accepted_s),
			 "ended", date(row->ended_s), "expires",
			 date(row->ended_s ? row->ended_s + CUV_RUNS_KEEP_S : 0), "position",
			 v->position ? json_integer(v->position) : json_null(), "progress",
			 v->has_progress ? cuv_runs_progress(&v->progress) : json_null(), "events_url", base, row->id,
			 "/events");
}

/* The answer is a JSON text already; it goes to the end of the description. */
static int reply(struct cuv_http *h, const struct cuv_runs_view *v, const struct cuv_buf *answer, struct cuv_error *err)
{
	static char result[] = ",\"error\":null,\"result\":", error[] = ",\"result\":null,\"error\":", none[] = "null",
		    end[] = "}";
	const bool done = v->row.state == CUV_RUNS_DONE;
	json_t *about = describe(v, base_of(h));
	_cleanup_free_ char *text = json_dumps(about, JSON_COMPACT);
	struct iovec parts[4];

	json_decref(about);
	if (!text)
		return cuv_budget_exhausted(err, "answer");
	parts[0] = (struct iovec){text, strlen(text) - 1};
	parts[1] = done ? (struct iovec){result, sizeof(result) - 1} : (struct iovec){error, sizeof(error) - 1};
	parts[2] = answer->len ? (struct iovec){answer->data, answer->len} : (struct iovec){none, sizeof(none) - 1};
	parts[3] = (struct iovec){end, sizeof(end) - 1};
	cuv_http_reply_parts(h, 200, NULL, "application/json", parts, ARRAY_SIZE(parts));
	return 0;
}

static void get(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client)
{
	_cleanup_charge_ struct cuv_charge charge = cuv_clients_charge(s->clients, client, &s->budget);
	_cleanup_buf_ struct cuv_buf answer = CUV_BUF_INIT(SIZE_MAX / 4);
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_runs_view view;
	int r = cuv_runs_get(s->runs_later, client, h->param, &view, &charge, &answer, &err);

	if (r == 0)
		r = reply(h, &view, &answer, &err);
	if (r < 0)
		cuv_http_reply_error(h, &err, NULL);
}

void cuv_route_runs_get(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client)
{
	get(s, h, client);
}

void cuv_route_runs_delete(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client)
{
	struct cuv_error err = CUV_ERROR_INIT;

	if (cuv_runs_cancel(s->runs_later, client, h->param, &err) < 0)
		cuv_http_reply_error(h, &err, NULL);
	else
		get(s, h, client);
}

/* --- the list --- */

#define LISTED 50
#define ITEM_BYTES 2048u /* of JSON's values and its text */

/* What a query asks for. */
struct wanted {
	struct cuv_runs_wanted list;
	char after[CUV_ID_HEX_SIZE];
};

static const enum cuv_runs_state states[] = {
#define X(suffix, number, name, text) CUV_RUNS_##suffix,
	CUV_RUNS_STATE_TABLE(X)
#undef X
};

/* Names with commas between them; 0: one is none. */
static unsigned read_states(const char *text)
{
	unsigned bits = 0, bit;

	for (size_t len; *text; text += len + (text[len] == ',')) {
		len = strcspn(text, ",");
		bit = 0;
		for (size_t i = 0; i < ARRAY_SIZE(states); i++)
			if (strlen(cuv_runs_state_name(states[i])) == len &&
			    memcmp(cuv_runs_state_name(states[i]), text, len) == 0)
				bit = 1u << states[i];
		if (!bit)
			return 0;
		bits |= bit;
	}
	return bits;
}

static int read_field(void *arg, const char *name, const char *value, struct cuv_error *err)
{
	struct wanted *w = arg;
	uint64_t n;

	if (strcmp(name, "limit") == 0) {
		if (cuv_parse_u64(value, CUV_RUNS_LISTED_MAX, &n) < 0 || n == 0)
			return cuv_error_set(err, CUV_E_FIELD_INVALID, "`limit` is a number from 1 to %u",
					     CUV_RUNS_LISTED_MAX);
		w->list.max = (uint32_t)n;
	} else if (strcmp(name, "state") == 0) {
		w->list.states = read_states(value);
		if (!w->list.states)
			return cuv_error_set(err, CUV_E_FIELD_INVALID,
					     "`state` is one or more, with commas between them, of queued, resolving, "
					     "building, running, done, failed, cancelled");
	} else if (strcmp(name, "cursor") == 0) {
		if (strlen(value) != sizeof(w->after) - 1)
			return cuv_error_set(err, CUV_E_FIELD_INVALID, "`cursor` is `next` of the page before");
		memcpy(w->after, value, sizeof(w->after));
		w->list.after = w->after;
	} else {
		return cuv_error_set(err, CUV_E_FIELD_UNKNOWN,
				     "`%s` is nothing that this list knows; it takes limit, state and cursor", name);
	}
	return 0;
}

static json_t *list_item(const struct cuv_runs_view *v)
{
	const struct cuv_runs_row *row = &v->row;

	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:s+}", "run_id", row->id, "request_id", row->request_id,
			 "state", cuv_runs_state_name(row->state), "accepted", date(row->accepted_s), "ended",
			 date(row->ended_s), "expires", date(row->ended_s ? row->ended_s + CUV_RUNS_KEEP_S : 0),
			 "position", v->position ? json_integer(v->position) : json_null(), "status_url", CUV_RUNS_PATH,
			 row->id);
}

static int list(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client, struct cuv_charge *charge,
		struct cuv_error *err)
{
	struct wanted w = {.list = {.states = ~0u, .max = LISTED}};
	struct cuv_runs_list found = {.n = 0};
	json_t *items, *body = NULL;
	int r = cuv_query_each(h->info->query_string, read_field, &w, err);

	if (r == 0)
		r = cuv_charge_add(charge, w.list.max * ITEM_BYTES) ? 0 : cuv_budget_exhausted(err, "request");
	if (r == 0)
		r = cuv_runs_list(s->runs_later, client, &w.list, charge, &found, err);
	items = r == 0 ? json_array() : NULL;
	for (size_t i = 0; items && i < found.n; i++)
		(void)json_array_append_new(items, list_item(&found.views[i]));
	if (items)
		body = json_pack("{s:o, s:o, s:s}", "runs", items, "next",
				 found.next[0] ? json_string(found.next) : json_null(), "request_id", h->request_id);
	if (body)
		cuv_http_reply_json(h, 200, NULL, body);
	else if (r == 0)
		r = cuv_budget_exhausted(err, "answer");
	json_decref(body);
	free(found.views);
	return r;
}

void cuv_route_runs_list(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client)
{
	_cleanup_charge_ struct cuv_charge charge = cuv_clients_charge(s->clients, client, &s->budget);
	struct cuv_error err = CUV_ERROR_INIT;

	if (list(s, h, client, &charge, &err) < 0)
		cuv_http_reply_error(h, &err, NULL);
}

/* --- events --- */

static void send_events(struct cuv_http *h, struct cuv_runs_stream *f, struct cuv_buf *out)
{
	uint64_t said_ns = cuv_now_ns();
	bool more = true;

	while (more && !cuv_http_is_gone(h)) {
		cuv_buf_reset(out);
		more = cuv_runs_next(f, out);
		if (out->len == 0 && cuv_now_ns() < said_ns + CUV_HTTP_KEEP_ALIVE_NS)
			continue;
		if (out->len == 0)
			cuv_buf_add_str(out, ":\n\n");
		if (!cuv_http_send(h, cuv_buf_str(out), out->len))
			return;
		said_ns = cuv_now_ns();
	}
}

void cuv_route_runs_events(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client)
{
	_cleanup_charge_ struct cuv_charge charge = cuv_clients_charge(s->clients, client, &s->budget);
	_cleanup_buf_ struct cuv_buf out = CUV_BUF_INIT(EVENTS_ROOM);
	_cleanup_(cuv_runs_unfollow) struct cuv_runs_stream *f = NULL;
	struct cuv_error err = CUV_ERROR_INIT;
	int r = cuv_charge_add(&charge, EVENTS_ROOM) ? 0 : cuv_budget_exhausted(&err, "request");

	if (r == 0)
		r = cuv_runs_follow(s->runs_later, client, h->param, h->head.last_event_id, &f, &err);
	if (r < 0)
		cuv_http_reply_error(h, &err, NULL);
	/* A proxy is not to gather them. */
	else if (cuv_http_begin(h, 200, "X-Accel-Buffering: no\r\n", "text/event-stream; charset=utf-8") &&
		 !h->head.is_head)
		send_events(h, f, &out);
}
