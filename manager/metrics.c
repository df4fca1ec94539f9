/* SPDX-License-Identifier: MIT */
#include "manager/metrics.h"

#include "lib/base/clock.h"

#include <stdatomic.h>
#include <stdio.h>

typedef atomic_uint_least64_t counter;

/* Upper bounds of times, in ms: a warm run takes tens, an environment minutes. */
static const uint32_t bounds_ms[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000, 60000, 300000};

struct times {
	counter bucket[ARRAY_SIZE(bounds_ms) + 1]; /* each for itself; the last is for what is longer */
	counter sum_us;
};

/* What is answered with; others are counted as the first one, "other". */
static const int statuses[] = {0,   200, 202, 204, 206, 304, 400, 401, 403, 404, 405,
			       408, 409, 411, 413, 415, 416, 422, 429, 499, 500, 503};

static struct {
	counter requests[CUV_METRICS_OPERATIONS_MAX + 1][ARRAY_SIZE(statuses)];
	struct times request_times[CUV_METRICS_OPERATIONS_MAX + 1];
	counter errors[_CUV_E_MAX];
	counter bytes_in, bytes_out;
	counter runs[_CUV_DIALECT_MAX][_CUV_RUN_STATUS_MAX][_CUV_RUN_PATH_MAX];
	counter no_runs[_CUV_DIALECT_MAX][_CUV_E_MAX];
	struct times run_times[_CUV_RUN_PATH_MAX];
	struct times latencies[_CUV_DIALECT_MAX][_CUV_RUN_STATUS_MAX];
	counter later_accepted, later_ended[CUV_RUNS_CANCELLED + 1];
	struct times later_waits;
	counter environments_made, environments_known;
	struct times resolve_times, build_times;
	counter lint[CUV_LINT_UNAVAILABLE + 1];
	counter output_bytes;
} all;

static void add(counter *c, uint64_t n)
{
	atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

static uint64_t get(const counter *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

static void add_time(struct times *t, uint64_t ns)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(bounds_ms) && ns > bounds_ms[i] * CUV_NS_PER_MS)
		i++;
	add(&t->bucket[i], 1);
	add(&t->sum_us, ns / 1000);
}

static size_t status_index(int status)
{
	for (size_t i = 1; i < ARRAY_SIZE(statuses); i++)
		if (statuses[i] == status)
			return i;
	return 0;
}

void cuv_metrics_request(unsigned operation, int status, enum cuv_error_code code, uint64_t took_ns, uint64_t bytes_in,
			 uint64_t bytes_out)
{
	if (operation > CUV_METRICS_OPERATIONS_MAX)
		operation = 0;
	add(&all.requests[operation][status_index(status ? status : 499)], 1);
	add_time(&all.request_times[operation], took_ns);
	if (code != CUV_E_NONE)
		add(&all.errors[code], 1);
	add(&all.bytes_in, bytes_in);
	add(&all.bytes_out, bytes_out);
}

void cuv_metrics_environment(const struct cuv_environment *e)
{
	add(e->cached ? &all.environments_known : &all.environments_made, 1);
	if (!e->cached) {
		add_time(&all.resolve_times, e->resolve_ns);
		add_time(&all.build_times, e->build_ns);
	}
}

void cuv_metrics_run(enum cuv_dialect d, const struct cuv_job_result *r, uint64_t took_ns)
{
	add_time(&all.latencies[d][r->run.status], took_ns);
	add(&all.runs[d][r->run.status][r->run.path], 1);
	add_time(&all.run_times[r->run.path], r->run.wall_ns);
	cuv_metrics_environment(&r->environment);
	add(&all.lint[r->lint_state], 1);
	add(&all.output_bytes, r->out.len + r->err.len);
}

void cuv_metrics_no_run(enum cuv_dialect d, enum cuv_error_code code)
{
	add(&all.no_runs[d][code], 1);
}

void cuv_metrics_accepted(void)
{
	add(&all.later_accepted, 1);
}

void cuv_metrics_begun(uint64_t waited_ns)
{
	add_time(&all.later_waits, waited_ns);
}

void cuv_metrics_ended(enum cuv_runs_state state)
{
	add(&all.later_ended[state], 1);
}

/* --- as text --- */

