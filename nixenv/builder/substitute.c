/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/substitute.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "nixenv/builder/ask_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HANDS_MAX 4
#define DOWN_S 60

enum state {
	MISSING, /* no cache has it, so far */
	SIGNED,	 /* one does */
	FETCHED,
	TAKEN_UP, /* by a thread */
	VALID,
	REFUSED, /* it is not what was signed, or what it needs is not there */
};

struct item {
	struct cuv_cache_question q;
	const struct cuv_trusted_cache *cache;
	enum state state;
	char *url;
	char *file;
};

struct hand {
	struct taking *t;
	struct cuv_nix_daemon *daemon; /* lent, where s->n_daemons says so */
	pthread_t thread;
	bool started;
	bool broken; /* a call failed: the daemon may wait for more of it */
};

/* All items, the environment last. */
struct taking {
	const struct cuv_substitute *s;
	uint64_t deadline_ns;
	struct item *items;
	size_t n;
	struct hand hands[HANDS_MAX];
	size_t n_hands;

	pthread_mutex_t mutex; /* over the states, once there are threads */
	pthread_cond_t wake;
	bool closed; /* nothing more is fetched */
};

/* What was lent goes back as it came, or not at all. */
static void give_back(struct hand *h, struct cuv_nix_daemon **lent)
{
	if (!lent || h->broken)
		cuv_nix_daemon_freep(&h->daemon);
	else
		cuv_nix_daemon_limit(h->daemon, CUV_NEVER);
	if (lent)
		*lent = h->daemon;
}

static void taking_done(struct taking *t)
{
	for (size_t i = 0; i < t->n_hands; i++)
		give_back(&t->hands[i], t->s->n_daemons ? &t->s->daemons[i] : NULL);
	for (size_t i = 0; t->items && i < t->n; i++) {
		cuv_narinfo_done(&t->items[i].q.info);
		free(t->items[i].url);
		free(t->items[i].file);
	}
	free(t->items);
	(void)pthread_cond_destroy(&t->wake);
	(void)pthread_mutex_destroy(&t->mutex);
}

static size_t count(const struct taking *t, enum state state)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		n += t->items[i].state == state;
	return n;
}

static struct item *find(const struct taking *t, const char *store_name)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->items[i].q.store_name, store_name) == 0)
			return &t->items[i];
	return NULL;
}

static int add_hand(struct taking *t)
{
	struct cuv_error err = CUV_ERROR_INIT;
	struct hand *h = &t->hands[t->n_hands];

	if (t->s->n_daemons ? t->n_hands == t->s->n_daemons
			    : cuv_nix_daemon_start(t->s->b, t->s->work, &h->daemon, &err) < 0)
		return -EIO;
	if (t->s->n_daemons)
		h->daemon = t->s->daemons[t->n_hands];
	cuv_nix_daemon_limit(h->daemon, t->deadline_ns);
	h->t = t;
	t->n_hands++;
	return 0;
}

/* --- caches that are down --- */

static void down_path(const struct taking *t, const struct cuv_trusted_cache *cache, char ret[PATH_MAX])
{
	char name[32];

	(void)snprintf(name, sizeof(name), "down-%zu", (size_t)(cache - t->s->b->caches.items));
	cuv_path_join(t->s->b->state.tmp, name, ret);
}

static bool is_down(const struct taking *t, const struct cuv_trusted_cache *cache)
{
	char path[PATH_MAX];
	struct stat st;
	time_t now = time(NULL);

	down_path(t, cache, path);
	return lstat(path, &st) == 0 && st.st_mtime <= now && now - st.st_mtime < DOWN_S;
}

static void note_down(const struct taking *t, const struct cuv_trusted_cache *cache)
{
	char path[PATH_MAX];

	down_path(t, cache, path);
	(void)cuv_builder_write(&t->s->b->state, path, "", 0);
}

/* --- what there is --- */

/* Asks one cache about all that is still missing. */
static int ask(struct taking *t, const struct cuv_trusted_cache *cache)
{
	_cleanup_free_ struct cuv_cache_question *q = calloc(t->n, sizeof(*q));
	_cleanup_free_ size_t *index = calloc(t->n, sizeof(*index));
	size_t n = 0;
	int r;

	if (!q || !index)
		return -ENOMEM;
	for (size_t i = 0; i < t->n; i++)
		if (t->items[i].state == MISSING) {
			q[n].store_name = t->items[i].q.store_name;
			index[n++] = i;
		}
	r = n ? cuv_ask_cache(t->s->b, cache, q, n, t->s->cancel_fd) : 0;
	if (r == -EHOSTUNREACH)
		note_down(t, cache);
	for (size_t i = 0; i < n; i++) {
		struct item *item = &t->items[index[i]];

		if (!q[i].sig)
			continue;
		item->q = q[i];
		item->cache = cache;
		item->state = SIGNED;
	}
	return r;
}

static void ask_all(struct taking *t)
{
	const struct cuv_caches *c = &t->s->b->caches;
	int r = 0;

	for (size_t i = 0; r != -ECANCELED && r != -ENOMEM && i < c->n && count(t, MISSING) > 0; i++)
		if (!is_down(t, &c->items[i]))
			r = ask(t, &c->items[i]);
}

