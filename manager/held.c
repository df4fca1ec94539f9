/* SPDX-License-Identifier: MIT */
#include "manager/held.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "manager/job.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DAY_S 86400

struct cuv_held_env {
	atomic_uint refs;
	uint64_t until_ns; /* under the table's lock, as all that follows but the environment */
	uint32_t uses;	   /* that the builder has not been told of */
	/* What was asked for. */
	enum cuv_env_source source;
	char python[sizeof(((struct cuv_env_ask *)0)->python)];
	char digest[CUV_ENV_DIGEST_SIZE];
	int64_t exclude_s;
	int64_t day; /* where that is today's date */
	char *text;  /* owned */
	size_t len;
	/* What it is. */
	struct cuv_environment environment;
	int lock, lease; /* owned */
};

static void env_free(struct cuv_held_env *env)
{
	cuv_environment_done(&env->environment);
	(void)cuv_close(env->lock);
	(void)cuv_close(env->lease);
	free(env->text);
	free(env);
}

struct cuv_held_env *cuv_held_unref(struct cuv_held_env *env)
{
	if (env && atomic_fetch_sub(&env->refs, 1) == 1)
		env_free(env);
	return NULL;
}

int cuv_held_lock_fd(const struct cuv_held_env *env)
{
	return env->lock;
}

/* --- the table; its lock is held --- */

/* The day of who asked so many seconds ago: it decides what may be chosen. */
static int64_t day_of(const struct cuv_env_ask *ask, uint64_t ago_s)
{
	return ask->source == CUV_ENV_REQUIREMENTS && ask->exclude_s == 0 ? (cuv_wall_s() - (int64_t)ago_s) / DAY_S : 0;
}

static bool is_asked_for(const struct cuv_held_env *env, const struct cuv_env_ask *ask, const char *text, size_t len)
{
	return env->len == len && env->source == ask->source && env->exclude_s == ask->exclude_s &&
	       strcmp(env->python, ask->python) == 0 && strcmp(env->digest, ask->digest) == 0 &&
	       (len == 0 || memcmp(env->text, text, len) == 0) && env->day == day_of(ask, 0);
}

static size_t find(const struct cuv_held *h, const struct cuv_env_ask *ask, const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < h->n && !is_asked_for(h->items[i], ask, text, len); i++)
		;
	return i;
}

/* The sealed manager has no fstat. */
static bool is_wanted(const struct cuv_held_env *env)
{
	return lseek(env->lease, 0, SEEK_END) > 0;
}

/* A place for one that is asked for like this: its own, a free one, or that whose time is over first. */
static size_t place(struct cuv_held *h, const struct cuv_env_ask *ask, const char *text, size_t len)
{
	const size_t own = find(h, ask, text, len);
	size_t i, first = 0;

	if (own < h->n)
		return own;
	if (h->n < CUV_HELD_MAX) {
		h->items[h->n] = NULL;
		return h->n++;
	}
	for (i = 1; i < h->n; i++)
		if (h->items[i]->until_ns < h->items[first]->until_ns)
			first = i;
	return first;
}

/* --- the thread --- */

static void tell(const struct cuv_held *h, const struct cuv_held_env *env)
{
	struct cuv_env_used used = {.count = env->uses};
	_cleanup_writer_ struct cuv_writer w;

	memcpy(used.digest, env->environment.digest, sizeof(used.digest));
	cuv_writer_init(&w, CUV_MSG_ENV_USED);
	cuv_env_used_put(&w, &used);
	/* It only orders who goes first. */
	if (used.count > 0)
		(void)cuv_close(cuv_peers_tell_builder(h->peers, &w, NULL, 0, NULL));
}

/* The first of the items whose time is over, taken out; NULL: none, and when the next is in *ret_next_ns. */
static struct cuv_held_env *take_over(struct cuv_held *h, uint64_t *ret_next_ns)
{
	const uint64_t now = cuv_now_ns();
	struct cuv_held_env *env;

	*ret_next_ns = CUV_NEVER;
	for (size_t i = 0; i < h->n; i++) {
		env = h->items[i];
		if (h->stop || env->until_ns <= now) {
			h->items[i] = h->items[--h->n];
			return env;
		}
		*ret_next_ns = CUV_MIN(*ret_next_ns, env->until_ns);
	}
	return NULL;
}

static void wait_until(struct cuv_held *h, uint64_t ns)
{
	const struct timespec ts = {.tv_sec = (time_t)(ns / CUV_NS_PER_S), .tv_nsec = (long)(ns % CUV_NS_PER_S)};

	if (ns == CUV_NEVER)
		(void)pthread_cond_wait(&h->moved, &h->lock);
	else
		(void)pthread_cond_timedwait(&h->moved, &h->lock, &ts);
}