void cuv_metrics_head(struct cuv_buf *ret, const char *name, const char *type, const char *help)
{
	cuv_buf_addf(ret, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void single(struct cuv_buf *ret, const char *name, const char *help, const counter *c)
{
	cuv_metrics_head(ret, name, "counter", help);
	cuv_buf_addf(ret, "%s %llu\n", name, (unsigned long long)get(c));
}

/* label: `operation="run"`, or "". Nothing for what never was, but where there is no label. */
static void times(struct cuv_buf *ret, const char *name, const char *label, const struct times *t)
{
	const char *comma = label[0] ? "," : "", *open = label[0] ? "{" : "", *close = label[0] ? "}" : "";
	uint64_t n = 0;
	size_t i;

	for (i = 0; i <= ARRAY_SIZE(bounds_ms); i++)
		n += get(&t->bucket[i]);
	if (n == 0 && label[0])
		return;
	for (i = 0, n = 0; i < ARRAY_SIZE(bounds_ms); i++) {
		n += get(&t->bucket[i]);
		cuv_buf_addf(ret, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, label, comma, bounds_ms[i] / 1000.0,
			     (unsigned long long)n);
	}
	n += get(&t->bucket[i]);
	cuv_buf_addf(ret, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, label, comma, (unsigned long long)n);
	cuv_buf_addf(ret, "%s_sum%s%s%s %.6f\n", name, open, label, close, (double)get(&t->sum_us) / 1e6);
	cuv_buf_addf(ret, "%s_count%s%s%s %llu\n", name, open, label, close, (unsigned long long)n);
}

static const char *operation_name(const char *const *operations, size_t i)
{
	return i == 0 ? "other" : operations[i - 1];
}

static void requests(const char *const *operations, struct cuv_buf *ret)
{
	char label[128];
	size_t n = 1;

	while (n <= CUV_METRICS_OPERATIONS_MAX && operations[n - 1])
		n++;
	cuv_metrics_head(ret, "cuvette_requests_total", "counter", "HTTP requests that were answered.");
	for (size_t i = 0; i < n; i++)
		for (size_t s = 0; s < ARRAY_SIZE(statuses); s++)
			if (get(&all.requests[i][s]))
				cuv_buf_addf(ret, "cuvette_requests_total{operation=\"%s\",status=\"%d\"} %llu\n",
					     operation_name(operations, i), statuses[s],
					     (unsigned long long)get(&all.requests[i][s]));
	cuv_metrics_head(ret, "cuvette_request_seconds", "histogram", "From a request's head to its answer's end.");
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(label, sizeof(label), "operation=\"%s\"", operation_name(operations, i));
		times(ret, "cuvette_request_seconds", label, &all.request_times[i]);
	}
	cuv_metrics_head(ret, "cuvette_errors_total", "counter", "Answers that were errors, by code.");
	for (size_t i = 0; i < _CUV_E_MAX; i++)
		if (get(&all.errors[i]))
			cuv_buf_addf(ret, "cuvette_errors_total{code=\"%s\"} %llu\n",
				     cuv_error_name((enum cuv_error_code)i), (unsigned long long)get(&all.errors[i]));
	single(ret, "cuvette_request_bytes_total", "Bytes of requests' bodies.", &all.bytes_in);
	single(ret, "cuvette_response_bytes_total", "Bytes of answers, heads included.", &all.bytes_out);
}

static const char *const dialects[] = {
#define X(suffix, name) name,
	CUV_DIALECT_TABLE(X)
#undef X
};

static void runs_of(size_t d, struct cuv_buf *ret)
{
	for (size_t s = CUV_RUN_SUCCESS; s < _CUV_RUN_STATUS_MAX; s++)
		for (size_t p = 0; p < _CUV_RUN_PATH_MAX; p++)
			if (get(&all.runs[d][s][p]))
				cuv_buf_addf(ret, "cuvette_runs_total{dialect=\"%s\",status=\"%s\",path=\"%s\"} %llu\n",
					     dialects[d], cuv_run_status_name((enum cuv_run_status)s),
					     cuv_run_path_name((enum cuv_run_path)p),
					     (unsigned long long)get(&all.runs[d][s][p]));
}

static void runs(struct cuv_buf *ret)
{
	char label[64];

	cuv_metrics_head(ret, "cuvette_runs_total", "counter", "Programs that were run, by how they ended.");
	for (size_t d = 0; d < _CUV_DIALECT_MAX; d++)
		runs_of(d, ret);
	cuv_metrics_head(ret, "cuvette_runs_failed_total", "counter",
			 "Runs that had a place and did not take place, by error code.");
	for (size_t d = 0; d < _CUV_DIALECT_MAX; d++)
		for (size_t i = 0; i < _CUV_E_MAX; i++)
			if (get(&all.no_runs[d][i]))
				cuv_buf_addf(ret, "cuvette_runs_failed_total{dialect=\"%s\",code=\"%s\"} %llu\n",
					     dialects[d], cuv_error_name((enum cuv_error_code)i),
					     (unsigned long long)get(&all.no_runs[d][i]));
	cuv_metrics_head(ret, "cuvette_run_seconds", "histogram", "Wall time of programs alone, by way into the box.");
	for (size_t p = 0; p < _CUV_RUN_PATH_MAX; p++) {
		(void)snprintf(label, sizeof(label), "path=\"%s\"", cuv_run_path_name((enum cuv_run_path)p));
		times(ret, "cuvette_run_seconds", label, &all.run_times[p]);
	}
	cuv_metrics_head(ret, "cuvette_run_latency_seconds", "histogram",
			 "From a run's turn to its result: environment, lint, a box, the program.");
	for (size_t d = 0; d < _CUV_DIALECT_MAX; d++)
		for (size_t i = CUV_RUN_SUCCESS; i < _CUV_RUN_STATUS_MAX; i++) {
			(void)snprintf(label, sizeof(label), "dialect=\"%s\",status=\"%s\"", dialects[d],
				       cuv_run_status_name((enum cuv_run_status)i));
			times(ret, "cuvette_run_latency_seconds", label, &all.latencies[d][i]);
		}
	single(ret, "cuvette_output_bytes_total", "Bytes of programs' stdout and stderr that were kept.",
	       &all.output_bytes);
}

static void later(struct cuv_buf *ret)
{
	single(ret, "cuvette_runs_later_accepted_total", "Runs that were accepted to be answered later.",
	       &all.later_accepted);
	cuv_metrics_head(ret, "cuvette_runs_later_ended_total", "counter",
			 "Of these, those that have ended, by state.");
	for (int i = CUV_RUNS_DONE; i <= CUV_RUNS_CANCELLED; i++)
		cuv_buf_addf(ret, "cuvette_runs_later_ended_total{state=\"%s\"} %llu\n",
			     cuv_runs_state_name((enum cuv_runs_state)i), (unsigned long long)get(&all.later_ended[i]));
	cuv_metrics_head(ret, "cuvette_queue_seconds", "histogram",
			 "From acceptance, or the start of the service, to the beginning of such runs.");
	times(ret, "cuvette_queue_seconds", "", &all.later_waits);
}

static void environments(struct cuv_buf *ret)
{
	cuv_metrics_head(ret, "cuvette_environments_total", "counter",
			 "Environments that runs asked for: known, or resolved and built for it.");
	cuv_buf_addf(ret, "cuvette_environments_total{result=\"known\"} %llu\n",
		     (unsigned long long)get(&all.environments_known));
	cuv_buf_addf(ret, "cuvette_environments_total{result=\"made\"} %llu\n",
		     (unsigned long long)get(&all.environments_made));
	cuv_metrics_head(ret, "cuvette_environment_resolve_seconds", "histogram",
			 "Resolving of environments that were made.");
	times(ret, "cuvette_environment_resolve_seconds", "", &all.resolve_times);
	cuv_metrics_head(ret, "cuvette_environment_build_seconds", "histogram",
			 "Fetching and building of environments that were made.");
	times(ret, "cuvette_environment_build_seconds", "", &all.build_times);
}

static void lint(struct cuv_buf *ret)
{
	static const char *const states[] = {
		[CUV_LINT_DONE] = "done", [CUV_LINT_SKIPPED] = "skipped", [CUV_LINT_UNAVAILABLE] = "unavailable"};

	cuv_metrics_head(ret, "cuvette_lint_total", "counter", "Lint and format of runs, by what came of it.");
	for (size_t i = CUV_LINT_DONE; i < ARRAY_SIZE(states); i++)
		cuv_buf_addf(ret, "cuvette_lint_total{state=\"%s\"} %llu\n", states[i],
			     (unsigned long long)get(&all.lint[i]));
}

void cuv_metrics_text(const char *const *operations, struct cuv_buf *ret)
{
	requests(operations, ret);
	runs(ret);
	later(ret);
	environments(ret);
	lint(ret);
}
