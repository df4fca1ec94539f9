/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/book.h"

#include "lib/base/log.h"
#include "nixenv/storepath.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define BOOK "nix/var/nix/db/db.sqlite"
#define BUSY_MS 200

static void close_book(sqlite3 **db)
{
	(void)sqlite3_close(*db);
}

static void finalize(sqlite3_stmt **s)
{
	(void)sqlite3_finalize(*s);
}
#define _cleanup_stmt_ _cleanup_(finalize)

static int failed(sqlite3 *db)
{
	cuv_log(CUV_LOG_WARNING, "book-unreadable", CUV_S("error", db ? sqlite3_errmsg(db) : "out of memory"));
	return -EIO;
}

static const char *text_of(sqlite3_stmt *s, int column)
{
	const char *text = (const char *)sqlite3_column_text(s, column);

	return text ? text : "";
}

static int name_of(const char *path, char ret[CUV_STORE_NAME_SIZE])
{
	static const char prefix[] = CUV_STORE_DIR "/";

	if (strncmp(path, prefix, strlen(prefix)) != 0 || !cuv_store_name_valid(path + strlen(prefix)))
		return -EBADMSG;
	(void)snprintf(ret, CUV_STORE_NAME_SIZE, "%s", path + strlen(prefix));
	return 0;
}

/* The row of the path; its id in *ret_id. */
static int read_path(sqlite3 *db, const char *hash_part, struct cuv_narinfo *n, int64_t *ret_id)
{
	_cleanup_stmt_ sqlite3_stmt *s = NULL;
	char from[CUV_STORE_NAME_SIZE], to[CUV_STORE_NAME_SIZE];
	int64_t bytes;
	int r;

	(void)snprintf(from, sizeof(from), CUV_STORE_DIR "/%s-", hash_part);
	(void)snprintf(to, sizeof(to), CUV_STORE_DIR "/%s.", hash_part); /* '.' comes after '-' */
	if (sqlite3_prepare_v2(db,
			       "SELECT id, path, hash, narSize, deriver, ca FROM ValidPaths WHERE path >= ?1 AND path "
			       "< ?2 LIMIT 1",
			       -1, &s, NULL) != SQLITE_OK ||
	    sqlite3_bind_text(s, 1, from, -1, SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_bind_text(s, 2, to, -1, SQLITE_STATIC) != SQLITE_OK)
		return failed(db);
	r = sqlite3_step(s);
	if (r == SQLITE_DONE)
		return 1;
	if (r != SQLITE_ROW)
		return failed(db);
	*ret_id = sqlite3_column_int64(s, 0);
	bytes = sqlite3_column_int64(s, 3);
	if (name_of(text_of(s, 1), n->store_name) < 0 || cuv_nar_hash_parse(text_of(s, 2), &n->nar_hash) < 0 ||
	    bytes <= 0)
		return -EBADMSG;
	n->nar_bytes = (uint64_t)bytes;
	if (name_of(text_of(s, 4), n->deriver) < 0)
		n->deriver[0] = '\0';
	if (strlen(text_of(s, 5)) >= sizeof(n->ca))
		return -EBADMSG;
	(void)snprintf(n->ca, sizeof(n->ca), "%s", text_of(s, 5));
	return 0;
}

static int read_refs(sqlite3 *db, int64_t id, struct cuv_narinfo *n)
{
	_cleanup_stmt_ sqlite3_stmt *s = NULL;
	int r;

	if (sqlite3_prepare_v2(db, "SELECT path FROM Refs JOIN ValidPaths ON reference = id WHERE referrer = ?1", -1,
			       &s, NULL) != SQLITE_OK ||
	    sqlite3_bind_int64(s, 1, id) != SQLITE_OK)
		return failed(db);
	while ((r = sqlite3_step(s)) == SQLITE_ROW) {
		char name[CUV_STORE_NAME_SIZE];

		r = n->refs.n < CUV_NARINFO_REFS_MAX ? name_of(text_of(s, 0), name) : -EBADMSG;
		r = r ? r : cuv_strv_add(&n->refs, name);
		if (r < 0)
			return r;
	}
	cuv_narinfo_sort_refs(n);
	return r == SQLITE_DONE ? 0 : failed(db);
}

static int open_book(const struct cuv_builder *b, sqlite3 **ret)
{
	char path[PATH_MAX];

	cuv_path_join(b->state.nix, BOOK, path);
	if (sqlite3_open_v2(path, ret, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
	    sqlite3_busy_timeout(*ret, BUSY_MS) != SQLITE_OK)
		return failed(*ret);
	return 0;
}

int cuv_book_bytes(const struct cuv_builder *b, const struct cuv_strv *names, uint64_t *ret)
{
	_cleanup_(close_book) sqlite3 *db = NULL;
	_cleanup_stmt_ sqlite3_stmt *s = NULL;
	uint64_t sum = 0;

	if (open_book(b, &db) < 0)
		return -EIO;
	if (sqlite3_prepare_v2(db, "SELECT narSize FROM ValidPaths WHERE path = ?1", -1, &s, NULL) != SQLITE_OK)
		return failed(db);
	for (size_t i = 0; i < names->n; i++) {
		char path[sizeof(CUV_STORE_DIR) + CUV_STORE_NAME_SIZE];
		int r;

		(void)snprintf(path, sizeof(path), CUV_STORE_DIR "/%s", names->items[i]);
		if (sqlite3_bind_text(s, 1, path, -1, SQLITE_STATIC) != SQLITE_OK)
			return failed(db);
		r = sqlite3_step(s);
		if (r != SQLITE_ROW)
			return r == SQLITE_DONE ? -ENOENT : failed(db);
		sum += (uint64_t)sqlite3_column_int64(s, 0);
		(void)sqlite3_reset(s);
	}
	*ret = sum;
	return 0;
}

int cuv_book_find(const struct cuv_builder *b, const char *hash_part, struct cuv_narinfo *ret)
{
	_cleanup_narinfo_ struct cuv_narinfo n = CUV_NARINFO_INIT;
	_cleanup_(close_book) sqlite3 *db = NULL;
	int64_t id = 0;
	int r = open_book(b, &db);

	r = r ? r : read_path(db, hash_part, &n, &id);
	r = r ? r : read_refs(db, id, &n);
	if (r == 0) {
		*ret = n;
		n = CUV_NARINFO_INIT;
	}
	return r;
}
