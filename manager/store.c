/* SPDX-License-Identifier: MIT */
#include "manager/store.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILE_NAME "service.db"
#define BUSY_MS 5000
#define RETRY_AFTER_S 5

struct cuv_store {
	sqlite3 *db, *reader;
	pthread_mutex_t lock, reader_lock;
	sqlite3_int64 seen; /* PRAGMA data_version, when asked last */
};

/* Each makes a file of the version before it into one of its own. */
static const char *const migrations[] = {
	"CREATE TABLE key (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, hash BLOB NOT NULL, scopes INTEGER NOT NULL,"
	" rate INTEGER NOT NULL, concurrency INTEGER NOT NULL, quota INTEGER NOT NULL, made_s INTEGER NOT NULL,"
	" revoked_s INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
	"CREATE TABLE use (key TEXT NOT NULL, day INTEGER NOT NULL, runs INTEGER NOT NULL, PRIMARY KEY (key, day))"
	" WITHOUT ROWID;"
	"CREATE TRIGGER use_new_day AFTER INSERT ON use BEGIN DELETE FROM use WHERE key = NEW.key AND day < NEW.day; "
	"END;",
	/* body: the request as form_pack.h has it, later the answer's JSON. */
	"CREATE TABLE run (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, request_id TEXT NOT "
	"NULL, state INTEGER NOT NULL, accepted_s INTEGER NOT NULL, ended_s INTEGER NOT NULL DEFAULT 0, bytes INTEGER "
	"NOT NULL, body BLOB NOT NULL);"
	"CREATE INDEX run_ended ON run (ended_s, seq, bytes);",
	/* manager/holdings.h */
	"CREATE TABLE environment (owner TEXT NOT NULL, digest TEXT NOT NULL, lock TEXT NOT NULL, python TEXT NOT NULL,"
	" packages INTEGER NOT NULL, first_s INTEGER NOT NULL, used_s INTEGER NOT NULL, hits INTEGER NOT NULL,"
	" PRIMARY KEY (owner, digest)) WITHOUT ROWID;"
	"CREATE INDEX environment_used ON environment (owner, used_s);"
	"CREATE INDEX environment_digest ON environment (digest);",
	"CREATE INDEX run_tenant ON run (tenant, seq);",
	/* files_local.c; a run whose answer is a file says so. */
	"CREATE TABLE file (name TEXT PRIMARY KEY, at INTEGER NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;"
	"ALTER TABLE run ADD COLUMN in_file INTEGER NOT NULL DEFAULT 0;",
	/* manager/sessions.h; used_s is when it was asked for last, clock counts the changes of its files. */
	"ALTER TABLE run ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE run ADD COLUMN session INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE run ADD COLUMN task TEXT NOT NULL DEFAULT '';"
	"CREATE INDEX run_task ON run (tenant, task) WHERE task <> '';"
	"CREATE INDEX run_session ON run (session) WHERE session <> 0 AND ended_s = 0;"
	"CREATE TABLE session (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL, used_s INTEGER NOT "
	"NULL, clock INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0, files INTEGER NOT NULL DEFAULT 0,"
	" packages TEXT NOT NULL DEFAULT '', packages_s INTEGER NOT NULL DEFAULT 0, UNIQUE (tenant, name));"
	"CREATE INDEX session_used ON session (used_s);"
	"CREATE INDEX session_bytes ON session (tenant, bytes);"
	"CREATE TABLE session_file (session INTEGER NOT NULL, name TEXT NOT NULL, clock INTEGER NOT NULL, "
	"hash BLOB NOT NULL, bytes INTEGER NOT NULL, body BLOB NOT NULL, UNIQUE (session, name));",
	/* A list has no tasks of sessions, and what comes behind a body is read through it. */
	"DROP INDEX run_tenant;"
	"CREATE INDEX run_listed ON run (tenant, seq) WHERE session = 0;",
	/* What the sessions of a key take is known, however many there are. */
	"CREATE TABLE session_use (tenant TEXT PRIMARY KEY, sessions INTEGER NOT NULL, bytes INTEGER NOT NULL)"
	" WITHOUT ROWID;"
	"INSERT INTO session_use SELECT tenant, COUNT(*), SUM(bytes) FROM session GROUP BY tenant;"
	"CREATE TRIGGER session_made AFTER INSERT ON session BEGIN INSERT INTO session_use VALUES (NEW.tenant, 1, "
	"NEW.bytes) ON CONFLICT (tenant) DO UPDATE SET sessions = sessions + 1, bytes = bytes + NEW.bytes; END;"
	"CREATE TRIGGER session_written AFTER UPDATE OF bytes ON session BEGIN UPDATE session_use SET bytes = bytes + "
	"NEW.bytes - OLD.bytes WHERE tenant = NEW.tenant; END;"
	"CREATE TRIGGER session_gone AFTER DELETE ON session BEGIN UPDATE session_use SET sessions = sessions - 1, "
	"bytes = bytes - OLD.bytes WHERE tenant = OLD.tenant; DELETE FROM session_use WHERE tenant = OLD.tenant AND "
	"sessions = 0; END;"
	"DROP INDEX session_bytes;",
	/* Which answers go to make room is by whose they are. */
	"DROP INDEX run_ended;"
	"CREATE INDEX run_ended ON run (ended_s, seq, bytes, tenant);",
	/* What is big of a session's files is a content (files.h) and no body. One is loose while no file has
	 * it: before it has, while it is written, and afterwards until it is removed. */
	"ALTER TABLE session_file ADD COLUMN content TEXT NOT NULL DEFAULT '';"
	"CREATE TABLE session_loose (name TEXT PRIMARY KEY, session INTEGER NOT NULL, writing INTEGER NOT NULL)"
	" WITHOUT ROWID;"
	"CREATE TRIGGER session_file_made AFTER INSERT ON session_file WHEN NEW.content <> '' BEGIN DELETE FROM "
	"session_loose WHERE name = NEW.content; END;"
	"CREATE TRIGGER session_file_changed AFTER UPDATE OF content ON session_file WHEN OLD.content <> NEW.content "
	"BEGIN DELETE FROM session_loose WHERE name = NEW.content; INSERT INTO session_loose SELECT OLD.content, "
	"OLD.session, 0 WHERE OLD.content <> ''; END;"
	"CREATE TRIGGER session_file_gone AFTER DELETE ON session_file WHEN OLD.content <> '' BEGIN INSERT INTO "
	"session_loose VALUES (OLD.content, OLD.session, 0); END;",
};

