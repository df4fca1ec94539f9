/* SPDX-License-Identifier: MIT */
#include "manager/dialect/agent.h"

#include "manager/answer.h"
#include "manager/runner.h"

#include <errno.h>

/* A body that can't be read is one that does not fit, to these clients. */
static int status_of(enum cuv_error_code code)
{
	return code == CUV_E_BAD_JSON ? 422 : cuv_error_http_status(code);
}

const struct cuv_http_errors cuv_agent_errors = {status_of, cuv_dialect_detail};

int cuv_agent_read(const json_t *body, struct cuv_job_spec *ret, struct cuv_error *err)
{
	int r;

	cuv_dialect_spec(CUV_PROFILE_AGENT, ret);
	if (!json_is_object(body))
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "the body must be a JSON object with `code`");
	r = cuv_dialect_code(body, "code", "`code` is blank: it is the program", ret, err);
	return r == 0 ? cuv_dialect_timeout(body, CUV_PROFILE_AGENT, true, ret, err) : r;
}

/* These clients know four. What a program brought on itself is its error. */
static const char *status_name(enum cuv_run_status s)
{
	switch (s) {
	case CUV_RUN_SUCCESS:
		return "success";
	case CUV_RUN_TIMEOUT:
		return "timeout";
	case CUV_RUN_ERROR:
	case CUV_RUN_OUT_OF_MEMORY:
	case CUV_RUN_OUTPUT_LIMIT:
	case CUV_RUN_KILLED:
		return "error";
	case CUV_RUN_FAILED:
	case _CUV_RUN_STATUS_MAX:
	default:
		return "failed";
	}
}

json_t *cuv_agent_answer(const struct cuv_job_result *r)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:i}", "status", status_name(r->run.status), "stdout",
			 cuv_answer_text(&r->out), "stderr", cuv_answer_text(&r->err), "execution_time",
			 cuv_dialect_seconds(r->run.wall_ns), "return_code", (int)r->run.exit_code);
}

static int run(struct cuv_runner *u, struct cuv_http *h, const json_t *body, struct cuv_error *err)
{
	struct cuv_job_result result;
	struct cuv_job_spec spec;
	json_t *answer = NULL;
	int r = cuv_agent_read(body, &spec, err);

	if (r < 0)
		return r;
	u->dialect = CUV_DIALECT_EXECUTE;
	r = cuv_runner_run_http(u, h, &spec, &result, err);
	if (r == 0 && !(answer = cuv_agent_answer(&result)))
		r = cuv_budget_exhausted(err, "answer");
	if (r == 0)
		cuv_http_reply_json(h, 200, NULL, answer);
	json_decref(answer);
	cuv_job_result_done(&result);
	return r;
}

void cuv_route_agent(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client)
{
	_cleanup_charge_ struct cuv_charge charge = cuv_clients_charge(s->clients, client, &s->budget);
	_cleanup_runner_ struct cuv_runner *u = NULL;
	struct cuv_error err = CUV_ERROR_INIT;
	json_t *body = NULL;
	int r = cuv_runner_open(s, client, &charge, h->request_id, &u, &err);

	if (r == 0 && !(body = cuv_dialect_receive(h, &charge, CUV_DIALECT_BODY_MAX, &err)))
		r = -EINVAL;
	if (r == 0)
		r = run(u, h, body, &err);
	json_decref(body);
	cuv_dialect_end(h, r, &err);
}
