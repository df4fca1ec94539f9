/* SPDX-License-Identifier: MIT */
/* GET /metrics: what was counted (metrics.h), and how the service is at this moment. */
#include "lib/base/clock.h"
#include "manager/metrics.h"
#include "manager/runs/runs.h"
#include "manager/server.h"

#include <time.h>

#define TEXT_MAX (1u << 20)
#define TYPE "text/plain; version=0.0.4; charset=utf-8"
#define HEALTH_AGE_MS 1000

static void value(struct cuv_buf *b, const char *name, const char *type, const char *help, double number)
{
	cuv_metrics_head(b, name, type, help);
	cuv_buf_addf(b, "%s %.15g\n", name, number);
}

static void gauge(struct cuv_buf *b, const char *name, const char *help, double number)
{
	value(b, name, "gauge", help, number);
}

static const struct {
	const char *name, *type, *text;
} counts[_CUV_COUNT_MAX] = {
#define X(suffix, name, type, text) {name, type, text},
	CUV_COUNT_TABLE(X)
#undef X
};

/* The others' own words, as old as they may be for GET /health. */
static void parts(struct cuv_server *s, struct cuv_buf *b)
{
	struct cuv_health_state state;
	bool launcher, builder;

	cuv_health_get(&s->health, HEALTH_AGE_MS, &state);
	launcher = state.layers_error.code == CUV_E_NONE;
	builder = state.tools_error.code == CUV_E_NONE;
	gauge(b, "cuvette_up", "1 while runs can be served.",
	      cuv_health_is_serving(&state) && !atomic_load(&s->draining));
	cuv_metrics_head(b, "cuvette_part_up", "gauge", "1 while this part of the service answers.");
	cuv_buf_addf(b, "cuvette_part_up{part=\"launcher\"} %d\ncuvette_part_up{part=\"builder\"} %d\n", launcher,
		     builder);
	gauge(b, "cuvette_boxes_busy", "Boxes that something runs in, as the launcher tells.",
	      launcher ? state.layers.boxes_busy : 0);
	gauge(b, "cuvette_boxes_max", "Boxes that there may be at once.", launcher ? state.layers.boxes_max : 0);
	for (size_t i = 0; launcher && i < _CUV_COUNT_MAX; i++)
		value(b, counts[i].name, counts[i].type, counts[i].text, (double)state.layers.counts[i]);
	if (builder)
		value(b, "cuvette_environments_evicted_total", "counter",
		      "Environments that made room for others, or were removed on request.",
		      (double)state.tools.evicted);
	cuv_metrics_head(b, "cuvette_layer_up", "gauge", "1 while this layer of isolation is on.");
	for (int i = 0; launcher && i < _CUV_LAYER_MAX; i++)
		cuv_buf_addf(b, "cuvette_layer_up{layer=\"%s\"} %d\n", cuv_layer_name((enum cuv_layer)i),
			     state.layers.layer[i].state == CUV_LAYER_OK);
}

static double cpu_seconds(void)
{
	struct timespec t = {0};

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void now(struct cuv_server *s, struct cuv_buf *b)
{
	cuv_metrics_head(b, "cuvette_info", "gauge", "Which version this is.");
	cuv_buf_addf(b, "cuvette_info{version=\"%s\"} 1\n", CUV_VERSION);
	gauge(b, "cuvette_start_time_seconds", "When the service was started, in seconds since 1970.",
	      (double)s->start_s);
	gauge(b, "cuvette_draining", "1 while it is stopping.", atomic_load(&s->draining));
	gauge(b, "cuvette_runs_running", "Requests that have a place for runs.", atomic_load(&s->runs));
	gauge(b, "cuvette_runs_places", "Places for runs.", s->runs_max);
	gauge(b, "cuvette_runs_waiting", "Runs that wait to be answered later.", cuv_runs_waiting(s->runs_later));
	gauge(b, "cuvette_runs_later", "Runs that are answered later and under way.", cuv_runs_active(s->runs_later));
	gauge(b, "cuvette_requests_active", "Requests under way, this one too.", atomic_load(&s->active));
	gauge(b, "cuvette_memory_bytes", "Memory that requests are charged with.",
	      (double)atomic_load(&s->budget.used_bytes));
	gauge(b, "cuvette_memory_bytes_max", "What they may have together.", (double)s->budget.max_bytes);
	value(b, "cuvette_manager_cpu_seconds_total", "counter", "CPU time of the manager's process.", cpu_seconds());
}

void cuv_route_metrics(struct cuv_server *s, struct cuv_http *h, _unused_ const struct cuv_client *client)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(TEXT_MAX);
	struct cuv_error err = CUV_ERROR_INIT;

	now(s, &text);
	parts(s, &text);
	cuv_metrics_text(cuv_route_operations, &text);
	if (cuv_buf_err(&text) == 0) {
		cuv_http_reply(h, 200, NULL, TYPE, text.data, text.len);
		return;
	}
	cuv_budget_exhausted(&err, "answer");
	cuv_http_reply_error(h, &err, NULL);
}
