/* SPDX-License-Identifier: MIT */
/* The answer to a request that is accepted now and carried out later (runs.h). */
#ifndef CUV_RUN_LATER_H
#define CUV_RUN_LATER_H

#include "manager/form.h"
#include "manager/server.h"

/* Accepts a form that has been checked, and tells the client with 202 where below path
 * (CUV_RUNS_PATH, CUV_BUILDS_PATH) to find what becomes of it. 0, or negative with err set. */
int cuv_run_later(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client,
		  const struct cuv_form *form, const char *path, struct cuv_error *err);

#endif
