/* SPDX-License-Identifier: MIT */
#include "manager/holdings.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "manager/keys.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* Out of memory is told, not died of. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define NOTES_MAX 4096

struct note_name {
	char owner[CUV_KEY_ID_SIZE];
	char digest[CUV_ENV_DIGEST_SIZE];
};

/* One that is in the store, and what is to be added to it. */
struct cuv_holding_note {
	UT_hash_handle hh;
	struct note_name name;
	uint64_t hits;
	int64_t used_s; /* 0: there is nothing to write */
};

static void drop_notes(struct cuv_holdings *h)
{
	struct cuv_holding_note *n, *next;

	HASH_ITER(hh, h->notes, n, next)
	{
		HASH_DEL(h->notes, n);
		free(n);
	}
}

void cuv_holdings_init(struct cuv_holdings *h, struct cuv_store *store)
{
	*h = (struct cuv_holdings){.store = store, .flushed_ns = cuv_now_ns()};
	pthread_mutex_init(&h->lock, NULL);
}

void cuv_holdings_done(struct cuv_holdings *h)
{
	cuv_holdings_flush(h);
	drop_notes(h);
	pthread_mutex_destroy(&h->lock);
}

/* --- writing; our lock is held --- */

static struct note_name name_of(const char *owner, const char *digest)
{
	struct note_name n = {0};

	(void)snprintf(n.owner, sizeof(n.owner), "%s", owner);
	(void)snprintf(n.digest, sizeof(n.digest), "%s", digest);
	return n;
}

static void bind_text(sqlite3_stmt *q, int i, const char *text)
{
	(void)sqlite3_bind_text(q, i, text, -1, SQLITE_STATIC);
}

static int write_notes(struct cuv_holdings *h, sqlite3 *db)
{
	static const char sql[] = "UPDATE environment SET hits = hits + ?3, used_s = max(used_s, ?4) WHERE owner = ?1 "
				  "AND digest = ?2";
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	struct cuv_holding_note *n;
	int step = SQLITE_DONE;

	if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
		return -EIO;
	for (n = h->notes; n && step == SQLITE_DONE; n = n->hh.next) {
		if (!n->used_s)
			continue;
		bind_text(q, 1, n->name.owner);
		bind_text(q, 2, n->name.digest);
		(void)sqlite3_bind_int64(q, 3, (sqlite3_int64)n->hits);
		(void)sqlite3_bind_int64(q, 4, n->used_s);
		step = sqlite3_step(q);
		(void)sqlite3_reset(q);
	}
	return step == SQLITE_DONE && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK ? 0 : -EIO;
}

static void log_failed(struct cuv_holdings *h)
{
	struct cuv_error err = CUV_ERROR_INIT;

	(void)cuv_store_failed(h->store, &err);
	cuv_log(CUV_LOG_WARNING, "holdings-unwritten", CUV_S("error", err.message));
}

/* What can't be written is still noted for the next time. */
static void flush(struct cuv_holdings *h)
{
	struct cuv_holding_note *n;
	sqlite3 *db;
	int r;

	if (!h->store || !h->dirty)
		return;
	h->flushed_ns = cuv_now_ns();
	db = cuv_store_take(h->store);
	r = write_notes(h, db);
	if (r < 0)
		log_failed(h);
	if (!sqlite3_get_autocommit(db))
		(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	cuv_store_give(h->store);
	if (r < 0)
		return;
	h->dirty = false;
	for (n = h->notes; n; n = n->hh.next) {
		n->hits = 0;
		n->used_s = 0;
	}
}

void cuv_holdings_flush(struct cuv_holdings *h)
{
	pthread_mutex_lock(&h->lock);
	flush(h);
	pthread_mutex_unlock(&h->lock);
}

static bool run_one(sqlite3 *db, const char *sql, const char *owner, sqlite3_int64 number, int *ret_changes)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
		return false;
	bind_text(q, 1, owner);
	(void)sqlite3_bind_int64(q, 2, number);
	if (sqlite3_step(q) != SQLITE_DONE)
		return false;
	*ret_changes += sqlite3_changes(db);
	return true;
}

