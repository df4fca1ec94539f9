/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/cache.h"

#include "lib/base/clock.h"

#include <string.h>

struct ready {
	struct cuv_key key; /* "" when free */
	uint64_t used;	    /* counts look-ups: the smallest goes first */
	struct cuv_environment env;
};

struct failed {
	struct cuv_key key;
	uint64_t until_ns;
	struct cuv_error err;
};

struct cuv_cache {
	struct ready ready[CUV_CACHE_READY_MAX];
	struct failed failed[CUV_CACHE_FAILED_MAX];
	uint64_t clock;
};

struct cuv_cache *cuv_cache_new(void)
{
	return calloc(1, sizeof(struct cuv_cache));
}

struct cuv_cache *cuv_cache_free(struct cuv_cache *c)
{
	for (size_t i = 0; c && i < CUV_CACHE_READY_MAX; i++)
		cuv_environment_done(&c->ready[i].env);
	free(c);
	return NULL;
}

static bool same(const struct cuv_key *a, const struct cuv_key *b)
{
	return memcmp(a->hex, b->hex, sizeof(a->hex)) == 0;
}

static struct ready *find_ready(struct cuv_cache *c, const struct cuv_key *key)
{
	for (size_t i = 0; i < CUV_CACHE_READY_MAX; i++)
		if (same(&c->ready[i].key, key))
			return &c->ready[i];
	return NULL;
}

static void clear_ready(struct ready *r)
{
	cuv_environment_done(&r->env);
	*r = (struct ready){0};
}

const struct cuv_environment *cuv_cache_ready(struct cuv_cache *c, const struct cuv_key *key)
{
	struct ready *r = find_ready(c, key);

	if (!r)
		return NULL;
	r->used = ++c->clock;
	return &r->env;
}

const struct cuv_environment *cuv_cache_take_ready(struct cuv_cache *c, const struct cuv_key *key,
						   struct cuv_environment *e)
{
	struct ready *r = find_ready(c, key);

	for (size_t i = 0; !r && i < CUV_CACHE_READY_MAX; i++)
		if (c->ready[i].used == 0)
			r = &c->ready[i];
	if (!r) {
		r = &c->ready[0];
		for (size_t i = 1; i < CUV_CACHE_READY_MAX; i++)
			if (c->ready[i].used < r->used)
				r = &c->ready[i];
	}
	clear_ready(r);
	*r = (struct ready){.key = *key, .used = ++c->clock, .env = *e};
	*e = CUV_ENVIRONMENT_INIT;
	return &r->env;
}

void cuv_cache_drop_ready(struct cuv_cache *c, const struct cuv_key *key)
{
	struct ready *r = find_ready(c, key);

	if (r)
		clear_ready(r);
}

static struct failed *find_failed(struct cuv_cache *c, const struct cuv_key *key)
{
	for (size_t i = 0; i < CUV_CACHE_FAILED_MAX; i++)
		if (same(&c->failed[i].key, key))
			return &c->failed[i];
	return NULL;
}

const struct cuv_error *cuv_cache_failed(struct cuv_cache *c, const struct cuv_key *key, uint64_t now_ns)
{
	struct failed *f = find_failed(c, key);

	if (!f)
		return NULL;
	if (f->until_ns > now_ns)
		return &f->err;
	*f = (struct failed){0};
	return NULL;
}

static bool is_lasting(enum cuv_error_code code)
{
	return code == CUV_E_REQUIREMENTS_UNRESOLVABLE || code == CUV_E_WHEEL_UNAVAILABLE ||
	       code == CUV_E_HASH_MISMATCH || code == CUV_E_ENVIRONMENT_TOO_LARGE || code == CUV_E_BUILD_FAILED ||
	       code == CUV_E_ENVIRONMENT_UNKNOWN || code == CUV_E_ADDRESS_REFUSED || code == CUV_E_URL_UNAVAILABLE;
}

void cuv_cache_put_failed(struct cuv_cache *c, const struct cuv_key *key, const struct cuv_error *err, uint64_t now_ns)
{
	struct failed *f = find_failed(c, key);

	if (!is_lasting(err->code))
		return;
	if (!f) {
		f = &c->failed[0];
		for (size_t i = 1; i < CUV_CACHE_FAILED_MAX; i++)
			if (c->failed[i].until_ns < f->until_ns)
				f = &c->failed[i];
	}
	*f = (struct failed){.key = *key, .until_ns = now_ns + CUV_CACHE_FAILED_S * CUV_NS_PER_S, .err = *err};
}
