/* SPDX-License-Identifier: MIT */
/*
 * The queue of one process: requests in the service's database, and in memory who is next:
 * lines of runs, one for each client, which take turns. A request that is big is a file (files.h), by the id of its
 * run: as a row it would hold up all others' changes of the database, twice.
 */
#include "manager/backends.h"
#include "manager/runs/runs.h"
#include "manager/runs/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define RETRY_AFTER_S 5
/* As many as there are threads for runs at most (settings.c). */
#define BUSY_MAX 64

struct waiting {
	struct waiting *next;
	struct cuv_runs_row row;
	size_t bytes; /* of its request */
};

/* The runs of one client. */
struct line {
	struct line *next;
	char tenant[CUV_KEY_ID_SIZE];
	struct waiting *first, *last; /* NULL: there are only places that are taken */
	uint32_t n;		      /* who waits, and places for requests that are being stored */
	size_t bytes;
};

struct local {
	struct cuv_queue queue;
	struct cuv_store *store; /* borrowed, as the next one is */
	struct cuv_files *files;
	uint32_t max;
	pthread_mutex_t lock;	 /* of all below; never held while the store is asked */
	struct line *lines;	 /* the next one's turn first; n of none is 0 */
	uint32_t n;		 /* of all lines */
	struct waiting *storing; /* have a place, and no request yet */
	size_t bytes;
	int64_t busy[BUSY_MAX]; /* sessions of which a run is under way; 0: room for another */
};

static struct local *of(struct cuv_queue *q)
{
	return (struct local *)q;
}

/* --- requests; without the lock --- */

#define FOLDER "queue/"

static const char *name_of(const char *id, cuv_files_name ret)
{
	(void)snprintf(ret, sizeof(cuv_files_name), FOLDER "%s", id);
	return ret;
}

/* What stays by an error goes at the next start. */
static void remove_request(struct local *a, const char *id)
{
	struct cuv_error ignored;
	cuv_files_name name;

	(void)a->files->remove(a->files, (const char *[]){name_of(id, name)}, 1, &ignored);
}

static int store_request(struct local *a, const struct cuv_runs_row *row, const struct cuv_buf *request,
			 struct cuv_error *err)
{
	cuv_files_name name;
	const struct cuv_files_content content = {name_of(row->id, name), cuv_buf_str(request), request->len};
	int r;

	if (request->len <= CUV_ROW_BYTES_MAX)
		return cuv_runs_store_add(a->store, row, cuv_buf_str(request), request->len, err);
	r = a->files->put(a->files, &content, 1, err);
	if (r < 0)
		return r;
	r = cuv_runs_store_add(a->store, row, NULL, request->len, err);
	if (r < 0)
		remove_request(a, row->id);
	return r;
}

/* --- lines; all with the lock held --- */

static struct line *find(const struct local *a, const char *tenant)
{
	struct line *l = a->lines;

	while (l && strcmp(l->tenant, tenant) != 0)
		l = l->next;
	return l;
}

static void append(struct local *a, struct line *l)
{
	struct line **at = &a->lines;

	while (*at)
		at = &(*at)->next;
	*at = l;
	l->next = NULL;
}

static void take_out(struct local *a, struct line *l)
{
	struct line **at = &a->lines;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
}

static struct line *find_or_add(struct local *a, const char *tenant)
{
	struct line *l = find(a, tenant);

	if (l)
		return l;
	l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	(void)snprintf(l->tenant, sizeof(l->tenant), "%s", tenant);
	append(a, l);
	return l;
}

/* A place for one that will wait. */
static int take_place(struct local *a, const char *tenant, size_t bytes)
{
	struct line *l = find_or_add(a, tenant);

	if (!l)
		return -ENOMEM;
	l->n++;
	l->bytes += bytes;
	a->n++;
	a->bytes += bytes;
	return 0;
}

static void give_place(struct local *a, struct line *l, size_t bytes)
{
	cuv_assert(l && l->n > 0);
	l->n--;
	l->bytes -= bytes;
	a->n--;
	a->bytes -= bytes;
	if (l->n == 0) {
		take_out(a, l);
		free(l);
	}
}

/* w has a place, and is owned by the queue after it. */
static void enqueue(struct local *a, struct waiting *w)
{
	struct line *l = find(a, w->row.tenant);

	w->next = NULL;
	*(l->last ? &l->last->next : &l->first) = w;
	l->last = w;
}

/* Owned by the caller after it; NULL when it is not there. */
static struct waiting *dequeue(struct local *a, struct line *l, const char *id)
{
	struct waiting **at = l ? &l->first : NULL, *before = NULL, *w;