static bool insert(sqlite3 *db, const struct note_name *name, const struct cuv_environment *e, int64_t now_s)
{
	static const char sql[] =
		"INSERT INTO environment (owner, digest, lock, python, packages, first_s, used_s, hits) VALUES (?1, "
		"?2, ?3, ?4, ?5, ?6, ?6, ?7) ON CONFLICT (owner, digest) DO UPDATE SET hits = hits + excluded.hits, "
		"used_s = max(used_s, excluded.used_s)";
	_cleanup_stmt_ sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
		return false;
	bind_text(q, 1, name->owner);
	bind_text(q, 2, name->digest);
	bind_text(q, 3, e->lock_digest);
	bind_text(q, 4, e->python);
	(void)sqlite3_bind_int64(q, 5, (sqlite3_int64)e->packages.n);
	(void)sqlite3_bind_int64(q, 6, now_s);
	(void)sqlite3_bind_int64(q, 7, e->cached);
	return sqlite3_step(q) == SQLITE_DONE;
}

/* Puts one in, and takes the longest unused ones out where there are too many. Those may
 * be noted, so that all notes go then. */
static int put_in(struct cuv_holdings *h, const struct note_name *name, const struct cuv_environment *e, int64_t now_s)
{
	static const char own[] =
		"DELETE FROM environment WHERE owner = ?1 AND digest IN (SELECT digest FROM environment WHERE owner = "
		"?1 ORDER BY used_s DESC LIMIT -1 OFFSET ?2)";
	static const char all[] =
		"DELETE FROM environment WHERE (SELECT count(*) FROM environment) > ?2 AND ?1 <> '' AND (owner, "
		"digest) IN (SELECT owner, digest FROM environment ORDER BY used_s DESC LIMIT -1 OFFSET ?2)";
	sqlite3 *db = cuv_store_take(h->store);
	int gone = 0;
	bool ok = insert(db, name, e, now_s) && run_one(db, own, name->owner, CUV_HOLDINGS_OWNED_MAX, &gone) &&
		  run_one(db, all, name->owner, CUV_HOLDINGS_ALL_MAX, &gone);

	if (!ok)
		log_failed(h);
	cuv_store_give(h->store);
	if (gone > 0)
		drop_notes(h);
	return ok ? 0 : -EIO;
}

static void remember(struct cuv_holdings *h, const struct note_name *name)
{
	struct cuv_holding_note *n;

	if (HASH_COUNT(h->notes) >= NOTES_MAX)
		drop_notes(h);
	n = calloc(1, sizeof(*n));
	if (!n)
		return;
	n->name = *name;
	HASH_ADD(hh, h->notes, name, sizeof(n->name), n);
	if (!n->hh.tbl)
		free(n);
}

void cuv_holdings_note(struct cuv_holdings *h, const char *owner, const struct cuv_environment *e, int64_t now_s)
{
	const struct note_name name = name_of(owner, e->digest);
	struct cuv_holding_note *n;

	if (!h->store)
		return;
	pthread_mutex_lock(&h->lock);
	HASH_FIND(hh, h->notes, &name, sizeof(name), n);
	if (n) {
		n->hits += e->cached;
		n->used_s = now_s;
		h->dirty = true;
	}
	/* Before room is made: what is noted says which are unused. */
	if (!n || cuv_now_ns() > h->flushed_ns + CUV_HOLDINGS_FLUSH_MS * CUV_NS_PER_MS)
		flush(h);
	if (!n && put_in(h, &name, e, now_s) == 0)
		remember(h, &name);
	pthread_mutex_unlock(&h->lock);
}

/* --- reading --- */

#define COLUMNS "digest, max(lock), max(python), max(packages), min(first_s), max(used_s), sum(hits), count(*)"

static void text_to(char *ret, size_t size, sqlite3_stmt *q, int column)
{
	const char *text = (const char *)sqlite3_column_text(q, column);

	(void)snprintf(ret, size, "%s", text ? text : "");
}

static void read_row(sqlite3_stmt *q, struct cuv_holding *ret)
{
	*ret = (struct cuv_holding){.packages = (uint32_t)sqlite3_column_int64(q, 3),
				    .first_s = sqlite3_column_int64(q, 4),
				    .used_s = sqlite3_column_int64(q, 5),
				    .hits = (uint64_t)sqlite3_column_int64(q, 6),
				    .owners = (uint32_t)sqlite3_column_int64(q, 7)};
	text_to(ret->digest, sizeof(ret->digest), q, 0);
	text_to(ret->lock_digest, sizeof(ret->lock_digest), q, 1);
	text_to(ret->python, sizeof(ret->python), q, 2);
}

static int no_store(struct cuv_error *err)
{
	(void)cuv_error_set(err, CUV_E_UNAVAILABLE, "this service keeps no database, and so no list of environments");
	return -ENOTSUP;
}