static void *held_thread(void *arg)
{
	struct cuv_held *h = arg;
	struct cuv_held_env *env;
	uint64_t next_ns;

	pthread_mutex_lock(&h->lock);
	for (;;) {
		env = take_over(h, &next_ns);
		if (env) {
			pthread_mutex_unlock(&h->lock);
			tell(h, env);
			(void)cuv_held_unref(env);
			pthread_mutex_lock(&h->lock);
		} else if (h->stop) {
			break;
		} else {
			wait_until(h, next_ns);
		}
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

int cuv_held_start(struct cuv_held *h, const struct cuv_peers *peers)
{
	pthread_condattr_t attr;

	*h = (struct cuv_held){.peers = peers};
	pthread_mutex_init(&h->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&h->moved, &attr);
	pthread_condattr_destroy(&attr);
	return -pthread_create(&h->thread, NULL, held_thread, h);
}

void cuv_held_stop(struct cuv_held *h)
{
	pthread_mutex_lock(&h->lock);
	h->stop = true;
	pthread_cond_signal(&h->moved);
	pthread_mutex_unlock(&h->lock);
	pthread_join(h->thread, NULL);
	pthread_cond_destroy(&h->moved);
	pthread_mutex_destroy(&h->lock);
}

/* --- taking and giving --- */

static int copy_list(const struct cuv_strv *from, struct cuv_strv *to)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->n; i++)
		r = cuv_strv_add(to, from->items[i]);
	return r;
}

static int copy(const struct cuv_environment *from, struct cuv_environment *ret)
{
	int r;

	*ret = *from;
	ret->packages = ret->closure = CUV_STRV_INIT;
	r = copy_list(&from->packages, &ret->packages);
	if (r == 0)
		r = copy_list(&from->closure, &ret->closure);
	if (r < 0) {
		cuv_environment_done(ret);
		*ret = CUV_ENVIRONMENT_INIT;
	}
	return r;
}

struct cuv_held_env *cuv_held_take(struct cuv_held *h, const struct cuv_env_ask *ask, const char *text, size_t len,
				   struct cuv_environment *ret)
{
	struct cuv_held_env *env = NULL;
	size_t i;

	pthread_mutex_lock(&h->lock);
	i = find(h, ask, text, len);
	if (i < h->n && h->items[i]->until_ns > cuv_now_ns()) {
		if (is_wanted(h->items[i])) {
			h->items[i]->until_ns = 0;
			pthread_cond_signal(&h->moved);
		} else {
			env = h->items[i];
			env->uses++;
			atomic_fetch_add(&env->refs, 1);
		}
	}
	pthread_mutex_unlock(&h->lock);
	return env && copy(&env->environment, ret) == 0 ? env : cuv_held_unref(env);
}

static struct cuv_held_env *new_env(const struct cuv_env_ask *ask, const char *text, size_t len,
				    const struct cuv_environment *e)
{
	struct cuv_held_env *env = calloc(1, sizeof(*env));

	if (!env)
		return NULL;
	env->lock = env->lease = -1;
	env->source = ask->source;
	memcpy(env->python, ask->python, sizeof(env->python));
	memcpy(env->digest, ask->digest, sizeof(env->digest));
	env->exclude_s = ask->exclude_s;
	env->day = day_of(ask, (e->resolve_ns + e->build_ns) / CUV_NS_PER_S);
	env->len = len;
	env->text = malloc(len + 1);
	if (!env->text || copy(e, &env->environment) < 0) {
		env_free(env);
		return NULL;
	}
	if (len)
		memcpy(env->text, text, len);
	env->environment.cached = true;
	env->environment.resolve_ns = env->environment.build_ns = 0;
	return env;
}

struct cuv_held_env *cuv_held_put(struct cuv_held *h, const struct cuv_env_ask *ask, const char *text, size_t len,
				  const struct cuv_environment *e, int *lock, int *lease)
{
	struct cuv_held_env *env, *before;
	size_t i;

	if (len > CUV_HELD_TEXT_MAX || *lock < 0 || *lease < 0)
		return NULL;
	env = new_env(ask, text, len, e);
	if (!env)
		return NULL;
	env->lock = TAKE_FD(*lock);
	env->lease = TAKE_FD(*lease);
	env->until_ns = cuv_deadline_ms(CUV_HELD_MS);
	atomic_init(&env->refs, 2);
	pthread_mutex_lock(&h->lock);
	i = place(h, ask, text, len);
	before = h->items[i];
	h->items[i] = env;
	/* One that had to make room is not counted: that is not worth a message here. */
	if (before && strcmp(before->environment.digest, e->digest) == 0)
		env->uses = before->uses;
	if (h->n == 1)
		pthread_cond_signal(&h->moved);
	pthread_mutex_unlock(&h->lock);
	(void)cuv_held_unref(before);
	return env;
}
