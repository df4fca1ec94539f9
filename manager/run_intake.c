/* SPDX-License-Identifier: MIT */
#include "manager/run_intake.h"

#include "manager/answer.h"

#include <stdlib.h>

static struct cuv_run_intake *new_with(const struct cuv_field_info *fields, size_t n, struct cuv_charge *charge,
				       struct cuv_error *err)
{
	struct cuv_run_intake *in = cuv_charge_add(charge, sizeof(*in)) ? calloc(1, sizeof(*in)) : NULL;

	if (!in) {
		(void)cuv_charge_refused(charge, err, "request");
		return NULL;
	}
	in->request.files = CUV_UPLOAD_INIT;
	cuv_form_init(&in->form, fields, n, CUV_UPLOAD_BYTES_MAX, charge);
	return in;
}

struct cuv_run_intake *cuv_run_intake_new(struct cuv_charge *charge, struct cuv_error *err)
{
	size_t n;
	const struct cuv_field_info *fields = cuv_run_fields(&n);

	return new_with(fields, n, charge, err);
}

struct cuv_run_intake *cuv_run_intake_new_build(struct cuv_charge *charge, struct cuv_error *err)
{
	size_t n;
	const struct cuv_field_info *fields = cuv_build_fields(&n);

	return new_with(fields, n, charge, err);
}

void cuv_run_intake_free(struct cuv_run_intake **in)
{
	if (*in) {
		cuv_run_request_done(&(*in)->request);
		cuv_form_done(&(*in)->form);
	}
	free(*in);
	*in = NULL;
}

static int run_single(struct cuv_runner *u, const struct cuv_run_request *request, const struct cuv_job_events *events,
		      json_t **ret, struct cuv_error *err)
{
	struct cuv_job_spec spec = request->spec;
	struct cuv_job_result result;
	int r = cuv_runner_run(u, &spec, events, &result, err);

	if (r == 0)
		*ret = spec.build_only ? cuv_answer_build(&spec, &result, u->request_id)
				       : cuv_answer_run(&spec, &result, u->request_id);
	cuv_job_result_done(&result);
	return r;
}

/* What is said of a case, to who follows and to the whole. Takes the answer over. */
static int tell(struct cuv_run_follower *follower, size_t i, json_t *answer, json_t *body, struct cuv_error *err)
{
	int r = answer ? 0 : cuv_budget_exhausted(err, "answer");

	if (r == 0 && follower && follower->done)
		r = follower->done(follower->arg, i, answer, err);
	if (r == 0 && !(follower && follower->apart) && json_array_append(json_object_get(body, "cases"), answer) < 0)
		r = cuv_budget_exhausted(err, "answer");
	json_decref(answer);
	return r;
}

/* Case number i, added to the body, which the first one makes. */
static int run_case(struct cuv_runner *u, const struct cuv_run_request *request, size_t i,
		    const struct cuv_job_events *events, struct cuv_run_follower *follower, json_t **body,
		    bool *success, struct cuv_error *err)
{
	const struct cuv_run_case *c = &request->cases.items[i];
	const size_t held = u->charge->bytes;
	struct cuv_job_spec spec = request->spec;
	struct cuv_job_result result;
	int r;

	/* The first one's is the request's own. */
	if (i > 0 && (r = cuv_runner_again(u, err)) < 0)
		return r;
	if (c->has_stdin) {
		spec.stdin_data = cuv_buf_str(&c->stdin_data);
		spec.stdin_len = c->stdin_data.len;
	}
	if (c->has_args)
		spec.args = &c->args;
	spec.lint = spec.lint && i == 0;
	r = cuv_runner_run(u, &spec, events, &result, err);
	if (r == 0 && i == 0)
		*body = cuv_answer_cases(&spec, &result, u->request_id);
	if (r == 0)
		r = tell(follower, i, cuv_answer_case(&spec, &result), *body, err);
	*success = *success && r == 0 && result.run.status == CUV_RUN_SUCCESS;
	cuv_job_result_done(&result);
	/* Nothing is left of it but what the first one has put into the body. */
	if (i > 0 && follower && follower->apart)
		cuv_charge_back(u->charge, held);
	return r;
}

static int run_cases(struct cuv_runner *u, const struct cuv_run_request *request, const struct cuv_job_events *events,
		     struct cuv_run_follower *follower, json_t **ret, struct cuv_error *err)
{
	json_t *body = NULL;
	bool success = true;
	int r = 0;

	for (size_t i = 0; r == 0 && i < request->cases.n; i++) {
		if (follower)
			follower->number = i;
		r = run_case(u, request, i, events, follower, &body, &success, err);
	}
	if (r < 0) {
		json_decref(body);
		return r;
	}
	if (follower && follower->apart)
		json_object_del(body, "cases");
	json_object_set_new(body, "success", json_boolean(success));
	*ret = body;
	return 0;
}

int cuv_run_perform(struct cuv_runner *u, const struct cuv_run_request *request, const struct cuv_job_events *events,
		    struct cuv_run_follower *follower, json_t **ret, struct cuv_error *err)
{
	int r;

	*ret = NULL;
	r = request->cases.n ? run_cases(u, request, events, follower, ret, err)
			     : run_single(u, request, events, ret, err);
	if (r < 0)
		return r;
	if (!*ret)
		return cuv_budget_exhausted(err, "answer");
	if (!request->spec.build_only)
		json_object_set_new(*ret, "isolation", cuv_answer_isolation(&u->health->state.layers));
	return 0;
}
