/* SPDX-License-Identifier: MIT */
#include "manager/ruff/cache.h"

#include "manager/ruff/lint.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_BYTES_SHARE 16 /* of the whole */

struct cuv_ruff_entry {
	struct cuv_ruff_key key;
	bool known; /* false: too much for a server */
	bool parsed;
	size_t bytes;
	size_t formatted_len, warnings_len;
	struct cuv_ruff_entry *next_in_bucket, *older, *younger;
	char text[]; /* formatted, then warnings */
};

void cuv_ruff_report_init(struct cuv_ruff_report *r)
{
	*r = (struct cuv_ruff_report){.parsed = false};
	cuv_buf_init(&r->formatted, CUV_LINT_OUT_MAX);
	cuv_buf_init(&r->warnings, CUV_LINT_OUT_MAX);
}

void cuv_ruff_report_done(struct cuv_ruff_report *r)
{
	cuv_buf_done(&r->formatted);
	cuv_buf_done(&r->warnings);
}

void cuv_ruff_cache_init(struct cuv_ruff_cache *c, size_t max_bytes)
{
	*c = (struct cuv_ruff_cache){.max_bytes = max_bytes};
	pthread_mutex_init(&c->lock, NULL);
}

static struct cuv_ruff_entry **bucket_of(struct cuv_ruff_cache *c, const struct cuv_ruff_key *key)
{
	return &c->bucket[(key->bytes[0] | key->bytes[1] << 8) % CUV_RUFF_CACHE_BUCKETS];
}

static void leave_order(struct cuv_ruff_cache *c, struct cuv_ruff_entry *e)
{
	*(e->older ? &e->older->younger : &c->oldest) = e->younger;
	*(e->younger ? &e->younger->older : &c->youngest) = e->older;
}

static void become_youngest(struct cuv_ruff_cache *c, struct cuv_ruff_entry *e)
{
	e->older = c->youngest;
	e->younger = NULL;
	*(c->youngest ? &c->youngest->younger : &c->oldest) = e;
	c->youngest = e;
}

static void add(struct cuv_ruff_cache *c, struct cuv_ruff_entry *e)
{
	struct cuv_ruff_entry **bucket = bucket_of(c, &e->key);

	e->next_in_bucket = *bucket;
	*bucket = e;
	become_youngest(c, e);
	c->bytes += e->bytes;
}

static void drop(struct cuv_ruff_cache *c, struct cuv_ruff_entry *e)
{
	struct cuv_ruff_entry **at = bucket_of(c, &e->key);

	while (*at != e)
		at = &(*at)->next_in_bucket;
	*at = e->next_in_bucket;
	leave_order(c, e);
	c->bytes -= e->bytes;
	free(e);
}

void cuv_ruff_cache_done(struct cuv_ruff_cache *c)
{
	while (c->oldest)
		drop(c, c->oldest);
	pthread_mutex_destroy(&c->lock);
}

void cuv_ruff_cache_key(const char *ruff, const char *code, size_t len, struct cuv_ruff_key *ret)
{
	crypto_generichash_state state;

	(void)crypto_generichash_init(&state, NULL, 0, sizeof(ret->bytes));
	(void)crypto_generichash_update(&state, (const unsigned char *)ruff, strlen(ruff) + 1);
	(void)crypto_generichash_update(&state, (const unsigned char *)code, len);
	(void)crypto_generichash_final(&state, ret->bytes, sizeof(ret->bytes));
}

/* The caller holds the lock. An entry that is found becomes the youngest. */
static struct cuv_ruff_entry *find(struct cuv_ruff_cache *c, const struct cuv_ruff_key *key)
{
	struct cuv_ruff_entry *e = *bucket_of(c, key);

	while (e && memcmp(&e->key, key, sizeof(*key)) != 0)
		e = e->next_in_bucket;
	if (e) {
		leave_order(c, e);
		become_youngest(c, e);
	}
	return e;
}

enum cuv_ruff_known cuv_ruff_cache_get(struct cuv_ruff_cache *c, const struct cuv_ruff_key *key,
				       struct cuv_ruff_report *ret)
{
	enum cuv_ruff_known known = CUV_RUFF_UNKNOWN;
	struct cuv_ruff_entry *e;

	pthread_mutex_lock(&c->lock);
	e = find(c, key);
	if (e && !e->known) {
		known = CUV_RUFF_TOO_MUCH;
	} else if (e) {
		ret->parsed = e->parsed;
		if (cuv_buf_add(&ret->formatted, e->text, e->formatted_len) == 0 &&
		    cuv_buf_add(&ret->warnings, e->text + e->formatted_len, e->warnings_len) == 0)
			known = CUV_RUFF_KNOWN;
	}
	pthread_mutex_unlock(&c->lock);
	return known;
}

static struct cuv_ruff_entry *make(const struct cuv_ruff_key *key, const struct cuv_ruff_report *report, size_t bytes)
{
	struct cuv_ruff_entry *e = malloc(bytes);

	if (!e)
		return NULL;
	*e = (struct cuv_ruff_entry){.key = *key, .bytes = bytes, .known = report != NULL};
	if (report) {
		e->parsed = report->parsed;
		e->formatted_len = report->formatted.len;
		e->warnings_len = report->warnings.len;
		memcpy(e->text, cuv_buf_str(&report->formatted), e->formatted_len);
		memcpy(e->text + e->formatted_len, cuv_buf_str(&report->warnings), e->warnings_len);
	}
	return e;
}

void cuv_ruff_cache_put(struct cuv_ruff_cache *c, const struct cuv_ruff_key *key, const struct cuv_ruff_report *report)
{
	const size_t bytes =
		sizeof(struct cuv_ruff_entry) + (report ? report->formatted.len + report->warnings.len : 0);
	struct cuv_ruff_entry *e, *old;

	if (bytes > c->max_bytes / ENTRY_BYTES_SHARE)
		return;
	e = make(key, report, bytes);
	if (!e)
		return;
	pthread_mutex_lock(&c->lock);
	old = find(c, key);
	if (old)
		drop(c, old);
	add(c, e);
	while (c->bytes > c->max_bytes)
		drop(c, c->oldest);
	pthread_mutex_unlock(&c->lock);
}
