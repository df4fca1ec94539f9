/* SPDX-License-Identifier: MIT */
/*
 * Contents one behind the other in a single file beside the service's database, which says
 * where each is. A single one, because the manager opens no files once it is sealed.
 *
 * A content is written and synced before its row is, so what a row names is there whatever
 * dies between. What no row names is free: that is all there is to know at start. Gaps are
 * filled again, the first that is large enough; the file is as long as its last content needs.
 */
#include "manager/backends.h"
#include "manager/blocks.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "files.data"
#define BLOCK 4096u
#define RETRY_AFTER_S 30

struct local {
	struct cuv_files files;
	struct cuv_store *store; /* borrowed */
	int fd;
	uint64_t max; /* blocks */
	/* Held for writing while blocks change, for reading while a content is read. The store may be
	 * asked under it. */
	pthread_rwlock_t lock;
	struct cuv_blocks blocks;
};

/* Where a content is. */
struct place {
	uint64_t at; /* bytes */
	size_t len;
};

static struct local *of(struct cuv_files *f)
{
	return (struct local *)f;
}

/* --- blocks --- */

static uint64_t blocks_of(uint64_t bytes)
{
	return (bytes + BLOCK - 1) / BLOCK;
}

static int cut(struct local *l)
{
	return ftruncate(l->fd, (off_t)(l->blocks.end * BLOCK));
}

/* The file is as long as it needs to be; what is too long is of no harm. */
static void give(struct local *l, const struct place *places, size_t n)
{
	uint64_t end;

	pthread_rwlock_wrlock(&l->lock);
	end = l->blocks.end;
	for (size_t i = 0; i < n; i++)
		cuv_blocks_give(&l->blocks, places[i].at / BLOCK, blocks_of(places[i].len));
	if (l->blocks.end < end)
		(void)cut(l);
	pthread_rwlock_unlock(&l->lock);
}

/* Room for all, or none. Who reads has a turn after each: a search may be a long one. */
static int take(struct local *l, const struct cuv_files_content *contents, size_t n, struct place *ret)
{
	size_t i = 0;
	int r = 0;

	for (; r == 0 && i < n; i++) {
		ret[i].len = contents[i].len;
		pthread_rwlock_wrlock(&l->lock);
		r = cuv_blocks_take(&l->blocks, blocks_of(ret[i].len), l->max, &ret[i].at);
		pthread_rwlock_unlock(&l->lock);
		ret[i].at *= BLOCK;
	}
	if (r < 0)
		give(l, ret, i - 1);
	return r;
}

/* --- rows --- */

static int prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, struct cuv_error *err)
{
	return sqlite3_prepare_v2(db, sql, -1, ret, NULL) == SQLITE_OK ? 0 : cuv_store_failed_at(db, err);
}

static int run_sql(sqlite3 *db, const char *sql, struct cuv_error *err)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : cuv_store_failed_at(db, err);
}

