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

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "files.data"
#define BLOCK 4096u
#define RETRY_AFTER_S 30

struct extent {
	TAILQ_ENTRY(extent) link;
	uint64_t at, size; /* whole blocks */
};

struct local {
	struct cuv_files files;
	struct cuv_store *store; /* borrowed */
	int fd;
	uint64_t max;
	/* Held for writing while extents change, for reading while one is read. The store may be
	 * asked under it. */
	pthread_rwlock_t lock;
	TAILQ_HEAD(extents, extent) extents; /* in the order of the file */
};

static struct local *of(struct cuv_files *f)
{
	return (struct local *)f;
}

bool cuv_files_name_valid(const char *name)
{
	static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_/";
	const size_t len = strspn(name, safe);

	return len > 0 && len <= CUV_FILES_NAME_MAX && name[len] == '\0';
}

/* --- extents; all with the lock held for writing --- */

static uint64_t in_blocks(uint64_t bytes)
{
	return (bytes + BLOCK - 1) / BLOCK * BLOCK;
}

static struct extent *take(struct local *l, uint64_t bytes)
{
	struct extent *e = calloc(1, sizeof(*e)), *next;

	if (!e)
		return NULL;
	e->size = in_blocks(bytes);
	TAILQ_FOREACH(next, &l->extents, link)
	{
		if (next->at - e->at >= e->size)
			break;
		e->at = next->at + next->size;
	}
	if (e->size > l->max || e->at > l->max - e->size) {
		free(e);
		return NULL;
	}
	if (next)
		TAILQ_INSERT_BEFORE(next, e, link);
	else
		TAILQ_INSERT_TAIL(&l->extents, e, link);
	return e;
}

static void give(struct local *l, struct extent *e)
{
	const struct extent *last = TAILQ_LAST(&l->extents, extents);
	const bool was_last = e == last;

	TAILQ_REMOVE(&l->extents, e, link);
	free(e);
	last = TAILQ_LAST(&l->extents, extents);
	/* What is too long is of no harm. */
	if (was_last && ftruncate(l->fd, last ? (off_t)(last->at + last->size) : 0) < 0)
		return;
}

static void give_at(struct local *l, uint64_t at)
{
	struct extent *e;

	TAILQ_FOREACH(e, &l->extents, link)
	if (e->at == at) {
		give(l, e);
		return;
	}
}

/* --- rows --- */

static int prepare(struct local *l, sqlite3 *db, const char *sql, sqlite3_stmt **ret, struct cuv_error *err)
{
	return sqlite3_prepare_v2(db, sql, -1, ret, NULL) == SQLITE_OK ? 0 : cuv_store_failed(l->store, err);
}

