/* SPDX-License-Identifier: MIT */
#include "manager/prewarm.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "manager/dialect/script.h"

#include <stdlib.h>

/* Runs one, which has the environment made, and its zygote. */
static int run_once(struct cuv_server *s, struct cuv_job_result *result, struct cuv_error *err)
{
	json_t *body = json_pack("{s:s}", "script", "def main(): return None\n");
	struct cuv_job_events events = CUV_JOB_EVENTS_INIT;
	struct cuv_charge charge = CUV_CHARGE_INIT(NULL);
	struct cuv_health_state *state = calloc(1, sizeof(*state));
	struct cuv_main_request m;
	int r = state ? cuv_main_read(body, &charge, &m, err) : cuv_budget_exhausted(err, "request");

	if (state) {
		cuv_health_get(&s->health, UINT32_MAX, state);
		cuv_random_id(m.spec.run_id);
		cuv_sharing_apply(s->settings->sharing, CUV_TENANT_HTTP, &m.spec);
		cuv_job_result_init(result, &m.spec);
		if (r == 0)
			r = cuv_job_run(&s->peers, &state->tools, &m.spec, &events, result, err);
		cuv_main_request_done(&m);
	}
	json_decref(body);
	free(state);
	return r;
}

static void *prewarm(void *arg)
{
	struct cuv_job_result result = {0};
	struct cuv_error err = CUV_ERROR_INIT;
	const uint64_t start_ns = cuv_now_ns();

	cuv_server_wait_open(arg);
	if (run_once(arg, &result, &err) < 0)
		cuv_log(CUV_LOG_WARNING, "prewarm-failed", CUV_S("code", cuv_error_name(err.code)),
			CUV_S("message", err.message));
	else
		cuv_log(CUV_LOG_INFO, "prewarmed", CUV_S("environment", result.environment.digest),
			CUV_I("cached", result.environment.cached), CUV_I("took_us", (cuv_now_ns() - start_ns) / 1000));
	cuv_job_result_done(&result);
	return NULL;
}

int cuv_prewarm_start(struct cuv_server *s)
{
	pthread_t thread;
	int r = pthread_create(&thread, NULL, prewarm, s);

	if (r == 0)
		r = pthread_detach(thread);
	return -r;
}