static int ask_valid(struct taking *t)
{
	_cleanup_strv_ struct cuv_strv names = CUV_STRV_INIT;
	_cleanup_free_ bool *valid = calloc(t->n, sizeof(*valid));
	struct cuv_error err = CUV_ERROR_INIT;

	for (size_t i = 0; i < t->n; i++)
		if (cuv_strv_add(&names, t->items[i].q.store_name) < 0)
			return -ENOMEM;
	if (!valid)
		return -ENOMEM;
	if (cuv_nix_daemon_valid(t->hands[0].daemon, &names, valid, &err) < 0) {
		t->hands[0].broken = true;
		return -EIO;
	}
	for (size_t i = 0; i < t->n; i++)
		if (valid[i])
			t->items[i].state = VALID;
	return 0;
}

/* An image is never taken along: which ones there are is the operator's to say. */
static bool is_image(const struct cuv_builder *b, const char *store_name)
{
	for (size_t i = 0; i < b->pins.n_pythons; i++)
		if (strcmp(b->pins.pythons[i].image.store_name, store_name) == 0)
			return cuv_builder_has_path(&b->state, store_name);
	return false;
}

/* What refers to anything that will not be there is left to be built. One that is dropped
 * may be what another refers to. */
static void drop_incomplete(struct taking *t)
{
	bool again;

	do {
		again = false;
		for (size_t i = 0; i < t->n; i++) {
			struct item *item = &t->items[i];

			for (size_t k = 0; item->state == SIGNED && k < item->q.info.refs.n; k++) {
				const char *ref = item->q.info.refs.items[k];
				const struct item *other = find(t, ref);

				if (other ? other->state == SIGNED || other->state == VALID : is_image(t->s->b, ref))
					continue;
				item->state = REFUSED;
				again = true;
			}
		}
	} while (again);
}

/* --- the threads --- */

/* Whether all that it refers to is valid. */
static bool is_ready(const struct taking *t, const struct item *item)
{
	for (size_t i = 0; i < item->q.info.refs.n; i++) {
		const struct item *other = find(t, item->q.info.refs.items[i]);

		if (other && other != item && other->state != VALID)
			return false;
	}
	return true;
}

/* Under the mutex. */
static struct item *next_item(struct taking *t)
{
	struct item *found = NULL;

	for (size_t i = 0; i < t->n; i++) {
		struct item *item = &t->items[i];

		if (item->state == FETCHED && is_ready(t, item) &&
		    (!found || item->q.info.nar_bytes > found->q.info.nar_bytes))
			found = item;
	}
	return found;
}

static bool take(struct hand *h, const struct item *item)
{
	struct cuv_error err = CUV_ERROR_INIT;
	_cleanup_close_ int fd = open(item->file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int r = fd < 0 ? -errno : cuv_nix_daemon_add_nar(h->daemon, &item->q.info, item->q.sig, fd, &err);

	(void)unlink(item->file);
	if (r < 0)
		cuv_log(CUV_LOG_WARNING, "substitute-refused", CUV_S("path", item->q.store_name),
			CUV_S("cache", item->cache->url), CUV_S("code", cuv_error_name(err.code)),
			CUV_S("error", err.message));
	return r == 0;
}

static void *hand_main(void *arg)
{
	struct hand *h = arg;
	struct taking *t = h->t;

	(void)pthread_mutex_lock(&t->mutex);
	/* When nothing more comes, what waits for what was refused is not waited for. */
	for (;;) {
		struct item *item = next_item(t);
		bool good;

		if (!item && t->closed && count(t, TAKEN_UP) == 0)
			break;
		if (!item) {
			(void)pthread_cond_wait(&t->wake, &t->mutex);
			continue;
		}
		item->state = TAKEN_UP;
		(void)pthread_mutex_unlock(&t->mutex);
		good = take(h, item);
		(void)pthread_mutex_lock(&t->mutex);
		item->state = good ? VALID : REFUSED;
		(void)pthread_cond_broadcast(&t->wake);
		/* Its daemon may be of no use any more; others go on. */
		h->broken = !good;
		if (!good)
			break;
	}
	(void)pthread_mutex_unlock(&t->mutex);
	return NULL;
}

struct fetching {
	struct taking *t;
	struct cuv_download *downloads;
	struct item **items; /* of the downloads */
};

static bool on_file(void *arg, const struct cuv_download *d)
{
	struct fetching *f = arg;

	(void)pthread_mutex_lock(&f->t->mutex);
	f->items[d - f->downloads]->state = FETCHED;
	(void)pthread_cond_broadcast(&f->t->wake);
	(void)pthread_mutex_unlock(&f->t->mutex);
	return true;
}

/* Fills in the downloads; their number. */
static size_t list_downloads(struct fetching *f)
{
	struct taking *t = f->t;
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		struct item *item = &t->items[i];

		if (item->state != SIGNED)
			continue;
		if (asprintf(&item->url, "%s%s", item->cache->url, item->q.info.url) < 0)
			item->url = NULL;
		if (asprintf(&item->file, "%s/%.*s.nar", t->s->work, CUV_ENV_DIGEST_SIZE - 1, item->q.store_name) < 0)
			item->file = NULL;
		if (!item->url || !item->file)
			return 0;
		f->items[n] = item;
		f->downloads[n++] = (struct cuv_download){.url = item->url,
							  .path = item->file,
							  .what = "an archive of a cache",
							  .source = CUV_SOURCE_INDEX,
							  .unhashed = true,
							  .size_bytes = item->q.info.file_bytes};
	}
	return n;
}

