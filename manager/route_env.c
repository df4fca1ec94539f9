/* SPDX-License-Identifier: MIT */
/*
 * /api/v1/environments: builds environments, lists and shows those that a client has
 * asked for, and forgets them. Whoever holds a digest may run with it, as ever; here
 * another client's digest is one that was never heard of.
 */
#include "lib/base/clock.h"
#include "manager/answer.h"
#include "manager/env_look.h"
#include "manager/http_form.h"
#include "manager/run_intake.h"
#include "manager/run_later.h"
#include "manager/runs/runs.h"
#include "nixenv/pylock_write.h"

#include <errno.h>
#include <string.h>

#define LOCK_TYPE "application/toml"
#define LOCK_HEADERS "Content-Disposition: attachment; filename=\"pylock.toml\"\r\n"
/* One of a list as jansson's objects, and its text. */
#define ITEM_BYTES 2048
/* Packages and store paths of one environment, the same way. */
#define SHOWN_BYTES (256u * 1024u)

/* --- building --- */

static int build_now(struct cuv_runner *u, struct cuv_http *h, const struct cuv_run_request *request,
		     struct cuv_error *err)
{
	const struct cuv_job_events events = cuv_runner_events(u, h);
	json_auto_t *body = NULL;
	int r = cuv_runner_begin(u, err);

	if (r == 0)
		r = cuv_run_perform(u, request, &events, NULL, &body, err);
	if (r == 0)
		cuv_http_reply_json(h, 200, NULL, body);
	return r;
}

static int build(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client, struct cuv_charge *charge,
		 struct cuv_error *err)
{
	_cleanup_runner_ struct cuv_runner *u = NULL;
	_cleanup_intake_ struct cuv_run_intake *in = NULL;
	int r = cuv_runner_open_unread(s, client, charge, h->request_id, &u, err);

	if (r < 0 || !(in = cuv_run_intake_new_build(charge, err)))
		return -1;
	r = cuv_http_read_form(h, &in->form, err);
	if (r == 0)
		r = cuv_run_request_read_build(&in->form, cuv_wall_s(), &in->request, err);
	if (r < 0)
		return r;
	return in->request.mode == CUV_RUN_ASYNC ? cuv_run_later(s, h, client, &in->form, CUV_BUILDS_PATH, err)
						 : build_now(u, h, &in->request, err);
}

/* --- what there is --- */

/* Whose environments a client sees: NULL is everybody's. */
static const char *owner_for(const struct cuv_client *client)
{
	return client->scopes & CUV_SCOPE_ADMIN ? NULL : client->tenant;
}

static json_t *date(int64_t s)
{
	char text[CUV_RFC3339_SIZE];

	cuv_format_rfc3339(s, text);
	return json_string(text);
}

static void add_use(json_t *to, const struct cuv_holding *found)
{
	json_object_set_new(to, "first_used", date(found->first_s));
	json_object_set_new(to, "last_used", date(found->used_s));
	json_object_set_new(to, "hits", json_integer((json_int_t)found->hits));
}

static int list_one(void *arg, const struct cuv_holding *found)
{
	json_t *item =
		json_pack("{s:s, s:s, s:s, s:i, s:b}", "digest", found->digest, "lock_digest", found->lock_digest,
			  "python", found->python, "packages", (int)found->packages, "ready", 0);

	add_use(item, found);
	return json_array_append_new(arg, item) < 0 ? -ENOMEM : 0;
}

/* Says of those from the first on, at most CUV_WHICH_MAX, whether the store has them. */
static int mark_ready(const struct cuv_peers *p, json_t *list, size_t first, struct cuv_error *err)
{
	_cleanup_which_ struct cuv_which asked = CUV_WHICH_INIT, there = CUV_WHICH_INIT;
	const size_t end = CUV_MIN(json_array_size(list), first + CUV_WHICH_MAX);
	size_t next = 0;
	int r = 0;

	for (size_t i = first; r == 0 && i < end; i++)
		r = cuv_strv_add(&asked.digests, json_string_value(json_object_get(json_array_get(list, i), "digest")));
	if (r < 0)
		return cuv_budget_exhausted(err, "request");
	r = cuv_env_which(p, &asked, &there, err);
	/* Both are in the same order. */
	for (size_t i = first; r == 0 && i < end && next < there.digests.n; i++) {
		if (strcmp(asked.digests.items[i - first], there.digests.items[next]) != 0)
			continue;
		json_object_set_new(json_array_get(list, i), "ready", json_true());
		next++;
	}
	return r;
}

