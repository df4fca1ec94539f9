/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/evict.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/lease.h"
#include "lib/base/log.h"
#include "nixenv/builder/interpreter.h"
#include "nixenv/builder/locks.h"
#include "nixenv/builder/nix.h"
#include "nixenv/builder/public.h"
#include "nixenv/pylock_write.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define LOCK_WAIT_MS 30000 /* for what is being made to end */
#define LOCK_PAUSE_US 20000
#define COLLECT_MS 300000
#define LET_GO_MS 3000 /* for zygotes: the launcher looks once a second */
#define LET_GO_PAUSE_US 100000
#define BATCH 64 /* names read at once */
#define ROUNDS 4 /* of evicting and looking again */

/* --- the store's lock --- */

static int open_lock(const struct cuv_builder *b, const char *name)
{
	char path[PATH_MAX];
	int fd;

	cuv_path_join(b->state.nix, name, path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	return fd < 0 ? -errno : fd;
}

static int lock_shared(const struct cuv_builder *b, const char *name)
{
	_cleanup_close_ int fd = open_lock(b, name);

	if (fd < 0)
		return fd;
	while (flock(fd, LOCK_SH) < 0)
		if (errno != EINTR)
			return -errno;
	return TAKE_FD(fd);
}

static int lock_alone(const struct cuv_builder *b, const char *name, uint64_t deadline_ns)
{
	_cleanup_close_ int fd = open_lock(b, name);

	if (fd < 0)
		return fd;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (cuv_now_ns() >= deadline_ns)
			return -EBUSY;
		(void)usleep(LOCK_PAUSE_US);
	}
	return TAKE_FD(fd);
}

int cuv_store_share(const struct cuv_builder *b)
{
	int turn = lock_shared(b, "gc.turn");

	if (turn < 0)
		return turn;
	(void)cuv_close(turn);
	return lock_shared(b, "gc.lock");
}

int cuv_store_alone(const struct cuv_builder *b)
{
	uint64_t deadline = cuv_deadline_ms(LOCK_WAIT_MS);
	_cleanup_close_ int turn = lock_alone(b, "gc.turn", deadline);

	return turn < 0 ? turn : lock_alone(b, "gc.lock", deadline);
}

/* --- one environment --- */

static void forget_lock(const struct cuv_builder *b, struct cuv_ledger *l, const char *lock)
{
	static const char *const endings[] = {".json", ".toml", CUV_PYLOCK_SUFFIX};
	char name[CUV_SHA256_HEX_SIZE + 16], path[PATH_MAX];
	uint64_t others;

	if (!lock[0] || cuv_ledger_count_lock(l, lock, &others) < 0 || others > 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		(void)snprintf(name, sizeof(name), "%s%s", lock, endings[i]);
		cuv_path_join(b->state.locks, name, path);
		(void)unlink(path);
	}
}

int cuv_evict_one(const struct cuv_builder *b, struct cuv_ledger *l, const char *env, uint64_t *ret_freed)
{
	_cleanup_strv_ struct cuv_strv keys = CUV_STRV_INIT;
	_cleanup_close_ int lease = cuv_lease_seize(b->state.leases, env);
	struct cuv_ledger_row row = {0};
	int r;

	if (lease == -EBUSY)
		(void)cuv_lease_want(b->state.leases, env, true);
	if (lease < 0)
		return lease;
	r = cuv_ledger_find(l, env, &row);
	if (r >= 0)
		r = cuv_ledger_keys(l, env, &keys);
	if (r < 0)
		return r;
	/* The environment's own link last: while it is there it is known. */
	for (size_t i = 0; i < keys.n; i++)
		cuv_index_drop_key(b, keys.items[i]);
	cuv_index_drop(b, env);
	r = cuv_ledger_begin(l);
	if (r == 0 && (r = cuv_ledger_forget(l, env)) == 0)
		r = cuv_ledger_commit(l);
	forget_lock(b, l, row.lock);
	(void)unlinkat(b->state.leases, env, 0);
	if (b->evicted)
		atomic_fetch_add(b->evicted, 1);
	cuv_log(CUV_LOG_INFO, "environment-evicted", CUV_S("environment", env), CUV_I("bytes", row.free_bytes));
	*ret_freed = row.free_bytes;
	return r;
}

/* --- many --- */

struct eviction {
	const struct cuv_builder *b;
	struct cuv_ledger *l;
	struct cuv_eviction *ret;
	size_t skip;		/* of the oldest: those that stay */
	struct cuv_strv leased; /* of these, what has been asked for */
};

