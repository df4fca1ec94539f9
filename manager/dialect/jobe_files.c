/* SPDX-License-Identifier: MIT */
#include "manager/dialect/jobe_files.h"

#include "lib/base/clock.h"
#include "lib/base/hash.h"
#include "manager/keys.h"

#include <errno.h>
#include <nettle/md5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MD5_HEX (2 * MD5_DIGEST_SIZE)
#define HEX_DIGITS "0123456789abcdefABCDEF"
#define FOLDER "jobe/"
#define ID_CHARS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

struct cuv_jobe_file {
	TAILQ_ENTRY(cuv_jobe_file) link;
	char owner[CUV_KEY_ID_SIZE];
	char id[CUV_JOBE_ID_MAX + 1];
	cuv_files_name name; /* of its content; "": it is empty */
	size_t len;
	uint64_t used_ns;
};

void cuv_jobe_files_init(struct cuv_jobe_files *f, struct cuv_files *cache)
{
	*f = (struct cuv_jobe_files){.cache = cache};
	pthread_mutex_init(&f->lock, NULL);
	TAILQ_INIT(&f->files);
}

/* What goes is on a list of its caller's until the lock is free, under which the cache is not asked. */
static void drop(struct cuv_jobe_files *f, struct cuv_jobe_file *file, struct cuv_jobe_list *gone)
{
	TAILQ_REMOVE(&f->files, file, link);
	f->bytes -= file->len;
	f->n--;
	TAILQ_INSERT_TAIL(gone, file, link);
}

static void forget(struct cuv_jobe_files *f, struct cuv_jobe_list *gone)
{
	struct cuv_jobe_file *file;
	struct cuv_error ignored;

	while ((file = TAILQ_FIRST(gone))) {
		const char *name = file->name;

		TAILQ_REMOVE(gone, file, link);
		(void)f->cache->remove(f->cache, &name, name[0] != '\0', &ignored);
		free(file);
	}
}

void cuv_jobe_files_done(struct cuv_jobe_files *f)
{
	struct cuv_jobe_list gone = TAILQ_HEAD_INITIALIZER(gone);

	while (!TAILQ_EMPTY(&f->files))
		drop(f, TAILQ_FIRST(&f->files), &gone);
	forget(f, &gone);
	pthread_mutex_destroy(&f->lock);
}

bool cuv_jobe_id_valid(const char *id)
{
	const size_t len = strspn(id, ID_CHARS);

	return id[len] == '\0' && len >= CUV_JOBE_ID_MIN && len <= CUV_JOBE_ID_MAX;
}

/* Many sites of one server may use the same id for what is not the same, but not one
 * that says what the content is. */
static bool is_true(const char *id, const char *data, size_t len)
{
	struct md5_ctx md5;
	uint8_t digest[MD5_DIGEST_SIZE];
	char hex[MD5_HEX + 1];

	if (strlen(id) != MD5_HEX || strspn(id, HEX_DIGITS) != MD5_HEX)
		return true;
	md5_init(&md5);
	md5_update(&md5, len, (const uint8_t *)data);
	md5_digest(&md5, sizeof(digest), digest);
	cuv_hex(digest, sizeof(digest), hex);
	return strcasecmp(hex, id) == 0;
}

static struct cuv_jobe_file *find(struct cuv_jobe_files *f, const char *owner, const char *id)
{
	struct cuv_jobe_file *file;

	TAILQ_FOREACH(file, &f->files, link)
	if (strcmp(file->id, id) == 0 && strcmp(file->owner, owner) == 0)
		return file;
	return NULL;
}

static struct cuv_jobe_file *oldest_of(struct cuv_jobe_files *f, const char *owner, size_t *ret_bytes, size_t *ret_n)
{
	struct cuv_jobe_file *file, *oldest = NULL;

	*ret_bytes = *ret_n = 0;
	TAILQ_FOREACH(file, &f->files, link)
	{
		if (strcmp(file->owner, owner) != 0)
			continue;
		oldest = oldest ? oldest : file;
		*ret_bytes += file->len;
		(*ret_n)++;
	}
	return oldest;
}

static void drop_old(struct cuv_jobe_files *f, uint64_t now_ns, struct cuv_jobe_list *gone)
{
	const uint64_t age_ns = CUV_JOBE_FILE_AGE_S * (uint64_t)CUV_NS_PER_S;
	struct cuv_jobe_file *first;

	while ((first = TAILQ_FIRST(&f->files)) && now_ns > first->used_ns && now_ns - first->used_ns > age_ns)
		drop(f, first, gone);
}

