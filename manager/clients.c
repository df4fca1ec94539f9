/* SPDX-License-Identifier: MIT */
#include "manager/clients.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "manager/isolation.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* Out of memory is told, not died of. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define LOOK_NS (CUV_NS_PER_S / 2)
/* Keys that are made or revoked count within a second. */
#define LATE_NS (CUV_NS_PER_S - CUV_NS_PER_S / 16)
#define MINUTE_NS (60 * CUV_NS_PER_S)
#define DAY_S 86400
#define BUSY_RETRY_S 1
#define LET_IN_MAX 4

struct cuv_client_key {
	UT_hash_handle hh;
	struct cuv_key_info info;
	uint32_t running;
	uint32_t let_in;	  /* requests that are read without a place */
	uint32_t held;		  /* of the service's places */
	atomic_size_t held_bytes; /* of the memory of all requests */
	/* What is left of the minute's runs: a bucket that fills evenly. */
	uint64_t credit_ns; /* a run costs a minute divided by the rate */
	uint64_t filled_ns;
};

/* --- what the store has --- */

struct load {
	struct cuv_clients *a;
	bool no_memory;
};

static int take_key(void *arg, const struct cuv_key_info *info)
{
	struct load *l = arg;
	struct cuv_client_key *k;

	HASH_FIND_STR(l->a->keys, info->id, k);
	if (k) {
		k->info = *info;
		return 0;
	}
	k = calloc(1, sizeof(*k));
	if (!k) {
		l->no_memory = true;
		return 1;
	}
	k->info = *info;
	k->credit_ns = MINUTE_NS;
	k->filled_ns = cuv_now_ns();
	HASH_ADD_STR(l->a->keys, info.id, k);
	return 0;
}

/* A key that can't be read now is asked for again soon; what is known stays. */
static int load_keys(struct cuv_clients *a, struct cuv_error *err)
{
	struct load l = {.a = a};
	int r = cuv_keys_each(a->store, take_key, &l, err);

	if (!l.no_memory)
		return r;
	cuv_error_set(err, CUV_E_OVERLOADED, "the service has no memory left for its keys; try again");
	return -ENOMEM;
}

/* Everybody who asks for something waits for us, so we don't wait for somebody who writes a lot;
 * but what was looked at long ago has to be known. */
static int look(struct cuv_clients *a, struct cuv_error *err)
{
	uint64_t now = cuv_now_ns();
	int r = 0;

	if (!a->store || (a->looked_ns && now < a->looked_ns + LOOK_NS))
		return 0;
	if (a->looked_ns && now < a->looked_ns + LATE_NS) {
		if (!cuv_store_try(a->store))
			return 0;
	} else {
		(void)cuv_store_take(a->store);
	}
	a->stale = cuv_store_has_changed(a->store) || a->stale;
	cuv_store_give(a->store);
	a->looked_ns = now;
	if (a->stale)
		r = load_keys(a, err);
	a->stale = a->stale && r < 0;
	return r;
}

int cuv_clients_init(struct cuv_clients *a, const char *env_key, struct cuv_store *store, struct cuv_error *err)
{
	*a = (struct cuv_clients){.env_key = env_key, .store = store};
	pthread_mutex_init(&a->lock, NULL);
	return store ? load_keys(a, err) : 0;
}

void cuv_clients_done(struct cuv_clients *a)
{
	struct cuv_client_key *k, *next;

	HASH_ITER(hh, a->keys, k, next)
	{
		HASH_DEL(a->keys, k);
		free(k);
	}
	pthread_mutex_destroy(&a->lock);
}

static void look_again(struct cuv_clients *a)
{
	struct cuv_error err = CUV_ERROR_INIT;

	if (look(a, &err) < 0)
		cuv_log(CUV_LOG_WARNING, "keys", CUV_S("why", err.message));
}

bool cuv_clients_is_open(struct cuv_clients *a)
{
	bool open;

	if (a->env_key)
		return false;
	pthread_mutex_lock(&a->lock);
	look_again(a);
	open = !a->keys;
	pthread_mutex_unlock(&a->lock);
	return open;
}

/* --- who --- */

/* Compares digests, so that time tells neither content nor length. */
static bool is_env_key(const struct cuv_clients *a, const char *text)
{
	struct cuv_sha256 want, given;

	if (!a->env_key)
		return false;
	cuv_sha256(a->env_key, strlen(a->env_key), &want);
	cuv_sha256(text, strlen(text), &given);
	return sodium_memcmp(want.bytes, given.bytes, sizeof(want.bytes)) == 0;
}

