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
#define ID_CHARS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

struct cuv_jobe_file {
	TAILQ_ENTRY(cuv_jobe_file) link;
	char owner[CUV_KEY_ID_SIZE];
	char id[CUV_JOBE_ID_MAX + 1];
	char *data;
	size_t len;
	uint64_t used_ns;
};

void cuv_jobe_files_init(struct cuv_jobe_files *f)
{
	*f = (struct cuv_jobe_files){.bytes = 0};
	pthread_mutex_init(&f->lock, NULL);
	TAILQ_INIT(&f->files);
}

static void drop(struct cuv_jobe_files *f, struct cuv_jobe_file *file)
{
	TAILQ_REMOVE(&f->files, file, link);
	f->bytes -= file->len;
	f->n--;
	free(file->data);
	free(file);
}

void cuv_jobe_files_done(struct cuv_jobe_files *f)
{
	while (!TAILQ_EMPTY(&f->files))
		drop(f, TAILQ_FIRST(&f->files));
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

static void drop_old(struct cuv_jobe_files *f, uint64_t now_ns)
{
	const uint64_t age_ns = CUV_JOBE_FILE_AGE_S * (uint64_t)CUV_NS_PER_S;
	struct cuv_jobe_file *first;

	while ((first = TAILQ_FIRST(&f->files)) && now_ns > first->used_ns && now_ns - first->used_ns > age_ns)
		drop(f, first);
}

/* Of the owner's half, then of all. */
static void make_room(struct cuv_jobe_files *f, const char *owner, size_t len)
{
	struct cuv_jobe_file *oldest;
	size_t bytes, n;

	while ((oldest = oldest_of(f, owner, &bytes, &n)) &&
	       (bytes + len > CUV_JOBE_CACHE_BYTES_MAX / 2 || n >= CUV_JOBE_CACHE_FILES_MAX / 2))
		drop(f, oldest);
	while ((oldest = TAILQ_FIRST(&f->files)) &&
	       (f->bytes + len > CUV_JOBE_CACHE_BYTES_MAX || f->n >= CUV_JOBE_CACHE_FILES_MAX))
		drop(f, oldest);
}

int cuv_jobe_files_put(struct cuv_jobe_files *f, const char *owner, const char *id, char *data, size_t len,
		       uint64_t now_ns, struct cuv_error *err)
{
	struct cuv_jobe_file *file = NULL, *same;

	cuv_assert(len <= CUV_JOBE_FILE_BYTES_MAX && cuv_jobe_id_valid(id));
	if (!is_true(id, data, len)) {
		free(data);
		return cuv_error_set(err, CUV_E_HASH_MISMATCH,
				     "the file's id is 32 hexadecimal digits but not the MD5 of its content; send "
				     "that, or an id of another length");
	}
	file = calloc(1, sizeof(*file));
	if (!file) {
		free(data);
		cuv_error_set(err, CUV_E_OVERLOADED, "the service has no memory left for this file; try again");
		return -ENOMEM;
	}
	snprintf(file->owner, sizeof(file->owner), "%s", owner);
	snprintf(file->id, sizeof(file->id), "%s", id);
	file->data = data;
	file->len = len;
	file->used_ns = now_ns;
	pthread_mutex_lock(&f->lock);
	same = find(f, owner, id);
	if (same)
		drop(f, same);
	drop_old(f, now_ns);
	make_room(f, owner, len);
	TAILQ_INSERT_TAIL(&f->files, file, link);
	f->bytes += len;
	f->n++;
	pthread_mutex_unlock(&f->lock);
	return 0;
}

/* The lock must be held. */
static struct cuv_jobe_file *ask_for(struct cuv_jobe_files *f, const char *owner, const char *id, uint64_t now_ns)
{
	struct cuv_jobe_file *file;

	drop_old(f, now_ns);
	file = find(f, owner, id);
	if (file) {
		file->used_ns = now_ns;
		TAILQ_REMOVE(&f->files, file, link);
		TAILQ_INSERT_TAIL(&f->files, file, link);
	}
	return file;
}

bool cuv_jobe_files_has(struct cuv_jobe_files *f, const char *owner, const char *id, uint64_t now_ns)
{
	bool has;

	pthread_mutex_lock(&f->lock);
	has = ask_for(f, owner, id, now_ns) != NULL;
	pthread_mutex_unlock(&f->lock);
	return has;
}

int cuv_jobe_files_use(struct cuv_jobe_files *f, const char *owner, const char *id, uint64_t now_ns,
		       int (*take)(void *arg, const char *data, size_t len, struct cuv_error *err), void *arg,
		       struct cuv_error *err)
{
	struct cuv_jobe_file *file;
	int r = 0;

	pthread_mutex_lock(&f->lock);
	file = ask_for(f, owner, id, now_ns);
	if (file)
		r = take(arg, file->data, file->len, err);
	pthread_mutex_unlock(&f->lock);
	return file && r == 0 ? 1 : r;
}