/* Of the owner's half, then of all. */
static void make_room(struct cuv_jobe_files *f, const char *owner, size_t len, struct cuv_jobe_list *gone)
{
	struct cuv_jobe_file *oldest;
	size_t bytes, n;

	while ((oldest = oldest_of(f, owner, &bytes, &n)) &&
	       (bytes + len > CUV_JOBE_CACHE_BYTES_MAX / 2 || n >= CUV_JOBE_CACHE_FILES_MAX / 2))
		drop(f, oldest, gone);
	while ((oldest = TAILQ_FIRST(&f->files)) &&
	       (f->bytes + len > CUV_JOBE_CACHE_BYTES_MAX || f->n >= CUV_JOBE_CACHE_FILES_MAX))
		drop(f, oldest, gone);
}

static int no_memory(struct cuv_error *err)
{
	(void)cuv_error_set(err, CUV_E_OVERLOADED, "the service has no memory left for this file; try again");
	return -ENOMEM;
}

static struct cuv_jobe_file *file_new(const char *owner, const char *id, size_t len, uint64_t now_ns)
{
	struct cuv_jobe_file *file = calloc(1, sizeof(*file));
	char random[CUV_ID_HEX_SIZE];

	if (!file)
		return NULL;
	cuv_random_id(random);
	(void)snprintf(file->owner, sizeof(file->owner), "%s", owner);
	(void)snprintf(file->id, sizeof(file->id), "%s", id);
	if (len > 0)
		(void)snprintf(file->name, sizeof(file->name), FOLDER "%s", random);
	file->len = len;
	file->used_ns = now_ns;
	return file;
}

/* In place of what has its id. */
static void insert(struct cuv_jobe_files *f, struct cuv_jobe_file *file, struct cuv_jobe_list *gone)
{
	struct cuv_jobe_file *same = find(f, file->owner, file->id);

	if (same)
		drop(f, same, gone);
	drop_old(f, file->used_ns, gone);
	make_room(f, file->owner, file->len, gone);
	TAILQ_INSERT_TAIL(&f->files, file, link);
	f->bytes += file->len;
	f->n++;
}

int cuv_jobe_files_put(struct cuv_jobe_files *f, const char *owner, const char *id, const char *data, size_t len,
		       uint64_t now_ns, struct cuv_error *err)
{
	struct cuv_jobe_list gone = TAILQ_HEAD_INITIALIZER(gone);
	struct cuv_files_content content;
	struct cuv_jobe_file *file;
	int r;

	cuv_assert(len <= CUV_JOBE_FILE_BYTES_MAX && cuv_jobe_id_valid(id));
	if (!is_true(id, data, len))
		return cuv_error_set(err, CUV_E_HASH_MISMATCH,
				     "the file's id is 32 hexadecimal digits but not the MD5 of its content; send "
				     "that, or an id of another length");
	file = file_new(owner, id, len, now_ns);
	if (!file)
		return no_memory(err);
	content = (struct cuv_files_content){file->name, data, len};
	r = f->cache->put(f->cache, &content, len > 0, err);
	if (r < 0) {
		free(file);
		return no_memory(err);
	}
	pthread_mutex_lock(&f->lock);
	insert(f, file, &gone);
	pthread_mutex_unlock(&f->lock);
	forget(f, &gone);
	return 0;
}

/* As they are now; false: it is not there. */
static bool ask_for(struct cuv_jobe_files *f, const char *owner, const char *id, uint64_t now_ns, cuv_files_name ret)
{
	struct cuv_jobe_list gone = TAILQ_HEAD_INITIALIZER(gone);
	struct cuv_jobe_file *file;

	pthread_mutex_lock(&f->lock);
	drop_old(f, now_ns, &gone);
	file = find(f, owner, id);
	if (file) {
		file->used_ns = now_ns;
		TAILQ_REMOVE(&f->files, file, link);
		TAILQ_INSERT_TAIL(&f->files, file, link);
		(void)snprintf(ret, sizeof(cuv_files_name), "%s", file->name);
	}
	pthread_mutex_unlock(&f->lock);
	forget(f, &gone);
	return file != NULL;
}

bool cuv_jobe_files_has(struct cuv_jobe_files *f, const char *owner, const char *id, uint64_t now_ns)
{
	cuv_files_name name;

	return ask_for(f, owner, id, now_ns, name);
}

int cuv_jobe_files_get(struct cuv_jobe_files *f, const char *owner, const char *id, uint64_t now_ns,
		       struct cuv_charge *charge, struct cuv_buf *ret, struct cuv_error *err)
{
	cuv_files_name name;
	int r = 0;

	if (!ask_for(f, owner, id, now_ns, name))
		return 0;
	if (name[0])
		r = f->cache->get(f->cache, name, charge, ret, err);
	/* It went just now. */
	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}
