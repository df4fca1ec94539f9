/* SPDX-License-Identifier: MIT */
/*
 * POST /execute, which three dialects claim: the body says which one. Until it is known, errors
 * are told in the words of all; and who has no right to be here is read of no more than tells
 * them in the right ones.
 */
#include "manager/dialect/execute.h"

#include "manager/dialect/learn.h"
#include "manager/dialect/script.h"
#include "manager/dialect/sessions.h"
#include "manager/origins.h"

#include <errno.h>
#include <string.h>

#define STRANGER_BODY_MAX 65536

const struct cuv_http_errors cuv_execute_errors = {cuv_error_http_status, cuv_dialect_both};

enum shape { SHAPE_NONE, SHAPE_MAIN, SHAPE_SESSION, SHAPE_LEARN };
static const struct {
	const struct cuv_http_errors *errors;
	int (*serve)(struct cuv_runner *u, struct cuv_http *h, const json_t *body, struct cuv_error *err);
} shapes[] = {
	[SHAPE_MAIN] = {&cuv_main_errors, cuv_main_serve},
	[SHAPE_SESSION] = {&cuv_session_errors, cuv_session_execute},
	[SHAPE_LEARN] = {&cuv_learn_errors, cuv_learn_serve},
};

static enum shape shape_of(const json_t *body)
{
	const bool script = json_object_get(body, "script"), session = json_object_get(body, "session_id");
	const bool code = json_object_get(body, "code");

	if (script)
		return session || code ? SHAPE_NONE : SHAPE_MAIN;
	if (!code)
		return SHAPE_NONE;
	return session ? SHAPE_SESSION : SHAPE_LEARN;
}

static bool is_allowed(const struct cuv_server *s, const struct cuv_http *h)
{
	return h->head.origin && cuv_origins_have(s->settings->origins, h->head.origin);
}

/* Pages that the operator named may use a service without a key, too. */
static int check_access(const struct cuv_server *s, const struct cuv_http *h, struct cuv_client *ret,
			struct cuv_error *err)
{
	if (is_allowed(s, h))
		return cuv_clients_check(s->clients, h->head.api_key, CUV_SCOPE_RUN, ret, err);
	return cuv_route_check_access(s, h, CUV_SCOPE_RUN, ret, err);
}

static int check_origin(const struct cuv_server *s, const struct cuv_http *h, enum shape shape, struct cuv_error *err)
{
	if (shape != SHAPE_LEARN || !s->settings->origins || is_allowed(s, h))
		return 0;
	return cuv_error_set(err, CUV_E_ORIGIN_REFUSED, "the request's Origin is none of ALLOWED_ORIGINS");
}

static int choose(const struct cuv_server *s, struct cuv_http *h, const json_t *body, enum shape *ret,
		  struct cuv_error *err)
{
	*ret = shape_of(body);
	if (*ret == SHAPE_NONE)
		return cuv_error_set(err, CUV_E_FIELD_INVALID,
				     "the body must be a JSON object with `script`, or with `session_id` and `code`, "
				     "or with `code`, and `script` goes with neither of the others");
	h->errors = shapes[*ret].errors;
	return check_origin(s, h, *ret, err);
}

/* In the words of the dialect, where the body has come that says which one it is. */
static int refuse(const struct cuv_server *s, struct cuv_http *h, struct cuv_charge *charge, struct cuv_error *err)
{
	struct cuv_error unread = CUV_ERROR_INIT;
	json_t *body = cuv_dialect_receive(h, charge, STRANGER_BODY_MAX, &unread);
	enum shape shape;

	if (body && choose(s, h, body, &shape, &unread) < 0 && unread.code == CUV_E_ORIGIN_REFUSED)
		*err = unread;
	json_decref(body);
	return -EINVAL;
}

static int serve(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client, struct cuv_charge *charge,
		 struct cuv_error *err)
{
	_cleanup_runner_ struct cuv_runner *u = NULL;
	json_t *body = NULL;
	enum shape shape;
	int r = cuv_runner_open_unread(s, client, charge, h->request_id, &u, err);

	if (r == 0 && !(body = cuv_dialect_receive(h, charge, CUV_DIALECT_BODY_MAX, err)))
		r = -EINVAL;
	if (r == 0)
		r = choose(s, h, body, &shape, err);
	/* A task of a session waits for its turn. */
	if (r == 0 && shape != SHAPE_SESSION)
		r = cuv_runner_begin(u, err);
	if (r == 0)
		r = shapes[shape].serve(u, h, body, err);
	json_decref(body);
	return r;
}

void cuv_route_execute(struct cuv_server *s, struct cuv_http *h, _unused_ const struct cuv_client *nobody)
{
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_client client;
	const bool may = check_access(s, h, &client, &err) == 0;
	_cleanup_charge_ struct cuv_charge charge = cuv_clients_charge(s->clients, may ? &client : NULL, &s->budget);
	int r;

	h->allow_origin = is_allowed(s, h) ? h->head.origin : NULL;
	r = may ? serve(s, h, &client, &charge, &err) : refuse(s, h, &charge, &err);
	cuv_dialect_end(h, r, &err);
}

/* What a browser asks before it sends a page's request. */
void cuv_route_execute_options(struct cuv_server *s, struct cuv_http *h, _unused_ const struct cuv_client *nobody)
{
	struct cuv_error err = CUV_ERROR_INIT;

	if (is_allowed(s, h)) {
		h->allow_origin = h->head.origin;
		cuv_http_reply(h, 200,
			       "Access-Control-Allow-Methods: POST\r\n"
			       "Access-Control-Allow-Headers: Content-Type, X-API-Key, Authorization\r\n"
			       "Access-Control-Max-Age: 600\r\n",
			       "text/plain", "", 0);
		return;
	}
	h->errors = &cuv_learn_errors;
	cuv_error_set(&err, CUV_E_ORIGIN_REFUSED, "the request's Origin is none of ALLOWED_ORIGINS");
	cuv_http_reply_error(h, &err, NULL);
}