int cuv_store_failed_at(sqlite3 *db, struct cuv_error *err)
{
	const bool full = db && sqlite3_errcode(db) == SQLITE_FULL;

	cuv_error_set(err, full ? CUV_E_NO_SPACE : CUV_E_UNAVAILABLE, "the service's database: %s",
		      db ? sqlite3_errmsg(db) : "no memory");
	err->retry_after_s = RETRY_AFTER_S;
	return full ? -ENOSPC : -EIO;
}

int cuv_store_failed(struct cuv_store *s, struct cuv_error *err)
{
	return cuv_store_failed_at(s->db, err);
}

void cuv_store_finish(struct sqlite3_stmt **s)
{
	(void)sqlite3_finalize(*s);
	*s = NULL;
}

static int run_sql(sqlite3 *db, const char *sql, struct cuv_error *err)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : cuv_store_failed_at(db, err);
}

static int ask_number(struct cuv_store *s, const char *sql, sqlite3_int64 *ret)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) != SQLITE_OK || sqlite3_step(q) != SQLITE_ROW)
		return -EIO;
	*ret = sqlite3_column_int64(q, 0);
	return 0;
}

static int migrate(struct cuv_store *s, struct cuv_error *err)
{
	sqlite3_int64 version = 0;
	int r = run_sql(s->db, "BEGIN IMMEDIATE", err);

	if (r < 0)
		return r;
	if (ask_number(s, "PRAGMA user_version", &version) < 0)
		r = cuv_store_failed(s, err);
	else if (version > (sqlite3_int64)ARRAY_SIZE(migrations))
		r = cuv_error_set(err, CUV_E_UNAVAILABLE,
				  "the service's database (" FILE_NAME ") was written by a later version of Cuvette; "
				  "use that one, or another state folder");
	for (sqlite3_int64 i = version; r == 0 && i < (sqlite3_int64)ARRAY_SIZE(migrations); i++) {
		char set[48];

		(void)snprintf(set, sizeof(set), "PRAGMA user_version = %d", (int)i + 1);
		r = run_sql(s->db, migrations[i], err);
		if (r == 0)
			r = run_sql(s->db, set, err);
	}
	if (r == 0)
		return run_sql(s->db, "COMMIT", err);
	(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

/* libc's fstat is a call that could also be asked about any path, which the manager's
 * filter leaves to nobody; the kernel's own is about a descriptor and nothing else. Its
 * struct is libc's on the 64-bit platforms that there are boxes for. */
static int plain_fstat(int fd, struct stat *ret)
{
	return (int)syscall(SYS_fstat, fd, ret);
}

static void use_plain_calls(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	if (vfs && vfs->iVersion >= 3)
		(void)vfs->xSetSystemCall(vfs, "fstat", (sqlite3_syscall_ptr)plain_fstat);
}

static int open_one(const char *path, int flags, sqlite3 **ret, struct cuv_error *err)
{
	if (sqlite3_open_v2(path, ret, flags | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return cuv_store_failed_at(*ret, err);
	(void)sqlite3_busy_timeout(*ret, BUSY_MS);
	return 0;
}

int cuv_store_open(const char *folder, struct cuv_store **ret, struct cuv_error *err)
{
	_cleanup_store_ struct cuv_store *s = calloc(1, sizeof(*s));
	char path[PATH_MAX];
	int r;

	if (!s || snprintf(path, sizeof(path), "%s/" FILE_NAME, folder) >= (int)sizeof(path))
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "the service's database can't be opened");
	use_plain_calls();
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->reader_lock, NULL);
	s->seen = -1;
	r = open_one(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &s->db, err);
	if (r < 0)
		return r;
	/* What is sorted or set aside stays in memory: later there are no files to make. */
	/* What is committed is there after a power cut too: a run that was accepted, a key that was revoked,
	 * and whose a piece of the files of answers is. What was deleted is not overwritten at once, as some
	 * SQLites do by default: that takes as long as to write it. */
	r = run_sql(s->db,
		    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;"
		    "PRAGMA secure_delete = FAST; PRAGMA journal_size_limit = 16777216",
		    err);
	/* A transaction that writes opens all of its files. */
	if (r == 0)
		r = migrate(s, err);
	if (r == 0)
		r = open_one(path, SQLITE_OPEN_READONLY, &s->reader, err);
	/* And so does one that reads. */
	if (r == 0)
		r = run_sql(s->reader, "PRAGMA temp_store = MEMORY; SELECT * FROM key LIMIT 1", err);
	if (r < 0)
		return r;
	*ret = s;
	s = NULL;
	return 0;
}

void cuv_store_close(struct cuv_store **s)
{
	if (*s) {
		(void)sqlite3_close((*s)->reader);
		(void)sqlite3_close((*s)->db);
		pthread_mutex_destroy(&(*s)->reader_lock);
		pthread_mutex_destroy(&(*s)->lock);
	}
	free(*s);
	*s = NULL;
}

struct sqlite3 *cuv_store_take(struct cuv_store *s)
{
	pthread_mutex_lock(&s->lock);
	return s->db;
}

struct sqlite3 *cuv_store_try(struct cuv_store *s)
{
	return pthread_mutex_trylock(&s->lock) == 0 ? s->db : NULL;
}

void cuv_store_give(struct cuv_store *s)
{
	pthread_mutex_unlock(&s->lock);
}

struct sqlite3 *cuv_store_take_reader(struct cuv_store *s)
{
	pthread_mutex_lock(&s->reader_lock);
	return s->reader;
}

void cuv_store_give_reader(struct cuv_store *s)
{
	pthread_mutex_unlock(&s->reader_lock);
}

bool cuv_store_has_changed(struct cuv_store *s)
{
	sqlite3_int64 now;

	if (ask_number(s, "PRAGMA data_version", &now) < 0 || now == s->seen)
		return false;
	s->seen = now;
	return true;
}
