/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/ledger.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "nixenv/storepath.h"

#include <dirent.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEDGER_BUSY_MS 2000
#define FILE_NAME "cuvette.db"

/* Sizes come from Nix's own book, read only; without it they stay unknown (0). */
#define NIX_BOOK "nix/var/nix/db/db.sqlite"
#define TO_PATH "'" CUV_STORE_DIR "/' || "

struct cuv_ledger {
	const struct cuv_builder *b;
	sqlite3 *db;
	bool nix; /* Nix's book is attached */
};

/* Each makes a file of the version before it into one of its own. */
static const char *const migrations[] = {
	"CREATE TABLE env (name TEXT PRIMARY KEY, lock TEXT NOT NULL DEFAULT '', packages INTEGER NOT NULL DEFAULT 0,"
	" made_s INTEGER NOT NULL DEFAULT 0, used_s INTEGER NOT NULL DEFAULT 0, uses INTEGER NOT NULL DEFAULT 0,"
	" whole INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
	"CREATE INDEX env_used ON env (used_s);"
	"CREATE INDEX env_lock ON env (lock);"
	"CREATE TABLE part (env TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (env, name)) WITHOUT ROWID;"
	"CREATE INDEX part_name ON part (name, env);"
	"CREATE TABLE path (name TEXT PRIMARY KEY, bytes INTEGER NOT NULL, refs INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE req (key TEXT PRIMARY KEY, env TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX req_env ON req (env);",
};

static int failed(const struct cuv_ledger *l, const char *what)
{
	int code = l->db ? sqlite3_errcode(l->db) : SQLITE_NOMEM;

	cuv_log(CUV_LOG_WARNING, "ledger", CUV_S("what", what),
		CUV_S("error", l->db ? sqlite3_errmsg(l->db) : "no memory"));
	switch (code) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
		return -EBUSY;
	default:
		return -EIO;
	}
}

static int run_sql(struct cuv_ledger *l, const char *sql)
{
	return sqlite3_exec(l->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(l, sql);
}

/* --- statements --- */

static void finalize(sqlite3_stmt **s)
{
	(void)sqlite3_finalize(*s);
}
#define _cleanup_stmt_ _cleanup_(finalize)

/* Texts are bound by their place; NULL ends them. */
static sqlite3_stmt *prepare(struct cuv_ledger *l, const char *sql, const char *a, const char *b)
{
	sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v2(l->db, sql, -1, &s, NULL) != SQLITE_OK ||
	    (a && sqlite3_bind_text(s, 1, a, -1, SQLITE_TRANSIENT) != SQLITE_OK) ||
	    (b && sqlite3_bind_text(s, 2, b, -1, SQLITE_TRANSIENT) != SQLITE_OK)) {
		(void)sqlite3_finalize(s);
		return NULL;
	}
	return s;
}

static int run_with(struct cuv_ledger *l, const char *sql, const char *a, const char *b)
{
	_cleanup_stmt_ sqlite3_stmt *s = prepare(l, sql, a, b);

	return s && sqlite3_step(s) == SQLITE_DONE ? 0 : failed(l, sql);
}

/* The first column of the first row. */
static int ask_number(struct cuv_ledger *l, const char *sql, const char *a, uint64_t *ret)
{
	_cleanup_stmt_ sqlite3_stmt *s = prepare(l, sql, a, NULL);

	if (!s || sqlite3_step(s) != SQLITE_ROW)
		return failed(l, sql);
	*ret = (uint64_t)sqlite3_column_int64(s, 0);
	return 0;
}

static int ask_list(struct cuv_ledger *l, const char *sql, const char *a, struct cuv_strv *ret)
{
	_cleanup_stmt_ sqlite3_stmt *s = prepare(l, sql, a, NULL);
	int step;

	if (!s)
		return failed(l, sql);
	while ((step = sqlite3_step(s)) == SQLITE_ROW)
		if (cuv_strv_add(ret, (const char *)sqlite3_column_text(s, 0)) < 0)
			return -ENOMEM;
	return step == SQLITE_DONE ? 0 : failed(l, sql);
}

/* --- opening --- */

