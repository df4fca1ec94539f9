/* SPDX-License-Identifier: MIT */
/* Those who follow a run's events. */
#include "lib/base/clock.h"
#include "manager/runs/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_NS CUV_NS_PER_S
#define RETRY_AFTER_S 5
/* Of the service's connections, this part may follow runs; of these one client may have
 * this part, where there are others. */
#define STREAMS_PART 4
#define CLIENTS_PART 2

struct cuv_runs_stream {
	struct cuv_runs_stream *next; /* of all */
	struct cuv_runs *a;	      /* borrowed */
	char tenant[CUV_KEY_ID_SIZE]; /* who follows */
	struct cuv_runs_entry *e;     /* referred to; NULL: its events are not known any more */
	enum cuv_runs_state state;    /* without them: how it ended */
	uint64_t after;		      /* number of the last event */
	uint32_t position;	      /* in the queue, as was said last */
};

static int too_many(struct cuv_error *err)
{
	(void)cuv_error_set(err, CUV_E_OVERLOADED,
			    "as many connections follow runs as may; ask for the run itself, or try again");
	err->retry_after_s = RETRY_AFTER_S;
	return -1;
}

static int too_many_of_one(unsigned max, struct cuv_error *err)
{
	(void)cuv_error_set(err, CUV_E_RATE_LIMITED,
			    "this API key may follow %u runs at once, and does; ask for the run itself, or try again",
			    max);
	err->retry_after_s = RETRY_AFTER_S;
	return -1;
}

static int take_place(struct cuv_runs_stream *f, struct cuv_error *err)
{
	struct cuv_runs *a = f->a;
	const unsigned max = CUV_MAX(a->server->settings->clients / STREAMS_PART, 1u);
	const unsigned max_of_one = cuv_clients_are_many(a->server->clients) ? CUV_MAX(max / CLIENTS_PART, 1u) : max;
	unsigned all = 0, own = 0;

	for (const struct cuv_runs_stream *s = a->streams; s; s = s->next) {
		all++;
		own += strcmp(s->tenant, f->tenant) == 0;
	}
	if (all >= max)
		return too_many(err);
	if (own >= max_of_one)
		return too_many_of_one(max_of_one, err);
	f->next = a->streams;
	a->streams = f;
	return 0;
}

static void give_place(struct cuv_runs_stream *f)
{
	struct cuv_runs_stream **at = &f->a->streams;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
}

/* 1: its events are known; 0: ask the store. */
static int follow_known(struct cuv_runs_stream *f, const struct cuv_client *c, const char *id, struct cuv_error *err)
{
	struct cuv_runs *a = f->a;
	int r;

	pthread_mutex_lock(&a->lock);
	r = take_place(f, err);
	f->e = r == 0 ? cuv_runs_find(a, c, id) : NULL;
	if (f->e)
		cuv_runs_ref(f->e);
	pthread_mutex_unlock(&a->lock);
	return r < 0 ? r : f->e != NULL;
}

int cuv_runs_follow(struct cuv_runs *a, const struct cuv_client *c, const char *id, const char *last_event_id,
		    struct cuv_runs_stream **ret, struct cuv_error *err)
{
	struct cuv_runs_stream *f = calloc(1, sizeof(*f));
	struct cuv_runs_view view;
	int r;

	if (!f)
		return cuv_budget_exhausted(err, "request");
	f->a = a;
	(void)snprintf(f->tenant, sizeof(f->tenant), "%s", c->tenant);
	f->after = cuv_run_events_after(last_event_id, a->epoch);
	r = follow_known(f, c, id, err);
	if (r < 0) {
		free(f);
		return r;
	}
	if (r == 0)
		r = cuv_runs_get(a, c, id, &view, NULL, NULL, err);
	f->state = r == 0 ? view.row.state : CUV_RUNS_FAILED;
	*ret = f;
	if (r < 0)
		cuv_runs_unfollow(ret);
	return r < 0 ? r : 0;
}

/* How it stands in the queue is nothing to go on after: it has no number. */
static void say_position(struct cuv_runs_stream *f, struct cuv_buf *out)
{
	const uint32_t position = cuv_runs_position(f->a, f->e);

	if (position == 0 || position == f->position)
		return;
	f->position = position;
	cuv_buf_addf(out, "event: queue\ndata: {\"position\":%u}\n\n", position);
}

bool cuv_runs_next(struct cuv_runs_stream *f, struct cuv_buf *out)
{
	const uint64_t until = cuv_now_ns() + TICK_NS;
	struct cuv_runs *a = f->a;
	bool more;

	if (!f->e) {
		cuv_buf_addf(out, "event: end\ndata: {\"state\":\"%s\"}\n\n", cuv_runs_state_name(f->state));
		return false;
	}
	pthread_mutex_lock(&a->lock);
	do {
		f->after = cuv_run_events_read(&f->e->events, f->after, a->epoch, out);
		cuv_runs_count(a, f->e);
		say_position(f, out);
		more = (!f->e->events.ended || cuv_run_events_has_after(&f->e->events, f->after)) &&
		       !(a->draining && f->e->row.state == CUV_RUNS_QUEUED);
		if (out->len == 0 && more)
			cuv_runs_wait(&f->e->moved, &a->lock, until);
	} while (out->len == 0 && more && cuv_now_ns() < until);
	pthread_mutex_unlock(&a->lock);
	return more;
}

void cuv_runs_unfollow(struct cuv_runs_stream **f)
{
	struct cuv_runs *a;

	if (!*f)
		return;
	a = (*f)->a;
	pthread_mutex_lock(&a->lock);
	give_place(*f);
	if ((*f)->e)
		cuv_runs_unref((*f)->e);
	pthread_mutex_unlock(&a->lock);
	free(*f);
	*f = NULL;
}
