/* SPDX-License-Identifier: MIT */
/*
 * A client's runs as the service does them: the places that they take of the service
 * and of the client, what they are charged for, and what is logged of them. Every shape
 * of request that runs something goes this way.
 */
#ifndef CUV_RUNNER_H
#define CUV_RUNNER_H

#include "manager/metrics.h"
#include "manager/server.h"

struct cuv_runner {
	struct cuv_server *server; /* all three are borrowed */
	const struct cuv_client *client;
	struct cuv_charge *charge;
	const char *request_id;	      /* borrowed; for the log */
	enum cuv_dialect dialect;     /* for the metrics; native unless its route says otherwise */
	const char *run_as;	      /* the next run's id, borrowed; NULL: a new one */
	char run_id[CUV_ID_HEX_SIZE]; /* of the latest run; "": none yet */
	bool service_place;
	enum cuv_runner_place { CUV_PLACE_NONE, CUV_PLACE_LET_IN, CUV_PLACE_TAKEN } place; /* of the client */
	struct cuv_health_view *health; /* the service's parts when it was made */
};

/* Takes one place of all runs and one of the client, and charges for itself. *ret is to
 * be closed in any case. 0, or negative with err set: DRAINING, OVERLOADED, RATE_LIMITED. */
int cuv_runner_open(struct cuv_server *s, const struct cuv_client *client, struct cuv_charge *charge,
		    const char *request_id, struct cuv_runner **ret, struct cuv_error *err);
/* The same for a request that has not been read yet, and may turn out to be for later: a
 * client's place is taken where there is one, and cuv_runner_begin refuses where there
 * was none. */
int cuv_runner_open_unread(struct cuv_server *s, const struct cuv_client *client, struct cuv_charge *charge,
			   const char *request_id, struct cuv_runner **ret, struct cuv_error *err);
int cuv_runner_begin(struct cuv_runner *r, struct cuv_error *err);
/* For what was accepted before and has a thread of its own: none of the service's places
 * is needed, and the client's, which the caller has taken, goes over to it in any case. */
int cuv_runner_open_accepted(struct cuv_server *s, const struct cuv_client *client, struct cuv_charge *charge,
			     const char *request_id, struct cuv_runner **ret, struct cuv_error *err);
void cuv_runner_close(struct cuv_runner **r);
#define _cleanup_runner_ _cleanup_(cuv_runner_close)

/* One job to its end in the place that was taken, one after the other; spec gets its
 * run_id, and whose zygote it may share. result is initialised here, charged for, and
 * the caller's to be done with, whatever comes. As cuv_job_run, and OVERLOADED. */
int cuv_runner_run(struct cuv_runner *r, struct cuv_job_spec *spec, const struct cuv_job_events *events,
		   struct cuv_job_result *result, struct cuv_error *err);
/* Events of jobs that a client waits for: who hangs up cancels them. */
struct cuv_job_events cuv_runner_events(const struct cuv_runner *r, const struct cuv_http *h);
/* The same while a client waits: who hangs up cancels it. */
int cuv_runner_run_http(struct cuv_runner *r, struct cuv_http *h, struct cuv_job_spec *spec,
			struct cuv_job_result *result, struct cuv_error *err);
/* One more run in the same place, before it is started: of the client's minute and day.
 * 0, or negative with err set (RATE_LIMITED). */
int cuv_runner_again(struct cuv_runner *r, struct cuv_error *err);

#endif
