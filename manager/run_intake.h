/* SPDX-License-Identifier: MIT */
/* A request to run something, from its form to its answer. */
#ifndef CUV_RUN_INTAKE_H
#define CUV_RUN_INTAKE_H

#include "manager/run_request.h"
#include "manager/runner.h"

/* Not for the stack of a worker of civetweb, which has 100 KiB. The request borrows the
 * form. */
struct cuv_run_intake {
	struct cuv_form form;
	struct cuv_run_request request;
};

/* Empty, and charged for; NULL with err set (OVERLOADED). */
struct cuv_run_intake *cuv_run_intake_new(struct cuv_charge *charge, struct cuv_error *err);
/* With the fields of a build. */
struct cuv_run_intake *cuv_run_intake_new_build(struct cuv_charge *charge, struct cuv_error *err);
void cuv_run_intake_free(struct cuv_run_intake **in);
#define _cleanup_intake_ _cleanup_(cuv_run_intake_free)

/* Who follows the cases of a request. */
struct cuv_run_follower {
	size_t number; /* of the case under way, from 0; written by who runs them */
	bool apart;    /* they are not in the answer to the whole */
	void *arg;
	/* One has been run; its answer is borrowed. Negative with err set: the others are not. */
	int (*done)(void *arg, size_t number, const json_t *answer, struct cuv_error *err);
};

/* Builds its environment, or runs it, or its cases one after the other, so that a request has one box, like any
 * other. events: of each job; follower: NULL for none. 0 with the native answer in *ret,
 * a new reference; or negative with err set. */
int cuv_run_perform(struct cuv_runner *u, const struct cuv_run_request *request, const struct cuv_job_events *events,
		    struct cuv_run_follower *follower, json_t **ret, struct cuv_error *err);

#endif