/* The oldest that can go: 0; 1 when all that are left are in use or pinned; -errno. */
static int evict_oldest(struct eviction *e, uint64_t *ret_freed)
{
	for (;;) {
		_cleanup_strv_ struct cuv_strv names = CUV_STRV_INIT;
		int r = cuv_ledger_oldest(e->l, e->skip, BATCH, &names);

		if (r < 0)
			return r;
		if (names.n == 0)
			return 1;
		for (size_t i = 0; i < names.n; i++) {
			if (cuv_index_pinned(e->b, names.items[i])) {
				e->ret->pinned++;
				e->skip++;
				continue;
			}
			r = cuv_evict_one(e->b, e->l, names.items[i], ret_freed);
			if (r == 0)
				e->ret->evicted++;
			if (r != -EBUSY)
				return r;
			e->ret->leased++;
			e->skip++;
			if (!cuv_strv_has(&e->leased, names.items[i]))
				(void)cuv_strv_add(&e->leased, names.items[i]);
		}
	}
}

/* Until both numbers are kept, as far as it can be. */
static int evict_down(struct eviction *e, const struct cuv_ledger_totals *t, uint64_t bytes, uint64_t count)
{
	uint64_t live = t->live_bytes, left = t->environments;
	int r = 0;

	while (r == 0 && (live > bytes || left > count)) {
		uint64_t freed = 0;

		r = evict_oldest(e, &freed);
		live -= CUV_MIN(freed, live);
		left -= left > 0;
	}
	return r < 0 ? r : 0;
}

/* Notes of what Nix has collected. */
static void forget_collected(const struct cuv_builder *b)
{
	DIR *d = opendir(b->state.known);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && !cuv_builder_has_path(&b->state, e->d_name))
			cuv_index_forget(b, e->d_name);
	if (d)
		(void)closedir(d);
}

/* What may be given to others is noted again when it is made again. */
static void forget_notes(const struct cuv_builder *b)
{
	DIR *d = opendir(b->state.publics);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && !cuv_builder_has_path(&b->state, e->d_name))
			cuv_public_forget(b, e->d_name);
	if (d)
		(void)closedir(d);
}