/* Fills in ret when there is such a good key. */
static bool find(struct cuv_clients *a, const char *text, struct cuv_client *ret)
{
	char id[CUV_KEY_ID_SIZE];
	struct cuv_client_key *k = NULL;
	struct cuv_sha256 hash;

	if (!a->store || cuv_key_parse(text, id, &hash) < 0)
		return false;
	pthread_mutex_lock(&a->lock);
	look_again(a);
	HASH_FIND_STR(a->keys, id, k);
	if (k && (k->info.revoked_s || sodium_memcmp(k->info.hash.bytes, hash.bytes, sizeof(hash.bytes)) != 0))
		k = NULL;
	if (k) {
		ret->key = k;
		ret->scopes = k->info.scopes;
		memcpy(ret->tenant, id, sizeof(id));
	}
	pthread_mutex_unlock(&a->lock);
	return k != NULL;
}

static int check_scope(const struct cuv_client *c, enum cuv_scope scope, struct cuv_error *err)
{
	char have[CUV_SCOPES_SIZE], want[CUV_SCOPES_SIZE];

	if (c->scopes & scope)
		return 0;
	cuv_scopes_text(c->scopes, have);
	cuv_scopes_text(scope, want);
	return cuv_error_set(err, CUV_E_SCOPE_MISSING, "this API key has the scopes `%s`, and this needs `%s`", have,
			     want);
}

int cuv_clients_check(struct cuv_clients *a, const char *text, enum cuv_scope scope, struct cuv_client *ret,
		      struct cuv_error *err)
{
	*ret = (struct cuv_client){.scopes = CUV_SCOPE_ALL, .tenant = CUV_TENANT_HTTP};
	if (cuv_clients_is_open(a))
		return 0;
	if (!text)
		return cuv_error_set(err, CUV_E_UNAUTHORIZED,
				     "an API key is needed, as X-API-Key or Authorization: Bearer");
	if (is_env_key(a, text))
		return 0;
	if (!find(a, text, ret))
		return cuv_error_set(err, CUV_E_UNAUTHORIZED, "this API key is not known");
	return check_scope(ret, scope, err);
}

bool cuv_clients_of(struct cuv_clients *a, const char *tenant, struct cuv_client *ret)
{
	struct cuv_client_key *k = NULL;
	bool good;

	*ret = (struct cuv_client){.scopes = CUV_SCOPE_ALL, .tenant = CUV_TENANT_HTTP};
	if (strcmp(tenant, CUV_TENANT_HTTP) == 0)
		return true;
	pthread_mutex_lock(&a->lock);
	HASH_FIND_STR(a->keys, tenant, k);
	good = k && !k->info.revoked_s;
	if (good) {
		ret->key = k;
		ret->scopes = k->info.scopes;
		memcpy(ret->tenant, k->info.id, sizeof(ret->tenant));
	}
	pthread_mutex_unlock(&a->lock);
	return good;
}

bool cuv_clients_is_good(struct cuv_clients *a, const struct cuv_client *c)
{
	bool good;

	if (!c->key)
		return true;
	pthread_mutex_lock(&a->lock);
	a->looked_ns = 0;
	look_again(a);
	good = !c->key->info.revoked_s;
	pthread_mutex_unlock(&a->lock);
	return good;
}

bool cuv_clients_are_many(struct cuv_clients *a)
{
	unsigned good = a->env_key != NULL;
	const struct cuv_client_key *k;

	pthread_mutex_lock(&a->lock);
	for (k = a->keys; k && good < 2; k = k->hh.next)
		good += k->info.revoked_s == 0 && k->info.scopes & CUV_SCOPE_RUN;
	pthread_mutex_unlock(&a->lock);
	return good > 1;
}

/* --- how much --- */

static int refuse(struct cuv_error *err, uint64_t retry_s, const char *what, uint32_t bound)
{
	(void)cuv_error_set(err, CUV_E_RATE_LIMITED, "this API key has %u runs %s, and all of them are taken", bound,
			    what);
	err->retry_after_s = (uint32_t)CUV_MAX(retry_s, 1u);
	return -EAGAIN;
}