	while (at && *at && strcmp((*at)->row.id, id) != 0) {
		before = *at;
		at = &before->next;
	}
	if (!at || !*at)
		return NULL;
	w = *at;
	*at = w->next;
	if (l->last == w)
		l->last = before;
	give_place(a, l, w->bytes);
	return w;
}

/* --- sessions; with the lock held --- */

static int64_t *find_busy(struct local *a, int64_t session)
{
	for (size_t i = 0; i < BUSY_MAX; i++)
		if (a->busy[i] == session)
			return &a->busy[i];
	return NULL;
}

/* The first in this line whose session, if it is of one, has nothing under way. */
static struct waiting *first_ready(struct local *a, const struct line *l)
{
	struct waiting *w = l->first;

	while (w && w->row.session && find_busy(a, w->row.session))
		w = w->next;
	return w && w->row.session && !find_busy(a, 0) ? NULL : w;
}

static unsigned count_in(const struct waiting *w, int64_t session)
{
	unsigned n = 0;

	for (; w; w = w->next)
		n += w->row.session == session;
	return n;
}

/* Those that wait, and will. */
static unsigned count_session(const struct local *a, const char *tenant, int64_t session)
{
	const struct line *l = session ? find(a, tenant) : NULL;

	return session ? count_in(l ? l->first : NULL, session) + count_in(a->storing, session) : 0;
}

static void end_storing(struct local *a, const struct waiting *w)
{
	struct waiting **at = &a->storing;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
}

/* --- the queue --- */

static int full(struct cuv_error *err, const char *what)
{
	(void)cuv_error_set(err, CUV_E_OVERLOADED, "%s; try again when some of them have been run", what);
	err->retry_after_s = RETRY_AFTER_S;
	return -EAGAIN;
}

static int check_locked(const struct local *a, const char *tenant, size_t bytes, struct cuv_error *err)
{
	const struct line *l = find(a, tenant);

	if (l &&
	    (l->n >= a->max || bytes > CUV_RUNS_LINE_BYTES_MAX - CUV_MIN(l->bytes, (size_t)CUV_RUNS_LINE_BYTES_MAX)))
		return full(err, "as many of your runs wait as may");
	if (a->n / CUV_RUNS_LINES >= a->max ||
	    bytes > CUV_RUNS_QUEUE_BYTES_MAX - CUV_MIN(a->bytes, (size_t)CUV_RUNS_QUEUE_BYTES_MAX))
		return full(err, "as many runs wait as may");
	return 0;
}

static int check_room(struct cuv_queue *q, const char *tenant, size_t bytes, struct cuv_error *err)
{
	struct local *a = of(q);
	int r;

	pthread_mutex_lock(&a->lock);
	r = check_locked(a, tenant, bytes, err);
	pthread_mutex_unlock(&a->lock);
	return r;
}

static struct waiting *waiting_new(const struct cuv_runs_row *row, size_t bytes)
{
	struct waiting *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->row = *row;
	w->row.task = NULL;
	w->bytes = bytes;
	return w;
}

/* The place is taken in one step with looking for room, before the request is stored, which
 * takes a while: many at once find no more room than there is. */
static int add(struct cuv_queue *q, const struct cuv_runs_row *row, const struct cuv_buf *request,
	       struct cuv_error *err)
{
	struct local *a = of(q);
	struct waiting *w = waiting_new(row, request->len);
	int r;

	if (!w)
		return cuv_budget_exhausted(err, "request");
	pthread_mutex_lock(&a->lock);
	r = check_locked(a, row->tenant, w->bytes, err);
	if (r == 0 && count_session(a, row->tenant, row->session) >= CUV_RUNS_SESSION_MAX)
		r = full(err, "as many tasks of this session wait as may");
	if (r == 0 && take_place(a, row->tenant, w->bytes) < 0)
		r = cuv_budget_exhausted(err, "request");
	if (r == 0) {
		w->next = a->storing;
		a->storing = w;
	}
	pthread_mutex_unlock(&a->lock);
	if (r < 0) {
		free(w);
		return r;
	}
	r = store_request(a, row, request, err);
	pthread_mutex_lock(&a->lock);
	end_storing(a, w);
	if (r == 0)
		enqueue(a, w);
	else
		give_place(a, find(a, row->tenant), w->bytes);
	pthread_mutex_unlock(&a->lock);
	if (r < 0)
		free(w);
	return r;
}

static int next(struct cuv_queue *q, bool (*may_begin)(void *arg, const char *tenant), void *arg,
		struct cuv_runs_row *ret)
{
	struct local *a = of(q);
	struct waiting *w = NULL;
	struct line *l;

