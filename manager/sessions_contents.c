/* SPDX-License-Identifier: MIT */
/*
 * Contents of sessions' files that are too big for their rows. The database knows of each from before it is
 * written until it is removed: it is a file's, or loose (store.c), so none is lost sight of whatever
 * dies. Names are random and never used again: what is loose and not being written is nobody's.
 */
#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "manager/budget.h"
#include "manager/sessions_private.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define FOLDER "sessions/"
/* That are removed at a time; and how often in one go. */
#define SWEEP_MAX 256
#define SWEEPS_MAX 1000

typedef char content_name[CUV_SESSIONS_CONTENT_SIZE];

void cuv_sessions_content(char ret[CUV_SESSIONS_CONTENT_SIZE])
{
	char id[CUV_ID_HEX_SIZE];

	cuv_random_id(id);
	(void)snprintf(ret, CUV_SESSIONS_CONTENT_SIZE, FOLDER "%s", id);
}

/* Carries out the statement once for each name, its first value. */
static int each_name(sqlite3 *db, sqlite3_stmt *q, const char *const *names, size_t n, struct cuv_error *err)
{
	for (size_t i = 0; i < n; i++) {
		(void)sqlite3_bind_text(q, 1, names[i], -1, SQLITE_STATIC);
		if (sqlite3_step(q) != SQLITE_DONE)
			return cuv_store_failed_at(db, err);
		(void)sqlite3_reset(q);
	}
	return 0;
}

/* ?2 is the session, ?3 who writes. */
static int change_each(struct cuv_sessions *s, sqlite3 *db, const char *sql, int64_t id, const char *const *names,
		       size_t n, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = cuv_sessions_prepare(db, sql, &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(q, 2, id);
	(void)sqlite3_bind_int64(q, 3, s->self);
	return each_name(db, q, names, n, err);
}

static const char **names_of(const struct cuv_files_content *contents, size_t n)
{
	const char **names = calloc(n + 1, sizeof(*names));

	for (size_t i = 0; names && i < n; i++)
		names[i] = contents[i].name;
	return names;
}

int cuv_sessions_announce(struct cuv_sessions *s, sqlite3 *db, int64_t id, const struct cuv_files_content *contents,
			  size_t n, struct cuv_error *err)
{
	_cleanup_free_ const char **names = names_of(contents, n);

	return names ? change_each(s, db, "INSERT INTO session_loose (name, session, writing) VALUES (?1, ?2, ?3)", id,
				   names, n, err)
		     : cuv_budget_exhausted(err, "request");
}

/* All of them in one transaction. */
static int change_all(struct cuv_sessions *s, const char *sql, const char *const *names, size_t n,
		      struct cuv_error *err)
{
	sqlite3 *db = cuv_store_take(s->store);
	int r = cuv_sessions_begin_change(db, err);

	if (r == 0)
		r = cuv_sessions_end_change(db, change_each(s, db, sql, 0, names, n, err), err);
	cuv_store_give(s->store);
	return r;
}

void cuv_sessions_give_up(struct cuv_sessions *s, const struct cuv_files_content *contents, size_t n)
{
	_cleanup_free_ const char **names = names_of(contents, n);
	struct cuv_error ignored;

	if (names && n > 0)
		(void)change_all(s, "UPDATE session_loose SET writing = 0 WHERE name = ?1", names, n, &ignored);
}

/* --- removing --- */

static bool is_loading(struct cuv_sessions *s, int64_t id)
{
	const struct cuv_sessions_load *l;

	pthread_mutex_lock(&s->lock);
	for (l = s->loads; l && l->id != id; l = l->next)
		;
	pthread_mutex_unlock(&s->lock);
	return l != NULL;
}

struct sweep {
	content_name names[SWEEP_MAX];
	const char *list[SWEEP_MAX]; /* those of them that may go */
	size_t n;
	content_name last;
};

/* The next ones. 1: there may be more behind them. */
static int list_some(struct cuv_sessions *s, sqlite3 *db, struct sweep *w, struct cuv_error *err)
{
	static const char sql[] = "SELECT name, session FROM session_loose WHERE writing <> ?3 AND name > ?1 "
				  "ORDER BY name LIMIT ?2";
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int step, seen = 0, r = cuv_sessions_prepare(db, sql, &q, err);

	if (r < 0)
		return r;
	w->n = 0;
	(void)sqlite3_bind_text(q, 1, w->last, -1, SQLITE_TRANSIENT);
	(void)sqlite3_bind_int64(q, 2, SWEEP_MAX);
	(void)sqlite3_bind_int64(q, 3, s->self);
	while ((step = sqlite3_step(q)) == SQLITE_ROW && seen < SWEEP_MAX) {
		(void)snprintf(w->last, sizeof(w->last), "%s", (const char *)sqlite3_column_text(q, 0));
		seen++;
		if (is_loading(s, sqlite3_column_int64(q, 1)))
			continue;
		(void)snprintf(w->names[w->n], sizeof(w->names[w->n]), "%s", w->last);
		w->list[w->n] = w->names[w->n];
		w->n++;
	}
	return step == SQLITE_DONE || step == SQLITE_ROW ? seen == SWEEP_MAX : cuv_store_failed_at(db, err);
}

int cuv_sessions_sweep(struct cuv_sessions *s, struct cuv_error *err)
{
	_cleanup_free_ struct sweep *w = calloc(1, sizeof(*w));
	int more = 1, r = w ? 0 : cuv_budget_exhausted(err, "request");

	for (int i = 0; r == 0 && more && i < SWEEPS_MAX; i++) {
		more = list_some(s, cuv_store_take_reader(s->store), w, err);
		cuv_store_give_reader(s->store);
		r = CUV_MIN(more, 0);
		if (r == 0)
			r = s->files->remove(s->files, w->list, w->n, err);
		if (r == 0 && w->n > 0)
			r = change_all(s, "DELETE FROM session_loose WHERE name = ?1", w->list, w->n, err);
	}
	return r;
}

/* --- all of it --- */

int cuv_sessions_new(struct cuv_store *store, struct cuv_files *files, struct cuv_sessions **ret, struct cuv_error *err)
{
	struct cuv_sessions *s = calloc(1, sizeof(*s));
	struct cuv_error why;
	uint64_t self;

	if (!s)
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "no memory for sessions");
	randombytes_buf(&self, sizeof(self));
	/* Neither 0 nor 1, which stands for somebody who had no number of his own. */
	*s = (struct cuv_sessions){.store = store, .files = files, .self = (int64_t)(self >> 2) + 2};
	pthread_mutex_init(&s->lock, NULL);
	/* On a full disk too: whatever is done with sessions later tries it again. */
	if (cuv_sessions_sweep(s, &why) < 0)
		cuv_log(CUV_LOG_WARNING, "sessions-unswept", CUV_S("error", why.message));
	*ret = s;
	return 0;
}

void cuv_sessions_free(struct cuv_sessions **s)
{
	if (*s)
		pthread_mutex_destroy(&(*s)->lock);
	free(*s);
	*s = NULL;
}
