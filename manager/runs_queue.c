/* SPDX-License-Identifier: MIT */
/* Lines of runs, one for each client, which take turns. */
#include "manager/runs_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RETRY_AFTER_S 5

static struct cuv_runs_line *find(const struct cuv_runs *a, const char *tenant)
{
	struct cuv_runs_line *l = a->lines;

	while (l && strcmp(l->tenant, tenant) != 0)
		l = l->next;
	return l;
}

static int full(struct cuv_error *err, const char *what)
{
	(void)cuv_error_set(err, CUV_E_OVERLOADED, "%s; try again when some of them have been run", what);
	err->retry_after_s = RETRY_AFTER_S;
	return -EAGAIN;
}

int cuv_runs_check_room(const struct cuv_runs *a, const char *tenant, size_t bytes, struct cuv_error *err)
{
	const uint32_t max = a->server->settings->runs_queue;
	const struct cuv_runs_line *l = find(a, tenant);

	if (l && (l->n >= max || bytes > CUV_RUNS_LINE_BYTES_MAX - CUV_MIN(l->bytes, (size_t)CUV_RUNS_LINE_BYTES_MAX)))
		return full(err, "as many of your runs wait as may");
	if (a->queued / CUV_RUNS_LINES >= max ||
	    bytes > CUV_RUNS_QUEUE_BYTES_MAX - CUV_MIN(a->queued_bytes, (size_t)CUV_RUNS_QUEUE_BYTES_MAX))
		return full(err, "as many runs wait as may");
	return 0;
}

static struct cuv_runs_line *add_line(struct cuv_runs *a, const char *tenant)
{
	struct cuv_runs_line *l = calloc(1, sizeof(*l)), **at = &a->lines;

	if (!l)
		return NULL;
	(void)snprintf(l->tenant, sizeof(l->tenant), "%s", tenant);
	while (*at)
		at = &(*at)->next;
	*at = l;
	return l;
}

int cuv_runs_enqueue(struct cuv_runs *a, struct cuv_runs_entry *e)
{
	struct cuv_runs_line *l = find(a, e->row.tenant);

	if (!l)
		l = add_line(a, e->row.tenant);
	if (!l)
		return -ENOMEM;
	e->next = NULL;
	*(l->last ? &l->last->next : &l->first) = e;
	l->last = e;
	l->n++;
	l->bytes += e->bytes;
	a->queued++;
	a->queued_bytes += e->bytes;
	pthread_cond_signal(&a->work);
	return 0;
}

static void remove_line(struct cuv_runs *a, struct cuv_runs_line *l)
{
	struct cuv_runs_line **at = &a->lines;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	free(l);
}

static void move_back(struct cuv_runs *a, struct cuv_runs_line *l)
{
	struct cuv_runs_line **at = &a->lines;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	while (*at)
		at = &(*at)->next;
	*at = l;
	l->next = NULL;
}

bool cuv_runs_dequeue(struct cuv_runs *a, struct cuv_runs_entry *e)
{
	struct cuv_runs_line *l = find(a, e->row.tenant);
	struct cuv_runs_entry **at = l ? &l->first : NULL, *before = NULL;

	while (at && *at && *at != e) {
		before = *at;
		at = &before->next;
	}
	if (!at || !*at)
		return false;
	*at = e->next;
	e->next = NULL;
	if (l->last == e)
		l->last = before;
	l->n--;
	l->bytes -= e->bytes;
	a->queued--;
	a->queued_bytes -= e->bytes;
	if (!l->first)
		remove_line(a, l);
	return true;
}

struct cuv_runs_entry *cuv_runs_pick(struct cuv_runs *a, struct cuv_client *ret, bool *ret_key_gone)
{
	struct cuv_clients *clients = a->server->clients;
	struct cuv_error busy;
	struct cuv_runs_line *l;
	struct cuv_runs_entry *e;

	for (l = a->lines; l; l = l->next) {
		*ret_key_gone = !cuv_clients_of(clients, l->tenant, ret);
		if (*ret_key_gone || cuv_clients_take_place(clients, ret, &busy) == 0)
			break;
	}
	if (!l)
		return NULL;
	e = l->first;
	move_back(a, l);
	(void)cuv_runs_dequeue(a, e);
	return e;
}

uint32_t cuv_runs_position(const struct cuv_runs *a, const struct cuv_runs_entry *e)
{
	const struct cuv_runs_line *l = e->row.state == CUV_RUNS_QUEUED ? find(a, e->row.tenant) : NULL;
	const struct cuv_runs_entry *at = l ? l->first : NULL;
	uint32_t n = 1;

	for (; at && at != e; at = at->next)
		n++;
	return at ? n : 0;
}