	pthread_mutex_lock(&a->lock);
	for (l = a->lines; l; l = l->next) {
		w = first_ready(a, l);
		if (w && may_begin(arg, l->tenant))
			break;
		w = NULL;
	}
	if (w) {
		if (w->row.session)
			*find_busy(a, 0) = w->row.session;
		take_out(a, l);
		append(a, l);
		w = dequeue(a, l, w->row.id);
		*ret = w->row;
	}
	pthread_mutex_unlock(&a->lock);
	free(w);
	return w != NULL;
}

static void release(struct cuv_queue *q, int64_t session)
{
	struct local *a = of(q);
	int64_t *busy;

	pthread_mutex_lock(&a->lock);
	busy = session ? find_busy(a, session) : NULL;
	if (busy)
		*busy = 0;
	pthread_mutex_unlock(&a->lock);
}

static int begin(struct cuv_queue *q, const char *id, struct cuv_charge *charge, struct cuv_buf *request,
		 struct cuv_error *err)
{
	struct local *a = of(q);
	cuv_files_name name;
	int r = cuv_runs_store_begin(a->store, id, charge, request, err);

	if (r == 0 || r == -ENOENT)
		return r;
	if (r > 0)
		r = a->files->get(a->files, name_of(id, name), charge, request, err);
	remove_request(a, id);
	if (r == -ENOENT)
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "the run's request is gone; send it again");
	return r == -ENOMEM ? cuv_budget_exhausted(err, "request") : r;
}

static void forget(struct cuv_queue *q, const char *id)
{
	remove_request(of(q), id);
}

static int cancel(struct cuv_queue *q, const char *tenant, const char *id, int64_t now_s, struct cuv_error *err)
{
	struct local *a = of(q);
	int r = cuv_runs_store_cancel(a->store, id, now_s, err);
	struct waiting *w;

	if (r < 0)
		return r;
	pthread_mutex_lock(&a->lock);
	w = dequeue(a, find(a, tenant), id);
	pthread_mutex_unlock(&a->lock);
	/* One that was not in memory may be big too. */
	if (!w || w->bytes > CUV_ROW_BYTES_MAX)
		remove_request(a, id);
	free(w);
	return 0;
}

static uint32_t position(struct cuv_queue *q, const char *tenant, const char *id)
{
	struct local *a = of(q);
	const struct waiting *w;
	const struct line *l;
	uint32_t n = 1;

	pthread_mutex_lock(&a->lock);
	l = find(a, tenant);
	w = l ? l->first : NULL;
	for (; w && strcmp(w->row.id, id) != 0; w = w->next)
		n++;
	pthread_mutex_unlock(&a->lock);
	return w ? n : 0;
}

static uint32_t waiting(struct cuv_queue *q)
{
	struct local *a = of(q);
	uint32_t n;

	pthread_mutex_lock(&a->lock);
	n = a->n;
	pthread_mutex_unlock(&a->lock);
	return n;
}

struct recovery {
	struct local *a;
	bool (*each)(void *arg, const struct cuv_runs_row *row, size_t bytes);
	void *arg;
};

static void recover_one(void *arg, const struct cuv_runs_row *row, size_t bytes)
{
	const struct recovery *r = arg;
	struct waiting *w = r->each(r->arg, row, bytes) ? waiting_new(row, bytes) : NULL;

	if (!w)
		return;
	pthread_mutex_lock(&r->a->lock);
	if (take_place(r->a, row->tenant, bytes) == 0)
		enqueue(r->a, TAKE_PTR(w));
	pthread_mutex_unlock(&r->a->lock);
	free(w);
}

static int recover(struct cuv_queue *q, bool (*each)(void *arg, const struct cuv_runs_row *row, size_t bytes),
		   void *arg, struct cuv_error *err)
{
	struct recovery r = {.a = of(q), .each = each, .arg = arg};

	return cuv_runs_store_each_queued(r.a->store, recover_one, &r, err);
}

static void close_local(struct cuv_queue *q)
{
	struct local *a = of(q);

	while (a->lines)
		free(dequeue(a, a->lines, a->lines->first->row.id));
	pthread_mutex_destroy(&a->lock);
	free(a);
}

int cuv_queue_local_clean(struct cuv_store *store, struct cuv_error *err)
{
	return cuv_runs_store_clean_requests(store, FOLDER, err);
}

struct cuv_queue *cuv_queue_local_new(struct cuv_store *store, struct cuv_files *files, uint32_t runs_max)
{
	struct local *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->store = store;
	a->files = files;
	a->max = runs_max;
	pthread_mutex_init(&a->lock, NULL);
	a->queue = (struct cuv_queue){.check_room = check_room,
				      .add = add,
				      .next = next,
				      .release = release,
				      .begin = begin,
				      .forget = forget,
				      .cancel = cancel,
				      .position = position,
				      .waiting = waiting,
				      .recover = recover,
				      .close = close_local};
	return &a->queue;
}