static int list(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client, struct cuv_charge *charge,
		struct cuv_error *err)
{
	json_auto_t *items = json_array();
	json_auto_t *body = NULL;
	int r;

	if (!items || !cuv_charge_add(charge, CUV_HOLDINGS_LISTED_MAX * ITEM_BYTES))
		return cuv_budget_exhausted(err, "request");
	r = cuv_holdings_each(&s->holdings, owner_for(client), list_one, items, err);
	if (r == -ENOMEM)
		return cuv_budget_exhausted(err, "request");
	for (size_t i = 0; r == 0 && i < json_array_size(items); i += CUV_WHICH_MAX)
		r = mark_ready(&s->peers, items, i, err);
	if (r < 0)
		return r;
	body = json_pack("{s:O, s:b, s:s}", "environments", items, "truncated",
			 json_array_size(items) == CUV_HOLDINGS_LISTED_MAX, "request_id", h->request_id);
	if (!body)
		return cuv_budget_exhausted(err, "answer");
	cuv_http_reply_json(h, 200, NULL, body);
	return 0;
}

/* --- one of them --- */

static int show(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client, struct cuv_charge *charge,
		struct cuv_error *err)
{
	_cleanup_look_ struct cuv_look look = CUV_LOOK_INIT;
	_cleanup_buf_ struct cuv_buf lock = CUV_BUF_INIT(CUV_PYLOCK_BYTES_MAX);
	struct cuv_holding found;
	json_auto_t *body = NULL;
	int r = cuv_holdings_find(&s->holdings, owner_for(client), h->param, &found, err);

	if (r == 0 && !cuv_charge_add(charge, SHOWN_BYTES))
		r = cuv_budget_exhausted(err, "request");
	if (r == 0)
		r = cuv_env_look(&s->peers, h->param, charge, &look, &lock, err);
	if (r < 0)
		return r;
	body = cuv_answer_look(&look, &lock);
	if (!body)
		return cuv_budget_exhausted(err, "answer");
	add_use(body, &found);
	json_object_set_new(body, "request_id", json_string(h->request_id));
	cuv_http_reply_json(h, 200, NULL, body);
	return 0;
}

static int show_lock(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client,
		     struct cuv_charge *charge, struct cuv_error *err)
{
	_cleanup_look_ struct cuv_look look = CUV_LOOK_INIT;
	_cleanup_buf_ struct cuv_buf lock = CUV_BUF_INIT(CUV_PYLOCK_BYTES_MAX);
	struct cuv_holding found;
	int r = cuv_holdings_find(&s->holdings, owner_for(client), h->param, &found, err);

	if (r == 0)
		r = cuv_env_look(&s->peers, h->param, charge, &look, &lock, err);
	if (r < 0)
		return r;
	if (lock.len == 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "the lock of this environment can't be read");
	cuv_http_reply(h, 200, LOCK_HEADERS, LOCK_TYPE, cuv_buf_str(&lock), lock.len);
	return 0;
}

/* Also of who sees all it is only their own. */
static int forget(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client, struct cuv_charge *charge,
		  struct cuv_error *err)
{
	json_auto_t *body = NULL;
	int r = cuv_holdings_forget(&s->holdings, client->tenant, h->param, err);

	(void)charge;
	if (r < 0)
		return r;
	body = json_pack("{s:s, s:b, s:s}", "digest", h->param, "forgotten", 1, "request_id", h->request_id);
	cuv_http_reply_json(h, 200, NULL, body);
	return 0;
}

/* --- the routes --- */

static void serve(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client,
		  int (*handle)(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client,
				struct cuv_charge *charge, struct cuv_error *err))
{
	_cleanup_charge_ struct cuv_charge charge = cuv_clients_charge(s->clients, client, &s->budget);
	struct cuv_error err = CUV_ERROR_INIT;
	int r = handle(s, h, client, &charge, &err);

	/* Nobody is there to read about a cancelled build. */
	if (r < 0 && err.code != CUV_E_CANCELLED)
		cuv_http_reply_error(h, &err, NULL);
	else if (r < 0)
		h->code = err.code;
}

void cuv_route_env_build(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client)
{
	serve(s, h, client, build);
}

void cuv_route_env_list(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client)
{
	serve(s, h, client, list);
}

void cuv_route_env_show(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client)
{
	serve(s, h, client, show);
}

void cuv_route_env_lock(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client)
{
	serve(s, h, client, show_lock);
}

void cuv_route_env_forget(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client)
{
	serve(s, h, client, forget);
}
