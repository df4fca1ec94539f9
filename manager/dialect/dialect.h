/* SPDX-License-Identifier: MIT */
/*
 * What the dialects share. A dialect is the request and the answer of another service,
 * as its clients know them: a file of its own reads the one, fills in a job, and renders
 * the other. It has no limits, box or store of its own: what a client can't choose is in
 * one table (profiles.h). docs/dialects.md.
 */
#ifndef CUV_DIALECT_H
#define CUV_DIALECT_H

#include "manager/budget.h"
#include "manager/http.h"
#include "manager/job.h"
#include "manager/profiles.h"

/* A body, bytes. */
#define CUV_DIALECT_BODY_MAX (8 * CUV_MIB)

/* Errors as {"detail": …}, {"error": …}, and both where the dialect is not known yet. */
json_t *cuv_dialect_detail(const struct cuv_error *err, const char *request_id);
json_t *cuv_dialect_error(const struct cuv_error *err, const char *request_id);
json_t *cuv_dialect_both(const struct cuv_error *err, const char *request_id);

/* Any JSON value of bounded depth and number of values, without repeated members, lone
 * surrogates and numbers that are none. NULL with err set (BAD_JSON), line and column in its text. */
json_t *cuv_dialect_parse(const char *text, size_t len, struct cuv_error *err);
/* Receives the body, of at most max bytes. NULL with err set: as that, LENGTH_REQUIRED, and as
 * cuv_http_read_text. */
json_t *cuv_dialect_receive(struct cuv_http *h, struct cuv_charge *charge, size_t max, struct cuv_error *err);

/* A job without packages and lint, with the dialect's limits. */
void cuv_dialect_spec(enum cuv_profile which, struct cuv_job_spec *ret);

/* Members of a body, all borrowed from it. 0, or -EINVAL with err set (FIELD_INVALID,
 * TOO_LARGE; where in the body it is, is said by name). */

/* A program. Sets code. blank: what is said of one that has nothing in it. */
int cuv_dialect_code(const json_t *body, const char *name, const char *blank, struct cuv_job_spec *ret,
		     struct cuv_error *err);
/* `timeout`, in seconds up to the dialect's longest, where it is there; whole: no fractions, at least 1. */
int cuv_dialect_timeout(const json_t *body, enum cuv_profile which, bool whole, struct cuv_job_spec *ret,
			struct cuv_error *err);
/* NULL in *ret where it is not there, or null. */
int cuv_dialect_string(const json_t *body, const char *name, const json_t **ret, struct cuv_error *err);

/* Answers what came of a request, where no answer was sent (r < 0); nobody is there to
 * read about a cancelled one. */
void cuv_dialect_end(struct cuv_http *h, int r, const struct cuv_error *err);

/* How long it took, in seconds; a new reference. */
json_t *cuv_dialect_seconds(uint64_t ns);

#endif
