/* SPDX-License-Identifier: MIT */
/*
 * Contents in memory, for who can lose them: a cache, whose owner bounds their number
 * (a few thousand are looked through each time). One that is being read is
 * copied under the lock, so it is there to its end.
 */
#include "manager/backends.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define RETRY_AFTER_S 5

struct content {
	TAILQ_ENTRY(content) link;
	cuv_files_name name;
	size_t len;
	char data[];
};

struct memory {
	struct cuv_files files;
	pthread_mutex_t lock;
	TAILQ_HEAD(, content) contents;
	uint64_t bytes, max;
};

static struct memory *of(struct cuv_files *f)
{
	return (struct memory *)f;
}

static struct content *find(const struct memory *m, const char *name)
{
	struct content *c;

	TAILQ_FOREACH(c, &m->contents, link)
	if (strcmp(c->name, name) == 0)
		return c;
	return NULL;
}

static void drop(struct memory *m, const char *name)
{
	struct content *c = find(m, name);

	if (!c)
		return;
	TAILQ_REMOVE(&m->contents, c, link);
	m->bytes -= c->len;
	free(c);
}

static int add(struct memory *m, const struct cuv_files_content *from)
{
	struct content *c = from->len > m->max - m->bytes ? NULL : malloc(sizeof(*c) + from->len);

	if (!c)
		return -ENOMEM;
	(void)snprintf(c->name, sizeof(c->name), "%s", from->name);
	memcpy(c->data, from->data, from->len);
	c->len = from->len;
	m->bytes += c->len;
	TAILQ_INSERT_TAIL(&m->contents, c, link);
	return 0;
}

static int put(struct cuv_files *f, const struct cuv_files_content *contents, size_t n, struct cuv_error *err)
{
	struct memory *m = of(f);
	int r = 0;

	pthread_mutex_lock(&m->lock);
	for (size_t i = 0; i < n; i++) {
		cuv_assert(contents[i].len > 0 && cuv_files_name_valid(contents[i].name));
		drop(m, contents[i].name);
	}
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add(m, &contents[i]);
	for (size_t i = 0; r < 0 && i < n; i++)
		drop(m, contents[i].name);
	pthread_mutex_unlock(&m->lock);
	if (r < 0) {
		(void)cuv_error_set(err, CUV_E_NO_SPACE, "the service has no memory left for this file; try again");
		err->retry_after_s = RETRY_AFTER_S;
	}
	return r;
}

static int get(struct cuv_files *f, const char *name, struct cuv_charge *charge, struct cuv_buf *ret,
	       struct cuv_error *err)
{
	struct memory *m = of(f);
	const struct content *c;
	int r = -ENOENT;

	pthread_mutex_lock(&m->lock);
	c = find(m, name);
	if (c)
		r = cuv_charge_add(charge, c->len) && cuv_buf_add(ret, c->data, c->len) == 0 ? 0 : -ENOMEM;
	pthread_mutex_unlock(&m->lock);
	return r == -ENOMEM ? cuv_budget_exhausted(err, "answer") : r;
}

static int remove_files(struct cuv_files *f, const char *const *names, size_t n, struct cuv_error *err)
{
	struct memory *m = of(f);

	(void)err;
	pthread_mutex_lock(&m->lock);
	for (size_t i = 0; i < n; i++)
		drop(m, names[i]);
	pthread_mutex_unlock(&m->lock);
	return 0;
}

static void close_memory(struct cuv_files *f)
{
	struct memory *m = of(f);

	while (!TAILQ_EMPTY(&m->contents))
		drop(m, TAILQ_FIRST(&m->contents)->name);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

struct cuv_files *cuv_files_memory_new(uint64_t max_bytes)
{
	struct memory *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->max = max_bytes;
	m->files = (struct cuv_files){.put = put, .get = get, .remove = remove_files, .close = close_memory};
	pthread_mutex_init(&m->lock, NULL);
	TAILQ_INIT(&m->contents);
	return &m->files;
}