static int migrate(struct cuv_ledger *l)
{
	uint64_t version;
	int r = run_sql(l, "BEGIN IMMEDIATE");

	if (r < 0)
		return r;
	r = ask_number(l, "PRAGMA user_version", NULL, &version);
	/* One of a later version of Cuvette is as good as lost. */
	if (r == 0 && version > ARRAY_SIZE(migrations))
		r = -EUCLEAN;
	for (uint64_t i = version; r == 0 && i < ARRAY_SIZE(migrations); i++) {
		char set[48];

		(void)snprintf(set, sizeof(set), "PRAGMA user_version = %d", (int)i + 1);
		r = run_sql(l, migrations[i]);
		if (r == 0)
			r = run_sql(l, set);
	}
	if (r == 0)
		return run_sql(l, "COMMIT");
	(void)run_sql(l, "ROLLBACK");
	return r;
}

static void attach_nix(struct cuv_ledger *l)
{
	_cleanup_stmt_ sqlite3_stmt *s = NULL;
	char path[PATH_MAX], uri[PATH_MAX + 16];

	cuv_path_join(l->b->state.nix, NIX_BOOK, path);
	(void)snprintf(uri, sizeof(uri), "file:%s?mode=ro", path); /* the path is plain: state.c */
	s = prepare(l, "ATTACH ?1 AS nix", uri, NULL);
	l->nix = s && sqlite3_step(s) == SQLITE_DONE;
	if (!l->nix)
		(void)failed(l, "Nix's own database can't be read");
}