/* Lock files of environments that are not there, as a builder makes one by looking. */
static void forget_leases(const struct cuv_builder *b)
{
	DIR *d = fdopendir(openat(b->state.leases, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *e;

	while (d && (e = readdir(d))) {
		_cleanup_close_ int lease = -1;

		if (e->d_name[0] == '.' || cuv_index_has(b, e->d_name))
			continue;
		lease = cuv_lease_seize(b->state.leases, e->d_name);
		if (lease >= 0 && !cuv_index_has(b, e->d_name))
			(void)unlinkat(b->state.leases, e->d_name, 0);
	}
	if (d)
		(void)closedir(d);
}

/* Requests' links to environments that are not known: made as theirs went, by who found
 * them just before. They would keep the paths, and be in nobody's count. What is only
 * known as damaged stays for whoever still uses it. */
static void forget_requests(const struct cuv_builder *b)
{
	char path[PATH_MAX], env[CUV_STORE_NAME_SIZE];
	struct dirent *e;
	DIR *d;

	cuv_path_join(b->state.roots, "req", path);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		_cleanup_close_ int lease = -1;
		struct cuv_key key = {0};

		if (strlen(e->d_name) != sizeof(key.hex) - 1)
			continue;
		memcpy(key.hex, e->d_name, sizeof(key.hex) - 1);
		if (cuv_index_target(b, &key, env) != 0 || cuv_index_has(b, env))
			continue;
		lease = cuv_lease_seize(b->state.leases, env);
		if (lease >= 0 && !cuv_index_has(b, env))
			cuv_index_drop_key(b, key.hex);
	}
	if (d)
		(void)closedir(d);
}

static int collect(const struct cuv_builder *b, struct cuv_ledger *l, const char *tmp, int cancel_fd,
		   struct cuv_eviction *ret, struct cuv_error *err)
{
	const struct cuv_nix_options nix = {
		.tmp = tmp, .deadline_ns = cuv_deadline_ms(COLLECT_MS), .cancel_fd = cancel_fd};
	_cleanup_close_ int alone = cuv_store_alone(b);
	struct cuv_ledger_totals before = {0}, after = {0};

	ret->busy = alone < 0;
	if (alone < 0)
		return 0;
	forget_requests(b);
	cuv_locks_let_go(b);
	cuv_interpreters_forget(b);
	if (l)
		(void)cuv_ledger_totals(l, &before);
	if (cuv_nix_collect(b, &nix, err) < 0)
		return -EINVAL;
	ret->collected = true;
	forget_collected(b);
	forget_notes(b);
	forget_leases(b);
	if (l)
		(void)cuv_ledger_totals(l, &after);
	if (before.store_bytes > after.store_bytes)
		ret->freed += before.store_bytes - after.store_bytes;
	cuv_log(CUV_LOG_INFO, "store-collected", CUV_I("freed_bytes", ret->freed),
		CUV_I("store_bytes", after.store_bytes));
	return 0;
}

static int ledger_failed(int r, struct cuv_error *err)
{
	if (r == -ENOSPC)
		return cuv_error_set(err, CUV_E_NO_SPACE, "the service's disk is full");
	return cuv_error_set(err, CUV_E_INTERNAL, "the ledger of environments can't be read: %s", strerror(-r));
}

/* Those in use: taken back the word that they are wanted. */
static void leave_alone(struct eviction *e)
{
	for (size_t i = 0; i < e->leased.n; i++)
		(void)cuv_lease_want(e->b->state.leases, e->leased.items[i], false);
	cuv_strv_done(&e->leased);
	e->leased = CUV_STRV_INIT;
	e->skip = 0;
}

/* Those of long ago; all where everything is to go, or that was not enough. */
static int forget_locks(struct eviction *e, bool hurry)
{
	int n = cuv_locks_forget(e->b, e->l, hurry ? CUV_LOCKS_KEEP_MIN_S : CUV_LOCKS_KEEP_S);

	e->ret->locks += (uint64_t)CUV_MAX(n, 0);
	return CUV_MIN(n, 0);
}

static bool passes(const struct cuv_ledger_totals *t, uint64_t bytes, uint64_t count)
{
	return t->live_bytes > bytes || t->environments > count;
}

/* As evict_down; then, if what is in use would have to go too, a moment for zygotes
 * without runs to let go of it, and once more. */
static int evict_patiently(struct eviction *e, uint64_t bytes, uint64_t count, struct cuv_ledger_totals *t)
{
	uint64_t deadline = cuv_deadline_ms(LET_GO_MS);
	int r = 0;

	for (;;) {
		e->ret->leased = e->ret->pinned = e->skip = 0;
		r = evict_down(e, t, bytes, count);
		if (r < 0 || (r = cuv_ledger_live(e->l, t)) < 0)
			return r;
		if (e->ret->leased == 0 || !passes(t, bytes, count) || cuv_now_ns() >= deadline)
			return 0;
		(void)usleep(LET_GO_PAUSE_US);
	}
}

int cuv_evict(const struct cuv_builder *b, struct cuv_ledger *l, const struct cuv_evict_how *how,
	      struct cuv_eviction *ret, struct cuv_error *err)
{
	_cleanup_(leave_alone) struct eviction e = {.b = b, .l = l, .ret = ret};
	const uint64_t bytes = how->none ? 0 : how->budget.bytes ? how->budget.bytes : UINT64_MAX;
	const uint64_t count = how->none ? 0 : how->budget.count ? how->budget.count : UINT64_MAX;
	uint64_t most = bytes;
	struct cuv_ledger_totals t;
	int r = cuv_ledger_totals(l, &t);

	for (int i = 0; r == 0 && i < ROUNDS; i++) {
		const uint64_t gone = ret->evicted + ret->locks;

		/* A little more than needed, so that not each new one costs a collection. */
		if (passes(&t, most, count))
			r = evict_patiently(&e, most - most / 8, count, &t);
		if (r == 0)
			r = forget_locks(&e, how->none || i > 0);
		if (r < 0 || (ret->evicted + ret->locks == gone && (i > 0 || (!how->always && t.store_bytes <= bytes))))
			break;
		if (collect(b, l, how->tmp, how->cancel_fd, ret, err) < 0)
			return -EINVAL;
		r = cuv_ledger_totals(l, &t);
		if (r < 0 || ret->busy || t.store_bytes <= bytes)
			break;
		/* What is left beside the environments' paths counts too. */
		most = bytes - CUV_MIN(bytes, t.store_bytes - CUV_MIN(t.live_bytes, t.store_bytes));
	}
	return r < 0 ? ledger_failed(r, err) : 0;
}

static uint64_t free_bytes(const struct cuv_builder *b)
{
	struct statvfs fs;

	return statvfs(b->state.store, &fs) == 0 ? fs.f_bavail * fs.f_frsize : 0;
}

int cuv_evict_for_space(const struct cuv_builder *b, const char *tmp, int cancel_fd, struct cuv_eviction *ret,
			struct cuv_error *err)
{
	const uint64_t before = free_bytes(b);
	uint64_t after;

	/* Without the ledger, which may find no space itself. Nix keeps some for this. */
	if (collect(b, NULL, tmp, cancel_fd, ret, err) < 0)
		return -EINVAL;
	after = free_bytes(b);
	ret->freed = after > before ? after - before : 0;
	return 0;
}
