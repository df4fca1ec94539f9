/* SPDX-License-Identifier: MIT */
/*
 * Results in the service's database; answers that are big as files (files.h), by the id of
 * their run. A run's row says that its answer is a file, so one that has no such row, because
 * somebody died between the two or the store failed, is removed at the next start.
 */
#include "manager/backends.h"
#include "manager/runs/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct local {
	struct cuv_results results;
	struct cuv_store *store; /* borrowed, as the next one is */
	struct cuv_files *files;
	pthread_mutex_t big; /* who ends a run with a file; that it had not ended before holds meanwhile */
};

#define FOLDER "runs/"

static struct local *of(struct cuv_results *r)
{
	return (struct local *)r;
}

static const char *name_of(const char *id, cuv_files_name ret)
{
	(void)snprintf(ret, sizeof(cuv_files_name), FOLDER "%s", id);
	return ret;
}

static int end_big(struct local *l, const char *id, enum cuv_runs_state state, int64_t now_s, const char *answer,
		   size_t len, struct cuv_error *err)
{
	struct cuv_error ignored;
	cuv_files_name name;
	const struct cuv_files_content content = {name_of(id, name), answer, len};
	int r = cuv_runs_store_may_end(l->store, id, err);

	if (r == 0)
		r = l->files->put(l->files, &content, 1, err);
	if (r < 0)
		return r;
	r = cuv_runs_store_end(l->store, id, state, now_s, NULL, len, err);
	if (r < 0)
		(void)l->files->remove(l->files, &content.name, 1, &ignored);
	return r;
}

static int end(struct cuv_results *r, const char *id, enum cuv_runs_state state, int64_t now_s, const char *answer,
	       size_t len, struct cuv_error *err)
{
	struct local *l = of(r);
	int done;

	if (len <= CUV_ROW_BYTES_MAX)
		return cuv_runs_store_end(l->store, id, state, now_s, answer, len, err);
	pthread_mutex_lock(&l->big);
	done = end_big(l, id, state, now_s, answer, len, err);
	pthread_mutex_unlock(&l->big);
	return done;
}

static int get(struct cuv_results *r, const char *id, const char *tenant, struct cuv_runs_row *ret,
	       struct cuv_charge *charge, struct cuv_buf *answer, struct cuv_error *err)
{
	struct local *l = of(r);
	cuv_files_name name;
	int found = cuv_runs_store_get(l->store, id, tenant, ret, charge, answer, err);

	if (found <= 0)
		return found;
	found = l->files->get(l->files, name_of(id, name), charge, answer, err);
	/* It expired just now. */
	if (found == -ENOENT)
		(void)cuv_error_set(err, CUV_E_NOT_FOUND, "the answer of this run has expired");
	return found;
}

static int list(struct cuv_results *r, const char *tenant, unsigned states, int64_t since_s, const char *after,
		uint32_t max, void (*each)(void *arg, const struct cuv_runs_row *row), void *arg, struct cuv_error *err)
{
	return cuv_runs_store_list(of(r)->store, tenant, states, since_s, after, max, each, arg, err);
}

/* Files of these runs are not needed any more. */
static int remove_files(struct local *l, const struct cuv_strv *ids, struct cuv_error *err)
{
	_cleanup_free_ cuv_files_name *names = calloc(ids->n + 1, sizeof(*names));
	_cleanup_free_ const char **list = calloc(ids->n + 1, sizeof(*list));

	if (!names || !list)
		return cuv_budget_exhausted(err, "answer");
	for (size_t i = 0; i < ids->n; i++)
		list[i] = name_of(ids->items[i], names[i]);
	return l->files->remove(l->files, list, ids->n, err);
}

static int find(struct cuv_results *r, const char *tenant, const char *task, char ret_id[CUV_ID_HEX_SIZE],
		struct cuv_error *err)
{
	return cuv_runs_store_find(of(r)->store, tenant, task, ret_id, err);
}

static int interrupt(struct cuv_results *r, int64_t now_s, const char *answer, struct cuv_error *err)
{
	return cuv_runs_store_interrupt(of(r)->store, now_s, answer, err);
}

/* A row whose file is gone has expired, too; a file without a row would stay. */
static int expire(struct cuv_results *r, int64_t before_s, uint64_t max_bytes, uint64_t max_n, struct cuv_error *err)
{
	_cleanup_strv_ struct cuv_strv old = CUV_STRV_INIT;
	struct local *l = of(r);
	int done = cuv_runs_store_old_files(l->store, before_s, max_bytes, max_n, &old, err);

	if (done == 0)
		done = remove_files(l, &old, err);
	for (size_t i = 0; done == 0 && i < old.n; i++)
		done = cuv_runs_store_forget(l->store, old.items[i], err);
	return done < 0 ? done : cuv_runs_store_expire(l->store, before_s, max_bytes, max_n, err);
}

static void close_local(struct cuv_results *r)
{
	pthread_mutex_destroy(&of(r)->big);
	free(of(r));
}

int cuv_results_local_clean(struct cuv_store *store, struct cuv_error *err)
{
	return cuv_runs_store_clean_answers(store, FOLDER, err);
}

struct cuv_results *cuv_results_local_new(struct cuv_store *store, struct cuv_files *files)
{
	struct local *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->store = store;
	l->files = files;
	pthread_mutex_init(&l->big, NULL);
	l->results = (struct cuv_results){.end = end,
					  .get = get,
					  .find = find,
					  .list = list,
					  .interrupt = interrupt,
					  .expire = expire,
					  .close = close_local};
	return &l->results;
}