static int open_file(struct cuv_ledger *l, int busy_ms)
{
	char path[PATH_MAX];
	int r;

	cuv_path_join(l->b->state.nix, FILE_NAME, path);
	if (sqlite3_open_v2(path, &l->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		return failed(l, "open");
	(void)sqlite3_busy_timeout(l->db, busy_ms);
	/* It can be made again, so nobody waits for the disk. */
	r = run_sql(l, "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
	return r < 0 ? r : migrate(l);
}

static void close_file(struct cuv_ledger *l)
{
	(void)sqlite3_close(l->db);
	l->db = NULL;
	l->nix = false;
}

static void remove_file(const struct cuv_builder *b)
{
	static const char *const names[] = {FILE_NAME, FILE_NAME "-wal", FILE_NAME "-shm"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[PATH_MAX];

		cuv_path_join(b->state.nix, names[i], path);
		(void)unlink(path);
	}
}

struct cuv_ledger *cuv_ledger_open(const struct cuv_builder *b, int *ret_error)
{
	struct cuv_ledger *l = calloc(1, sizeof(*l));
	int r = l ? 0 : -ENOMEM;

	if (r == 0) {
		l->b = b;
		r = open_file(l, LEDGER_BUSY_MS);
	}
	if (r == -EUCLEAN) {
		cuv_log(CUV_LOG_WARNING, "ledger-made-again");
		close_file(l);
		remove_file(b);
		r = open_file(l, LEDGER_BUSY_MS);
		if (r == 0)
			r = cuv_ledger_reconcile(l);
	}
	if (r < 0) {
		cuv_ledger_close(&l);
		*ret_error = r;
		return NULL;
	}
	return l;
}

struct cuv_ledger *cuv_ledger_open_at_once(const struct cuv_builder *b, int *ret_error)
{
	struct cuv_ledger *l = calloc(1, sizeof(*l));
	int r = l ? 0 : -ENOMEM;

	if (r == 0) {
		l->b = b;
		r = open_file(l, 0);
	}
	if (r < 0) {
		cuv_ledger_close(&l);
		*ret_error = r;
	}
	return l;
}

void cuv_ledger_close(struct cuv_ledger **l)
{
	if (*l)
		close_file(*l);
	free(*l);
	*l = NULL;
}

int cuv_ledger_begin(struct cuv_ledger *l)
{
	return run_sql(l, "BEGIN IMMEDIATE");
}

int cuv_ledger_commit(struct cuv_ledger *l)
{
	return run_sql(l, "COMMIT");
}

/* --- notes --- */

int cuv_ledger_used(struct cuv_ledger *l, const char *env, int64_t when_s, uint64_t uses)
{
	static const char sql[] = "INSERT INTO env (name, used_s, uses) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO "
				  "UPDATE SET used_s = max(used_s, ?2), uses = uses + ?3";
	_cleanup_stmt_ sqlite3_stmt *s = prepare(l, sql, env, NULL);

	if (!s || sqlite3_bind_int64(s, 2, when_s) != SQLITE_OK ||
	    sqlite3_bind_int64(s, 3, (int64_t)uses) != SQLITE_OK || sqlite3_step(s) != SQLITE_DONE)
		return failed(l, sql);
	return 0;
}

int cuv_ledger_key(struct cuv_ledger *l, const struct cuv_key *key, const char *env)
{
	return run_with(l, "INSERT OR REPLACE INTO req (key, env) VALUES (?1, ?2)", key->hex, env);
}

static int add_part(struct cuv_ledger *l, const char *env, const char *name)
{
	const char *size = l->nix ? "INSERT INTO path (name, bytes, refs) VALUES (?1, coalesce((SELECT narSize FROM "
				    "nix.ValidPaths WHERE path = " TO_PATH "?1), 0), 1) ON CONFLICT (name) DO UPDATE "
				    "SET refs = refs + 1, bytes = max(bytes, excluded.bytes)"
				  : "INSERT INTO path (name, bytes, refs) VALUES (?1, 0, 1) ON CONFLICT (name) DO "
				    "UPDATE SET refs = refs + 1";
	int r = run_with(l, "INSERT OR IGNORE INTO part (env, name) VALUES (?1, ?2)", env, name);

	if (r < 0 || sqlite3_changes(l->db) == 0)
		return r;
	return run_with(l, size, name, NULL);
}

static int drop_parts(struct cuv_ledger *l, const char *env)
{
	int r = run_with(l, "UPDATE path SET refs = refs - 1 WHERE name IN (SELECT name FROM part WHERE env = ?1)", env,
			 NULL);

	if (r == 0)
		r = run_with(l, "DELETE FROM path WHERE refs <= 0 AND name IN (SELECT name FROM part WHERE env = ?1)",
			     env, NULL);
	return r < 0 ? r : run_with(l, "DELETE FROM part WHERE env = ?1", env, NULL);
}

int cuv_ledger_forget(struct cuv_ledger *l, const char *env)
{
	int r = drop_parts(l, env);

	if (r == 0)
		r = run_with(l, "DELETE FROM req WHERE env = ?1", env, NULL);
	return r < 0 ? r : run_with(l, "DELETE FROM env WHERE name = ?1", env, NULL);
}

/* When the link was made is when the environment was. */
static int64_t made_when(const struct cuv_builder *b, const char *env)
{
	char link[PATH_MAX];
	struct stat st;

	cuv_index_env_link(b, env, link);
	return lstat(link, &st) == 0 ? (int64_t)st.st_mtime : cuv_wall_s();
}

static int write_env(struct cuv_ledger *l, const char *env, const struct cuv_environment *e)
{
	static const char sql[] =
		"INSERT INTO env (name, lock, packages, made_s, used_s, whole) VALUES (?1, ?2, ?3, ?4, ?4, 1) ON "
		"CONFLICT (name) DO UPDATE SET lock = ?2, packages = ?3, made_s = ?4, used_s = max(used_s, ?4), "
		"whole = 1";
	const char *lock = strchr(e->lock_digest, ':');
	_cleanup_stmt_ sqlite3_stmt *s = prepare(l, sql, env, lock ? lock + 1 : "");

	if (!s || sqlite3_bind_int64(s, 3, (int64_t)e->packages.n) != SQLITE_OK ||
	    sqlite3_bind_int64(s, 4, made_when(l->b, env)) != SQLITE_OK || sqlite3_step(s) != SQLITE_DONE)
		return failed(l, sql);
	return 0;
}

int cuv_ledger_learn(struct cuv_ledger *l, const char *env)
{
	_cleanup_environment_ struct cuv_environment e = CUV_ENVIRONMENT_INIT;
	int r = cuv_index_load(l->b, env, &e);

	if (r != 0)
		return r;
	if (!l->nix)
		attach_nix(l);
	r = drop_parts(l, env);
	for (size_t i = 0; r == 0 && i < e.closure.n; i++)
		r = add_part(l, env, e.closure.items[i]);
	return r < 0 ? r : write_env(l, env, &e);
}

/* --- reconciling --- */

/* The names in an index folder, into a table of the connection's own. */
static int list_folder(struct cuv_ledger *l, const char *kind, const char *sql)
{
	_cleanup_stmt_ sqlite3_stmt *s = prepare(l, sql, NULL, NULL);
	char folder[PATH_MAX];
	struct dirent *e;
	int r = s ? 0 : failed(l, sql);
	DIR *d;

	cuv_path_join(l->b->state.roots, kind, folder);
	d = opendir(folder);
	while (r == 0 && d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		if (sqlite3_bind_text(s, 1, e->d_name, -1, SQLITE_TRANSIENT) != SQLITE_OK ||
		    sqlite3_step(s) != SQLITE_DONE || sqlite3_reset(s) != SQLITE_OK)
			r = failed(l, sql);
	}
	if (d)
		(void)closedir(d);
	return r;
}

static int reconcile_environments(struct cuv_ledger *l)
{
	_cleanup_strv_ struct cuv_strv gone = CUV_STRV_INIT, fresh = CUV_STRV_INIT;
	int r = run_sql(l,
			"CREATE TEMP TABLE IF NOT EXISTS seen (name TEXT PRIMARY KEY) WITHOUT ROWID; DELETE FROM seen");

	if (r == 0)
		r = list_folder(l, "env", "INSERT OR IGNORE INTO seen (name) VALUES (?1)");
	if (r == 0)
		r = ask_list(l, "SELECT name FROM env WHERE name NOT IN (SELECT name FROM seen)", NULL, &gone);
	for (size_t i = 0; r == 0 && i < gone.n; i++)
		r = cuv_ledger_forget(l, gone.items[i]);
	if (r == 0)
		r = ask_list(l, "SELECT name FROM seen WHERE name NOT IN (SELECT name FROM env WHERE whole)", NULL,
			     &fresh);
	for (size_t i = 0; r >= 0 && i < fresh.n; i++)
		/* A link whose environment can't be read says nothing. */
		if (cuv_store_name_valid(fresh.items[i]) && (r = cuv_ledger_learn(l, fresh.items[i])) == -EBADMSG)
			r = 0;
	return r < 0 ? r : 0;
}

static int reconcile_requests(struct cuv_ledger *l)
{
	_cleanup_strv_ struct cuv_strv fresh = CUV_STRV_INIT;
	int r = run_sql(l, "DELETE FROM seen");

	if (r == 0)
		r = list_folder(l, "req", "INSERT OR IGNORE INTO seen (name) VALUES (?1)");
	if (r == 0)
		r = run_sql(l, "DELETE FROM req WHERE key NOT IN (SELECT name FROM seen)");
	if (r == 0)
		r = ask_list(l, "SELECT name FROM seen WHERE name NOT IN (SELECT key FROM req)", NULL, &fresh);
	for (size_t i = 0; r >= 0 && i < fresh.n; i++) {
		char env[CUV_STORE_NAME_SIZE];
		struct cuv_key key;

		if (strlen(fresh.items[i]) != sizeof(key.hex) - 1)
			continue;
		memcpy(key.hex, fresh.items[i], sizeof(key.hex));
		if (cuv_index_target(l->b, &key, env) == 0)
			r = cuv_ledger_key(l, &key, env);
	}
	return r < 0 ? r : 0;
}

int cuv_ledger_reconcile(struct cuv_ledger *l)
{
	int r;

	if (!l->nix)
		attach_nix(l);
	r = cuv_ledger_begin(l);
	if (r < 0)
		return r;
	r = reconcile_environments(l);
	if (r == 0)
		r = reconcile_requests(l);
	if (r == 0)
		return cuv_ledger_commit(l);
	(void)run_sql(l, "ROLLBACK");
	return r;
}

/* --- questions --- */

/* What the links of image and tools keep; they are no environment's. */
static int base_bytes(struct cuv_ledger *l, uint64_t *ret)
{
	static const char sum[] =
		"WITH RECURSIVE closure (id) AS (SELECT id FROM nix.ValidPaths WHERE path IN (SELECT name FROM base) "
		"UNION SELECT reference FROM nix.Refs JOIN closure ON referrer = closure.id) "
		"SELECT coalesce(sum(narSize), 0) FROM nix.ValidPaths WHERE id IN (SELECT id FROM closure)";
	struct dirent *e;
	int r = run_sql(l, "CREATE TEMP TABLE IF NOT EXISTS base (name TEXT PRIMARY KEY) WITHOUT ROWID");
	DIR *d = opendir(l->b->state.roots);

	while (r == 0 && d && (e = readdir(d))) {
		char path[PATH_MAX], target[CUV_STORE_PATH_SIZE + 1];
		ssize_t n;

		cuv_path_join(l->b->state.roots, e->d_name, path);
		n = readlink(path, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		r = run_with(l, "INSERT OR IGNORE INTO base (name) VALUES (?1)", target, NULL);
	}
	if (d)
		(void)closedir(d);
	return r < 0 ? r : ask_number(l, sum, NULL, ret);
}

int cuv_ledger_live(struct cuv_ledger *l, struct cuv_ledger_totals *ret)
{
	int r = ask_number(l, "SELECT count(*) FROM env", NULL, &ret->environments);

	return r < 0 ? r : ask_number(l, "SELECT coalesce(sum(bytes), 0) FROM path", NULL, &ret->live_bytes);
}

int cuv_ledger_totals(struct cuv_ledger *l, struct cuv_ledger_totals *ret)
{
	uint64_t all = 0, base = 0;
	int r = cuv_ledger_live(l, ret);

	ret->store_bytes = ret->live_bytes;
	if (r == 0 && !l->nix)
		attach_nix(l);
	if (r < 0 || !l->nix)
		return r;
	r = ask_number(l, "SELECT coalesce(sum(narSize), 0) FROM nix.ValidPaths", NULL, &all);
	if (r == 0)
		r = base_bytes(l, &base);
	if (r == 0 && all > base)
		ret->store_bytes = all - base;
	return r;
}

#define ROW                                                                                                            \
	"SELECT name, lock, packages, made_s, used_s, uses, "                                                          \
	"(SELECT coalesce(sum(bytes), 0) FROM part JOIN path USING (name) WHERE part.env = env.name), "                \
	"(SELECT coalesce(sum(bytes), 0) FROM part JOIN path USING (name) WHERE part.env = env.name AND refs = 1) "    \
	"FROM env "

static void read_row(sqlite3_stmt *s, struct cuv_ledger_row *ret)
{
	*ret = (struct cuv_ledger_row){
		.packages = (uint64_t)sqlite3_column_int64(s, 2),
		.made_s = sqlite3_column_int64(s, 3),
		.used_s = sqlite3_column_int64(s, 4),
		.uses = (uint64_t)sqlite3_column_int64(s, 5),
		.bytes = (uint64_t)sqlite3_column_int64(s, 6),
		.free_bytes = (uint64_t)sqlite3_column_int64(s, 7),
	};
	(void)snprintf(ret->env, sizeof(ret->env), "%s", (const char *)sqlite3_column_text(s, 0));
	(void)snprintf(ret->lock, sizeof(ret->lock), "%s", (const char *)sqlite3_column_text(s, 1));
}

int cuv_ledger_oldest(struct cuv_ledger *l, size_t skip, size_t limit, struct cuv_strv *ret)
{
	char sql[96];

	(void)snprintf(sql, sizeof(sql), "SELECT name FROM env ORDER BY used_s, name LIMIT %zu OFFSET %zu", limit,
		       skip);
	return ask_list(l, sql, NULL, ret);
}

int cuv_ledger_each(struct cuv_ledger *l, int (*each)(void *arg, const struct cuv_ledger_row *row), void *arg)
{
	_cleanup_stmt_ sqlite3_stmt *s = prepare(l, ROW "ORDER BY used_s DESC, name", NULL, NULL);
	int step;

	if (!s)
		return failed(l, "each");
	while ((step = sqlite3_step(s)) == SQLITE_ROW) {
		struct cuv_ledger_row row;
		int r;

		read_row(s, &row);
		r = each(arg, &row);
		if (r != 0)
			return r;
	}
	return step == SQLITE_DONE ? 0 : failed(l, "each");
}

int cuv_ledger_find(struct cuv_ledger *l, const char *env, struct cuv_ledger_row *ret)
{
	_cleanup_stmt_ sqlite3_stmt *s = prepare(l, ROW "WHERE name = ?1", env, NULL);
	int step = s ? sqlite3_step(s) : SQLITE_ERROR;

	if (step == SQLITE_DONE)
		return 1;
	if (step != SQLITE_ROW)
		return failed(l, "find");
	read_row(s, ret);
	return 0;
}

int cuv_ledger_keys(struct cuv_ledger *l, const char *env, struct cuv_strv *ret)
{
	return ask_list(l, "SELECT key FROM req WHERE env = ?1", env, ret);
}

int cuv_ledger_referrers(struct cuv_ledger *l, const char *path, struct cuv_strv *ret)
{
	static const char up[] =
		"WITH RECURSIVE up (id) AS (SELECT id FROM nix.ValidPaths WHERE path = " TO_PATH
		"?1 UNION SELECT referrer "
		"FROM nix.Refs JOIN up ON reference = up.id) SELECT substr(path, length('" CUV_STORE_DIR
		"/') + 1) FROM nix.ValidPaths JOIN up USING (id)";

	if (!l->nix)
		attach_nix(l);
	return l->nix ? ask_list(l, up, path, ret) : -EIO;
}

int cuv_ledger_paths(struct cuv_ledger *l, struct cuv_strv *ret)
{
	return ask_list(l, "SELECT name FROM path", NULL, ret);
}

int cuv_ledger_count_lock(struct cuv_ledger *l, const char *lock, uint64_t *ret)
{
	return ask_number(l, "SELECT count(*) FROM env WHERE lock = ?1", lock, ret);
}