static int insert(struct local *l, sqlite3 *db, const char *name, uint64_t at, size_t len, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r = prepare(l, db, "INSERT INTO file (name, at, bytes) VALUES (?1, ?2, ?3)", &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(q, 2, (sqlite3_int64)at);
	(void)sqlite3_bind_int64(q, 3, (sqlite3_int64)len);
	return sqlite3_step(q) == SQLITE_DONE ? 0 : cuv_store_failed(l->store, err);
}

/* 1 with where it is, 0: there is none. */
static int find(struct local *l, sqlite3 *db, const char *name, uint64_t *ret_at, size_t *ret_len,
		struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int step, r = prepare(l, db, "SELECT at, bytes FROM file WHERE name = ?1", &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
	step = sqlite3_step(q);
	if (step != SQLITE_ROW)
		return step == SQLITE_DONE ? 0 : cuv_store_failed(l->store, err);
	*ret_at = (uint64_t)sqlite3_column_int64(q, 0);
	*ret_len = (size_t)sqlite3_column_int64(q, 1);
	return 1;
}

static int delete_row(struct local *l, sqlite3 *db, const char *name, uint64_t *ret_at, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	size_t len;
	int r = find(l, db, name, ret_at, &len, err);

	if (r <= 0)
		return r;
	r = prepare(l, db, "DELETE FROM file WHERE name = ?1", &q, err);
	if (r < 0)
		return r;
	(void)sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
	return sqlite3_step(q) == SQLITE_DONE ? 1 : cuv_store_failed(l->store, err);
}

/* --- the functions --- */

static int no_space(struct cuv_error *err)
{
	(void)cuv_error_set(err, CUV_E_NO_SPACE,
			    "there is no space left for what a run has answered; send it again later");
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
	return fdatasync(l->fd) < 0 ? -errno : 0;
}

static int write_content(struct local *l, const char *name, uint64_t at, const void *data, size_t len,
			 struct cuv_error *err)
{
	int r = write_at(l, at, data, len);

	if (r == -ENOSPC || r == -EDQUOT || r == -EFBIG)
		return no_space(err);
	if (r < 0) {
		(void)cuv_error_set(err, CUV_E_UNAVAILABLE, "the service's " FILE_NAME " can't be written: %s",
				    strerror(-r));
		err->retry_after_s = RETRY_AFTER_S;
		return r;
	}
	r = insert(l, cuv_store_take(l->store), name, at, len, err);
	cuv_store_give(l->store);
	return r;
}

static int remove_file(struct cuv_files *f, const char *name, struct cuv_error *err)
{
	struct local *l = of(f);
	uint64_t at = 0;
	int r;

	r = delete_row(l, cuv_store_take(l->store), name, &at, err);
	cuv_store_give(l->store);
	if (r <= 0)
		return r;
	/* Who reads it has found its row before, and holds the lock. */
	pthread_rwlock_wrlock(&l->lock);
	give_at(l, at);
	pthread_rwlock_unlock(&l->lock);
	return 0;
}

static int put(struct cuv_files *f, const char *name, const void *data, size_t len, struct cuv_error *err)
{
	struct local *l = of(f);
	struct extent *e;
	int r;

	cuv_assert(len > 0 && cuv_files_name_valid(name));
	r = remove_file(f, name, err);
	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&l->lock);
	e = take(l, len);
	pthread_rwlock_unlock(&l->lock);
	if (!e)
		return no_space(err);
	r = write_content(l, name, e->at, data, len, err);
	if (r == 0)
		return 0;
	pthread_rwlock_wrlock(&l->lock);
	give(l, e);
	pthread_rwlock_unlock(&l->lock);
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

static int get_locked(struct local *l, const char *name, struct cuv_charge *charge, struct cuv_buf *ret,
		      struct cuv_error *err)
{
	uint64_t at = 0;
	size_t len = 0;
	int r = find(l, cuv_store_take(l->store), name, &at, &len, err);

	cuv_store_give(l->store);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	r = cuv_charge_add(charge, len) ? read_at(l, at, len, ret) : -ENOMEM;
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
	struct extent *e;

	while ((e = TAILQ_FIRST(&l->extents))) {
		TAILQ_REMOVE(&l->extents, e, link);
		free(e);
	}
	if (l->fd >= 0)
		(void)close(l->fd);
	pthread_rwlock_destroy(&l->lock);
	free(l);
}

/* --- at start --- */

static int learn_one(struct local *l, uint64_t at, uint64_t bytes)
{
	const struct extent *last = TAILQ_LAST(&l->extents, extents);
	struct extent *e;

	if (at % BLOCK || bytes > l->max || at > l->max - in_blocks(bytes) || (last && at < last->at + last->size))
		return -EBADMSG;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	*e = (struct extent){.at = at, .size = in_blocks(bytes)};
	TAILQ_INSERT_TAIL(&l->extents, e, link);
	return 0;
}

static int learn(struct local *l, sqlite3 *db, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int step = SQLITE_DONE, r = prepare(l, db, "SELECT at, bytes FROM file ORDER BY at", &q, err);

	if (r < 0)
		return r;
	while (r == 0 && (step = sqlite3_step(q)) == SQLITE_ROW)
		r = learn_one(l, (uint64_t)sqlite3_column_int64(q, 0), (uint64_t)sqlite3_column_int64(q, 1));
	if (r < 0)
		return cuv_error_set(err, CUV_E_UNAVAILABLE,
				     "what the service's database says of " FILE_NAME " can't be: %s", strerror(-r));
	return step == SQLITE_DONE ? 0 : cuv_store_failed(l->store, err);
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

static int cut(struct local *l)
{
	const struct extent *last = TAILQ_LAST(&l->extents, extents);

	return ftruncate(l->fd, last ? (off_t)(last->at + last->size) : 0);
}

int cuv_files_local_new(struct cuv_store *store, const char *folder, uint64_t max_bytes, struct cuv_files **ret,
			struct cuv_error *err)
{
	struct local *l = calloc(1, sizeof(*l));
	pthread_rwlockattr_t attr;
	int r;

	if (!l)
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "no memory for " FILE_NAME);
	*l = (struct local){.store = store, .fd = -1, .max = max_bytes / BLOCK * BLOCK};
	l->files = (struct cuv_files){.put = put, .get = get, .remove = remove_file, .close = close_local};
	/* Who reads all the time must not keep others' answers from being written. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&l->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	TAILQ_INIT(&l->extents);
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
