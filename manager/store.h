/* SPDX-License-Identifier: MIT */
/*
 * What the service must not forget: an SQLite file in a folder of the manager's
 * own (STATE/manager/service.db). One connection that writes and one that only reads, opened before the
 * manager gives up its files; write-ahead log, so that `cuvette key` can write beside a service
 * that runs, and who reads does not wait for who writes. All functions of those who keep something here (keys.h) may be
 * called from any thread; one at a time has a connection.
 */
#ifndef CUV_STORE_H
#define CUV_STORE_H

#include "lib/base/error.h"

struct cuv_store;
struct sqlite3;
struct sqlite3_stmt;

/* Opens or makes the file in the folder, as whoever we are now, and brings it to
 * this version's form. After it nothing of it opens a file. 0, or negative with err
 * set (UNAVAILABLE, NO_SPACE). */
int cuv_store_open(const char *folder, struct cuv_store **ret, struct cuv_error *err);
void cuv_store_close(struct cuv_store **s);
#define _cleanup_store_ _cleanup_(cuv_store_close)

/* --- for those who keep something in it --- */

/* The connection, until it is given back. */
struct sqlite3 *cuv_store_take(struct cuv_store *s);
/* The same, but NULL when somebody has it just now. */
struct sqlite3 *cuv_store_try(struct cuv_store *s);
void cuv_store_give(struct cuv_store *s);
/* The one that only reads, what is committed by then: for those who would wait for a large change
 * of others, and are short themselves. Whoever has one connection does not take the other. */
struct sqlite3 *cuv_store_take_reader(struct cuv_store *s);
void cuv_store_give_reader(struct cuv_store *s);
/* Has another process written since the last time this was asked? Also true the
 * first time; what we write ourselves does not count. The connection must have been
 * taken. */
bool cuv_store_has_changed(struct cuv_store *s);
/* What the connection says has failed: negative, with err set. */
int cuv_store_failed(struct cuv_store *s, struct cuv_error *err);
int cuv_store_failed_at(struct sqlite3 *db, struct cuv_error *err);
/* Ends a statement; safe for NULL. */
void cuv_store_finish(struct sqlite3_stmt **s);
#define _cleanup_stmt_ _cleanup_(cuv_store_finish)

#endif