static int each_row(struct cuv_store *s, sqlite3 *db, const char *owner,
		    int (*each)(void *arg, const struct cuv_holding *found), void *arg, struct cuv_error *err)
{
	static const char of_one[] = "SELECT " COLUMNS " FROM environment WHERE owner = ?1 GROUP BY digest ORDER BY "
				     "max(used_s) DESC, digest LIMIT ?2";
	static const char of_all[] =
		"SELECT " COLUMNS " FROM environment GROUP BY digest ORDER BY max(used_s) DESC, digest LIMIT ?2";
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int step = SQLITE_DONE, r = 0;

	if (sqlite3_prepare_v2(db, owner ? of_one : of_all, -1, &q, NULL) != SQLITE_OK)
		return cuv_store_failed(s, err);
	if (owner)
		bind_text(q, 1, owner);
	(void)sqlite3_bind_int64(q, 2, CUV_HOLDINGS_LISTED_MAX);
	while (r == 0 && (step = sqlite3_step(q)) == SQLITE_ROW) {
		struct cuv_holding found;

		read_row(q, &found);
		r = each(arg, &found);
	}
	return r == 0 && step != SQLITE_DONE ? cuv_store_failed(s, err) : r;
}

int cuv_holdings_each(struct cuv_holdings *h, const char *owner,
		      int (*each)(void *arg, const struct cuv_holding *found), void *arg, struct cuv_error *err)
{
	int r;

	if (!h->store)
		return no_store(err);
	cuv_holdings_flush(h);
	r = each_row(h->store, cuv_store_take(h->store), owner, each, arg, err);
	cuv_store_give(h->store);
	return r;
}

/* The same whether others have it or nobody. */
static int unknown(struct cuv_error *err)
{
	(void)cuv_error_set(err, CUV_E_ENVIRONMENT_UNKNOWN,
			    "this client has asked for no environment of this digest; send its lock or its "
			    "requirements");
	return -ENOENT;
}

static int find_row(struct cuv_store *s, sqlite3 *db, const char *owner, const char *digest, struct cuv_holding *ret,
		    struct cuv_error *err)
{
	static const char of_one[] =
		"SELECT " COLUMNS " FROM environment WHERE digest = ?1 AND owner = ?2 GROUP BY digest";
	static const char of_all[] = "SELECT " COLUMNS " FROM environment WHERE digest = ?1 GROUP BY digest";
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int step;

	if (sqlite3_prepare_v2(db, owner ? of_one : of_all, -1, &q, NULL) != SQLITE_OK)
		return cuv_store_failed(s, err);
	bind_text(q, 1, digest);
	if (owner)
		bind_text(q, 2, owner);
	step = sqlite3_step(q);
	if (step == SQLITE_DONE)
		return unknown(err);
	if (step != SQLITE_ROW)
		return cuv_store_failed(s, err);
	read_row(q, ret);
	return 0;
}

int cuv_holdings_find(struct cuv_holdings *h, const char *owner, const char *digest, struct cuv_holding *ret,
		      struct cuv_error *err)
{
	int r;

	if (!h->store)
		return no_store(err);
	if (!cuv_env_digest_valid(digest))
		return unknown(err);
	cuv_holdings_flush(h);
	r = find_row(h->store, cuv_store_take(h->store), owner, digest, ret, err);
	cuv_store_give(h->store);
	return r;
}

static int forget_row(struct cuv_store *s, sqlite3 *db, const char *owner, const char *digest, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(db, "DELETE FROM environment WHERE owner = ?1 AND digest = ?2", -1, &q, NULL) !=
	    SQLITE_OK)
		return cuv_store_failed(s, err);
	bind_text(q, 1, owner);
	bind_text(q, 2, digest);
	if (sqlite3_step(q) != SQLITE_DONE)
		return cuv_store_failed(s, err);
	return sqlite3_changes(db) > 0 ? 0 : unknown(err);
}

int cuv_holdings_forget(struct cuv_holdings *h, const char *owner, const char *digest, struct cuv_error *err)
{
	const struct note_name name = name_of(owner, digest);
	struct cuv_holding_note *n;
	int r;

	if (!h->store)
		return no_store(err);
	if (!cuv_env_digest_valid(digest))
		return unknown(err);
	pthread_mutex_lock(&h->lock);
	HASH_FIND(hh, h->notes, &name, sizeof(name), n);
	if (n) {
		HASH_DEL(h->notes, n);
		free(n);
	}
	r = forget_row(h->store, cuv_store_take(h->store), owner, digest, err);
	cuv_store_give(h->store);
	pthread_mutex_unlock(&h->lock);
	return r;
}