/* The end of a transaction: r as it is, or why it can't be kept. */
static int end_change(sqlite3 *db, int r, struct cuv_error *err)
{
	if (r == 0)
		r = run_sql(db, "COMMIT", err);
	if (r < 0)
		(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

static int insert(sqlite3 *db, const struct cuv_files_content *contents, const struct place *places, size_t n,
		  struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = prepare(db, "INSERT INTO file (name, at, bytes) VALUES (?1, ?2, ?3)", &q, err);

	for (size_t i = 0; r == 0 && i < n; i++) {
		(void)sqlite3_bind_text(q, 1, contents[i].name, -1, SQLITE_STATIC);
		(void)sqlite3_bind_int64(q, 2, (sqlite3_int64)places[i].at);
		(void)sqlite3_bind_int64(q, 3, (sqlite3_int64)places[i].len);
		if (sqlite3_step(q) != SQLITE_DONE)
			r = cuv_store_failed_at(db, err);
		(void)sqlite3_reset(q);
	}
	return r;
}

static int insert_all(struct local *l, const struct cuv_files_content *contents, const struct place *places, size_t n,
		      struct cuv_error *err)
{
	sqlite3 *db = cuv_store_take(l->store);
	int r = run_sql(db, "BEGIN IMMEDIATE", err);

	if (r == 0)
		r = end_change(db, insert(db, contents, places, n, err), err);
	cuv_store_give(l->store);
	return r;
}

/* 1 with where it is, 0: there is none. */
static int find(sqlite3 *db, sqlite3_stmt *q, const char *name, struct place *ret, struct cuv_error *err)
{
	int step;

	(void)sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
	step = sqlite3_step(q);
	if (step == SQLITE_ROW)
		*ret = (struct place){.at = (uint64_t)sqlite3_column_int64(q, 0),
				      .len = (size_t)sqlite3_column_int64(q, 1)};
	(void)sqlite3_reset(q);
	return step == SQLITE_ROW ? 1 : step == SQLITE_DONE ? 0 : cuv_store_failed_at(db, err);
}

#define FIND "SELECT at, bytes FROM file WHERE name = ?1"

static int delete_rows(sqlite3 *db, const char *const *names, size_t n, struct place *ret, size_t *ret_n,
		       struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL, *gone = NULL;
	int r = prepare(db, FIND, &q, err);

	*ret_n = 0;
	if (r == 0)
		r = prepare(db, "DELETE FROM file WHERE name = ?1", &gone, err);
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = find(db, q, names[i], &ret[*ret_n], err);
		if (r <= 0)
			continue;
		(*ret_n)++;
		(void)sqlite3_bind_text(gone, 1, names[i], -1, SQLITE_STATIC);
		r = sqlite3_step(gone) == SQLITE_DONE ? 0 : cuv_store_failed_at(db, err);
		(void)sqlite3_reset(gone);
	}
	return r;
}

/* --- the functions --- */

static int no_memory(struct cuv_error *err)
{
	(void)cuv_error_set(err, CUV_E_OVERLOADED, "the service has no memory left for this; send it again later");
	err->retry_after_s = RETRY_AFTER_S;
	return -ENOMEM;
}

static int no_space(struct cuv_error *err)
{
	(void)cuv_error_set(err, CUV_E_NO_SPACE,
			    "there is no space left for what the service keeps of runs; send it again later");
	err->retry_after_s = RETRY_AFTER_S;
	return -ENOSPC;
}

static int write_at(struct local *l, uint64_t at, const char *data, size_t len)
{
	while (len > 0) {
		const ssize_t n = pwrite(l->fd, data, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_all(struct local *l, const struct cuv_files_content *contents, const struct place *places, size_t n,
		     struct cuv_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = write_at(l, places[i].at, contents[i].data, contents[i].len);
	if (r == 0 && fdatasync(l->fd) < 0)
		r = -errno;
	if (r == -ENOSPC || r == -EDQUOT || r == -EFBIG)
		return no_space(err);
	if (r < 0) {
		(void)cuv_error_set(err, CUV_E_UNAVAILABLE, "the service's " FILE_NAME " can't be written: %s",
				    strerror(-r));
		err->retry_after_s = RETRY_AFTER_S;
	}
	return r;
}

static int remove_files(struct cuv_files *f, const char *const *names, size_t n, struct cuv_error *err)
{
	struct local *l = of(f);
	_cleanup_free_ struct place *places = NULL;
	size_t found = 0;
	sqlite3 *db;
	int r;

	if (n == 0)
		return 0;
	places = calloc(n, sizeof(*places));
	if (!places)
		return no_memory(err);
	db = cuv_store_take(l->store);
	r = run_sql(db, "BEGIN IMMEDIATE", err);
	if (r == 0)
		r = end_change(db, delete_rows(db, names, n, places, &found, err), err);
	cuv_store_give(l->store);
	/* Who reads one of them has found its row before, and holds the lock. */
	if (r == 0)
		give(l, places, found);
	return r;
}

/* 1: one of them is there. */
static int is_any_there(struct local *l, const char *const *names, size_t n, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	sqlite3 *db = cuv_store_take_reader(l->store);
	struct place ignored;
	int r = prepare(db, FIND, &q, err);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = find(db, q, names[i], &ignored, err);
	cuv_store_finish(&q);
	cuv_store_give_reader(l->store);
	return r;
}

/* What had their names. They are nearly always new, and then nothing is written for it. */
static int remove_before(struct cuv_files *f, const struct cuv_files_content *contents, size_t n, struct cuv_error *err)
{
	_cleanup_free_ const char **names = calloc(n, sizeof(*names));
	int r;

	if (!names)
		return no_memory(err);
	for (size_t i = 0; i < n; i++) {
		cuv_assert(contents[i].len > 0 && cuv_files_name_valid(contents[i].name));
		names[i] = contents[i].name;
	}
	r = is_any_there(of(f), names, n, err);
	return r > 0 ? remove_files(f, names, n, err) : r;
}

static int put(struct cuv_files *f, const struct cuv_files_content *contents, size_t n, struct cuv_error *err)
{
	struct local *l = of(f);
	_cleanup_free_ struct place *places = NULL;
	int r;

	if (n == 0)
		return 0;
	r = remove_before(f, contents, n, err);
	if (r < 0)
		return r;
	places = calloc(n, sizeof(*places));
	if (!places)
		return no_memory(err);
	r = take(l, contents, n, places);
	if (r < 0)
		return r == -ENOSPC ? no_space(err) : no_memory(err);
	r = write_all(l, contents, places, n, err);
	if (r == 0)
		r = insert_all(l, contents, places, n, err);
	if (r < 0)
		give(l, places, n);
	return r;
}

static int read_at(struct local *l, uint64_t at, size_t len, struct cuv_buf *ret)
{
	char *to = cuv_buf_room(ret, len);

	if (!to)
		return -ENOMEM;
	for (size_t done = 0; done < len;) {
		const ssize_t n = pread(l->fd, to + done, len - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EIO;
		done += (size_t)n;
	}
	cuv_buf_grew(ret, len);
	return 0;
}

/* Who reads does not wait for who writes other things. */
static int look_up(struct local *l, const char *name, struct place *ret, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	sqlite3 *db = cuv_store_take_reader(l->store);
	int r = prepare(db, FIND, &q, err);

	if (r == 0)
		r = find(db, q, name, ret, err);
	cuv_store_finish(&q);
	cuv_store_give_reader(l->store);
	return r;
}

static int get_locked(struct local *l, const char *name, struct cuv_charge *charge, struct cuv_buf *ret,
		      struct cuv_error *err)
{
	struct place place = {0};
	int r = look_up(l, name, &place, err);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	r = cuv_charge_add(charge, place.len) ? read_at(l, place.at, place.len, ret) : -ENOMEM;
	if (r == -ENOMEM)
		return cuv_budget_exhausted(err, "answer");
	return r == 0 ? 0 : cuv_error_set(err, CUV_E_UNAVAILABLE, "the service's " FILE_NAME " can't be read");
}

static int get(struct cuv_files *f, const char *name, struct cuv_charge *charge, struct cuv_buf *ret,
	       struct cuv_error *err)
{
	struct local *l = of(f);
	int r;

	pthread_rwlock_rdlock(&l->lock);
	r = get_locked(l, name, charge, ret, err);
	pthread_rwlock_unlock(&l->lock);
	return r;
}

static void close_local(struct cuv_files *f)
{
	struct local *l = of(f);

	cuv_blocks_done(&l->blocks);
	if (l->fd >= 0)
		(void)close(l->fd);
	pthread_rwlock_destroy(&l->lock);
	free(l);
}

/* --- at start --- */

/* Also of a file that is longer than this process may make it. */
static int learn(struct local *l, sqlite3 *db, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int step = SQLITE_DONE, r = prepare(db, "SELECT at, bytes FROM file", &q, err);

	if (r < 0)
		return r;
	while (r == 0 && (step = sqlite3_step(q)) == SQLITE_ROW) {
		const uint64_t at = (uint64_t)sqlite3_column_int64(q, 0), bytes = (uint64_t)sqlite3_column_int64(q, 1);

		r = at % BLOCK ? -EBADMSG : cuv_blocks_add(&l->blocks, at / BLOCK, blocks_of(bytes));
	}
	if (r < 0)
		return cuv_error_set(err, CUV_E_UNAVAILABLE,
				     "what the service's database says of " FILE_NAME " can't be: %s", strerror(-r));
	return step == SQLITE_DONE ? 0 : cuv_store_failed_at(db, err);
}

static int open_file(struct local *l, const char *folder, struct cuv_error *err)
{
	char path[PATH_MAX];
	struct stat st;

	if (snprintf(path, sizeof(path), "%s/" FILE_NAME, folder) < (int)sizeof(path))
		l->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	if (l->fd < 0 || fstat(l->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "the service's " FILE_NAME " can't be opened: %s",
				     l->fd < 0 ? strerror(errno) : "it is no file");
	return 0;
}

int cuv_files_local_new(struct cuv_store *store, const char *folder, uint64_t max_bytes, struct cuv_files **ret,
			struct cuv_error *err)
{
	struct local *l = calloc(1, sizeof(*l));
	pthread_rwlockattr_t attr;
	int r;

	if (!l)
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "no memory for " FILE_NAME);
	*l = (struct local){.store = store, .fd = -1, .max = max_bytes / BLOCK};
	l->files = (struct cuv_files){.put = put, .get = get, .remove = remove_files, .close = close_local};
	/* Who reads all the time must not keep others' answers from being written. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&l->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	r = open_file(l, folder, err);
	if (r == 0) {
		r = learn(l, cuv_store_take(store), err);
		cuv_store_give(store);
	}
	if (r == 0 && cut(l) < 0)
		r = cuv_error_set(err, CUV_E_UNAVAILABLE, "the service's " FILE_NAME " can't be cut: %s",
				  strerror(errno));
	if (r == 0)
		*ret = &l->files;
	else
		close_local(&l->files);
	return r;
}
