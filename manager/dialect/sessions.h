/* SPDX-License-Identifier: MIT */
/*
 * Dialect 'pyexec': sessions whose tasks are accepted now and asked for later. POST /install, /upload,
 * /execute {"session_id", "code"} and /terminate, GET /status/install/… and /status/execute/….
 * Tasks are runs as those of mode=async (runs.h); what is kept between them is in sessions.h.
 */
#ifndef CUV_DIALECT_SESSIONS_H
#define CUV_DIALECT_SESSIONS_H

#include "manager/dialect/dialect.h"
#include "manager/runner.h"
#include "manager/runs/row.h"
#include "manager/sessions.h"

#define CUV_SESSION_PACKAGES_MAX 500

extern const struct cuv_http_errors cuv_session_errors;

/* POST /execute, of which this is the shape: accepts the task and answers. 0, or negative with err
 * set where nothing was answered. */
int cuv_session_execute(struct cuv_runner *u, struct cuv_http *h, const json_t *body, struct cuv_error *err);
void cuv_session_install(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
void cuv_session_upload(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
void cuv_session_terminate(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
void cuv_session_status_install(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
void cuv_session_status_execute(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);

/* For tests too. `session_id` of a body: *ret is borrowed from it. */
int cuv_session_name(const json_t *body, const char **ret, struct cuv_error *err);
/* `packages` of a body as lines of requirements, one for each, into *ret, which is empty. */
int cuv_session_packages(const json_t *body, struct cuv_buf *ret, struct cuv_error *err);

/* Carries a task out: packed is what was accepted, which is freed. 0 with the native answer, a new
 * reference, or negative with err set. */
int cuv_session_task(struct cuv_runner *u, const struct cuv_runs_row *row, struct cuv_buf *packed,
		     const struct cuv_job_events *events, json_t **ret, struct cuv_error *err);
/* What is told of a task: answer is the native answer or error, as text. A new reference; NULL
 * without memory. */
struct cuv_runs_view;
json_t *cuv_session_status(const struct cuv_runs_view *v, const char *task, const char *answer, size_t len);

#endif