/* In nanoseconds of a minute, so that a rate needs no fractions of runs. */
static int take_rate(struct cuv_client_key *k, struct cuv_error *err)
{
	const uint64_t cost = MINUTE_NS / CUV_MAX(k->info.rate, 1u), now = cuv_now_ns();

	if (k->info.rate == 0)
		return 0;
	k->credit_ns = CUV_MIN(MINUTE_NS, k->credit_ns + (now - k->filled_ns));
	k->filled_ns = now;
	if (k->credit_ns < cost)
		return refuse(err, (cost - k->credit_ns) / CUV_NS_PER_S + 1, "a minute", k->info.rate);
	k->credit_ns -= cost;
	return 0;
}

int cuv_clients_use_run(struct cuv_clients *a, const struct cuv_client *c, int64_t now_s, struct cuv_error *err)
{
	struct cuv_client_key *k = c->key;
	uint32_t quota;
	int r;

	if (!k)
		return 0;
	pthread_mutex_lock(&a->lock);
	quota = k->info.quota;
	r = take_rate(k, err);
	pthread_mutex_unlock(&a->lock);
	if (r < 0 || quota == 0)
		return r;
	/* Outside of our lock: it may wait for the disk. */
	r = cuv_keys_use(a->store, c->tenant, now_s, quota, err);
	if (r != 0)
		return r < 0 ? r : 0;
	return refuse(err, (uint64_t)(DAY_S - now_s % DAY_S), "a day", quota);
}

int cuv_clients_take_place(struct cuv_clients *a, const struct cuv_client *c, struct cuv_error *err)
{
	struct cuv_client_key *k = c->key;
	int r = 0;

	if (!k)
		return 0;
	pthread_mutex_lock(&a->lock);
	if (k->info.concurrency && k->running >= k->info.concurrency)
		r = refuse(err, BUSY_RETRY_S, "at once", k->info.concurrency);
	else
		k->running++;
	pthread_mutex_unlock(&a->lock);
	return r;
}

void cuv_clients_give_place(struct cuv_clients *a, const struct cuv_client *c)
{
	if (!c->key)
		return;
	pthread_mutex_lock(&a->lock);
	cuv_assert(c->key->running > 0);
	c->key->running--;
	pthread_mutex_unlock(&a->lock);
}

/* Of a stored key, or of the one in the environment. */
static uint32_t *held_by(struct cuv_clients *a, const struct cuv_client *c)
{
	return c->key ? &c->key->held : &a->env_held;
}

/* Nobody else is there to be left anything. */
static bool is_only_one(const struct cuv_clients *a)
{
	return HASH_COUNT(a->keys) + (a->env_key != NULL) <= 1;
}

bool cuv_clients_hold(struct cuv_clients *a, const struct cuv_client *c, uint32_t max_of_one)
{
	bool may;

	pthread_mutex_lock(&a->lock);
	may = *held_by(a, c) < max_of_one || is_only_one(a);
	*held_by(a, c) += may;
	pthread_mutex_unlock(&a->lock);
	return may;
}

void cuv_clients_let_go(struct cuv_clients *a, const struct cuv_client *c)
{
	pthread_mutex_lock(&a->lock);
	cuv_assert(*held_by(a, c) > 0);
	(*held_by(a, c))--;
	pthread_mutex_unlock(&a->lock);
}

struct cuv_charge cuv_clients_charge(struct cuv_clients *a, const struct cuv_client *c, struct cuv_budget *b)
{
	bool shared;

	if (!c)
		return cuv_charge_of(b, &a->strangers_held_bytes, true);
	pthread_mutex_lock(&a->lock);
	shared = !is_only_one(a);
	pthread_mutex_unlock(&a->lock);
	return cuv_charge_of(b, c->key ? &c->key->held_bytes : &a->env_held_bytes, shared);
}

bool cuv_clients_let_in(struct cuv_clients *a, const struct cuv_client *c)
{
	bool in;

	cuv_assert(c->key);
	pthread_mutex_lock(&a->lock);
	in = c->key->let_in < LET_IN_MAX;
	c->key->let_in += in;
	pthread_mutex_unlock(&a->lock);
	return in;
}

void cuv_clients_let_out(struct cuv_clients *a, const struct cuv_client *c)
{
	pthread_mutex_lock(&a->lock);
	cuv_assert(c->key->let_in > 0);
	c->key->let_in--;
	pthread_mutex_unlock(&a->lock);
}