/* One that fails ends all that are on their way; what is there is used. */
static void fetch_all(struct taking *t)
{
	_cleanup_free_ struct cuv_download *downloads = calloc(t->n, sizeof(*downloads));
	_cleanup_free_ struct item **items = calloc(t->n, sizeof(struct item *));
	struct fetching f = {.t = t, .downloads = downloads, .items = items};
	struct cuv_download_options o = {
		.settings = &t->s->b->settings,
		.bytes_max = CUV_CLOSURE_BYTES_MAX,
		.deadline_ns = t->deadline_ns,
		.cancel_fd = t->s->cancel_fd,
		.on_progress = t->s->on_progress,
		.on_file = on_file,
		.arg = t->s->arg,
		.file_arg = &f,
	};
	struct cuv_error err = CUV_ERROR_INIT;
	size_t n = downloads && items ? list_downloads(&f) : 0;

	if (n > 0 && cuv_download_all(downloads, n, &o, &err) < 0)
		cuv_log(CUV_LOG_WARNING, "substitute-failed", CUV_S("code", cuv_error_name(err.code)),
			CUV_S("error", err.message));
}

static void fetch_and_take(struct taking *t)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t wanted = CUV_MIN(CUV_MIN((size_t)CUV_MAX(cpus, 1L), count(t, SIGNED)), (size_t)HANDS_MAX);

	while (t->n_hands < wanted && add_hand(t) == 0)
		;
	for (size_t i = 0; i < t->n_hands; i++)
		t->hands[i].started = pthread_create(&t->hands[i].thread, NULL, hand_main, &t->hands[i]) == 0;
	fetch_all(t);
	(void)pthread_mutex_lock(&t->mutex);
	t->closed = true;
	(void)pthread_cond_broadcast(&t->wake);
	(void)pthread_mutex_unlock(&t->mutex);
	for (size_t i = 0; i < t->n_hands; i++)
		if (t->hands[i].started)
			(void)pthread_join(t->hands[i].thread, NULL);
}

/* --- all --- */

static bool substitute(struct taking *t)
{
	size_t before, now;

	if (add_hand(t) < 0 || ask_valid(t) < 0)
		return false;
	before = count(t, VALID);
	if (before < t->n) {
		ask_all(t);
		drop_incomplete(t);
		if (count(t, SIGNED) > 0)
			fetch_and_take(t);
	}
	now = count(t, VALID);
	if (now > before)
		cuv_log(CUV_LOG_INFO, "substituted", CUV_S("environment", t->items[t->n - 1].q.store_name),
			CUV_I("paths", now - before), CUV_I("missing", t->n - now));
	return now == t->n;
}

/* What a cache says belongs to an environment: what it refers to, but for the image. */
static int find_installs(const struct cuv_substitute *s, const char *env, struct cuv_strv *ret)
{
	struct item item = {.q.store_name = env};
	struct taking t = {.s = s, .items = &item, .n = 1};
	int r = 0;

	ask_all(&t);
	if (item.state != SIGNED)
		return -ENOENT;
	for (size_t i = 0; r == 0 && i < item.q.info.refs.n; i++) {
		const char *ref = item.q.info.refs.items[i];

		if (strcmp(ref, env) != 0 && !is_image(s->b, ref))
			r = cuv_strv_add(ret, ref);
	}
	cuv_narinfo_done(&item.q.info);
	return r;
}

bool cuv_substitute(const struct cuv_substitute *s, const char *env, const struct cuv_strv *installs)
{
	uint64_t now = cuv_now_ns();
	struct taking t = {.s = s, .deadline_ns = now + (s->deadline_ns > now ? (s->deadline_ns - now) / 2 : 0)};
	_cleanup_strv_ struct cuv_strv found = CUV_STRV_INIT;
	bool all = false;

	if (s->b->caches.n == 0 || (!installs && find_installs(s, env, &found) < 0))
		return false;
	installs = installs ? installs : &found;
	t.n = installs->n + 1;
	t.items = calloc(t.n, sizeof(*t.items));
	(void)pthread_mutex_init(&t.mutex, NULL);
	(void)pthread_cond_init(&t.wake, NULL);
	if (t.items) {
		for (size_t i = 0; i < installs->n; i++)
			t.items[i].q.store_name = installs->items[i];
		t.items[installs->n].q.store_name = env;
		all = substitute(&t);
	}
	taking_done(&t);
	return all;
}
