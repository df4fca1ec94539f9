/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/make.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "nixenv/builder/download.h"
#include "nixenv/builder/evict.h"
#include "nixenv/builder/guess.h"
#include "nixenv/builder/indexes.h"
#include "nixenv/builder/installs.h"
#include "nixenv/builder/locate.h"
#include "nixenv/builder/locks.h"
#include "nixenv/builder/metadata.h"
#include "nixenv/builder/place.h"
#include "nixenv/builder/public.h"
#include "nixenv/builder/repository.h"
#include "nixenv/builder/sdist_lock.h"
#include "nixenv/builder/sdist_rounds.h"
#include "nixenv/builder/substitute.h"
#include "nixenv/builder/turn.h"
#include "nixenv/builder/verify.h"
#include "nixenv/builder/wheelhouse.h"
#include "nixenv/pylock_kinds.h"
#include "nixenv/requirements.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A download that takes longer gives up its place among those that install. */
#define SLOW_FETCH_MS 5000
#define WHAT_SIZE 256

/* One environment in the making. */
struct making {
	const struct cuv_make *m;
	const struct cuv_pinned *pinned; /* of the Python asked for */
	struct cuv_requirements *reqs;	 /* NULL: a lock was sent */
	struct cuv_lock lock;
	struct cuv_directs directs; /* wheels that were fetched before the lock was made */
	struct cuv_env_paths paths;
	struct cuv_installs *installs;
	struct cuv_guess *guess;       /* of the lock; NULL: none */
	bool needed[CUV_PACKAGES_MAX]; /* wheels to be fetched */
	uint64_t deadline_ns;	       /* of downloads and build */
	int place;		       /* among those that install; -1: none */
	uint64_t patience_ns;	       /* when a download is too slow for it */
};

/* Its wheels on their way. */
struct fetching {
	struct making *k;
	struct cuv_download items[CUV_PACKAGES_MAX];
	size_t index[CUV_PACKAGES_MAX]; /* which package of the lock */
	size_t n;
	struct cuv_strv files;
	struct cuv_strv names;
	bool refused;
};

static void making_done(struct making *k)
{
	cuv_installs_freep(&k->installs);
	cuv_guess_freep(&k->guess);
	cuv_requirements_freep(&k->reqs);
	k->place = cuv_close(k->place);
	cuv_lock_done(&k->lock);
	cuv_directs_done(&k->directs);
	cuv_env_paths_done(&k->paths);
}

static void progress(const struct cuv_make *m, enum cuv_env_phase phase, uint32_t done, uint32_t total)
{
	m->on_progress(m->arg, &(struct cuv_env_progress){.phase = phase, .done = done, .total = total});
}

/* A name as it may be shown: nothing but what names of wheels have. */
static void set_file(struct cuv_env_progress *p, const char *name)
{
	size_t n = strspn(name, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz.+-!~");

	if (name[n] == '\0')
		(void)snprintf(p->file, sizeof(p->file), "%s", name);
}

static int internal(struct cuv_error *err, const char *what, int r)
{
	cuv_log(CUV_LOG_ERROR, "environment-failed", CUV_S("what", what), CUV_S("error", strerror(-r)));
	if (r == -ENOSPC || r == -EDQUOT) {
		cuv_error_set(err, CUV_E_NO_SPACE, "the service's disk is full");
		err->retry_after_s = 60;
		return -EINVAL;
	}
	return cuv_error_set_errno(err, r, "%s: %s", what, strerror(-r));
}

/* --- the lock --- */

static void on_download(void *arg, const struct cuv_download_progress *p)
{
	struct making *k = arg;
	struct cuv_env_progress said = {
		.phase = CUV_PHASE_DOWNLOADING,
		.done = p->done,
		.total = p->total,
		.bytes_done = p->bytes_done,
		.bytes_total = p->bytes_total,
		.file_done = p->file_done,
		.file_total = p->file_total,
	};

	/* What little comes is installed all the same; others need not wait for it. */
	if (k->place >= 0 && cuv_now_ns() >= k->patience_ns)
		k->place = cuv_close(k->place);
	if (p->file)
		set_file(&said, strrchr(p->file->path, '/') + 1);
	k->m->on_progress(k->m->arg, &said);
}

static struct cuv_download_options download_options(struct making *k)
{
	return (struct cuv_download_options){
		.settings = &k->m->builder->settings,
		.bytes_max = CUV_CLOSURE_BYTES_MAX,
		.deadline_ns = k->deadline_ns,
		.cancel_fd = k->m->cancel_fd,
		.on_progress = on_download,
		.arg = k,
	};
}

/* What can be refused before anything is started for it. */
static int read_requirements(struct making *k, struct cuv_error *err)
{
	const struct cuv_make *m = k->m;

	/* The key would be that of a request that nobody can make yet. */
	if (m->ask.exclude_s > cuv_wall_s())
		return cuv_error_set(err, CUV_E_INTERNAL, "an environment as of a day to come");
	/* The other process promised canonical text; what is not that is not read. */
	if (cuv_requirements_parse_canonical(m->canonical, m->canonical_len, &k->reqs, err) < 0)
		return -EINVAL;
	return cuv_indexes_check(&m->builder->settings, k->reqs, err);
}

static int resolve(struct making *k, struct cuv_error *err)
{
	const struct cuv_make *m = k->m;
	struct cuv_requirements *reqs = k->reqs;
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX);
	_cleanup_buf_ struct cuv_buf constraints = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX);
	struct cuv_download_options o = download_options(k);
	struct cuv_resolve what = {
		.pinned = k->pinned, .exclude_s = m->ask.exclude_s, .cancel_fd = m->cancel_fd, .directs = &k->directs};
	char root[PATH_MAX];
	int r;

	progress(m, CUV_PHASE_RESOLVING, 0, 0);
	if (cuv_directs_fetch(reqs, k->pinned->python, m->work, &o, &k->directs, err) < 0 ||
	    cuv_repositories_build(m, reqs, k->deadline_ns, &k->directs, err) < 0 ||
	    cuv_directs_pin(reqs, &k->directs, err) < 0)
		return -EINVAL;
	if (cuv_directs_text(reqs, &k->directs, &text) < 0 ||
	    cuv_requirements_write_constraints(reqs, &constraints) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	cuv_path_join(m->work, "root", root);
	if (mkdir(root, 0755) < 0)
		return internal(err, "the resolver's folder", -errno);
	what.canonical = cuv_buf_str(&text);
	what.canonical_len = text.len;
	what.constraints = cuv_buf_str(&constraints);
	what.constraints_len = constraints.len;
	what.reqs = reqs;
	what.root = root;
	cuv_guess_start(m, &what, k->installs, &k->guess);
	r = cuv_sdist_rounds(m, &what, &k->lock, err);
	cuv_guess_end(k->guess);
	return r < 0 ? r : cuv_directs_mark(reqs, &k->directs, &k->lock, err);
}

/* A lock that somebody sent. The manager has chosen its wheels, but not where they
 * may be fetched from: no address of its is an index's. */
static int take_lock(struct making *k, struct cuv_error *err)
{
	const struct cuv_make *m = k->m;

	if (cuv_lock_parse(m->canonical, m->canonical_len, &k->lock, err) < 0)
		return -EINVAL;
	for (size_t i = 0; i < k->lock.n; i++) {
		const struct cuv_locked *p = &k->lock.packages[i];

		if (p->origin.kind == CUV_ORIGIN_INDEX ? p->url != NULL : p->origin.url && !p->origin.user_url)
			return cuv_error_set(err, CUV_E_INTERNAL, "the lock names an index's address");
		if (p->origin.kind == CUV_ORIGIN_WHEELHOUSE && !m->wheels && !(m->builder->lock_kinds & CUV_LOCK_PATH))
			return cuv_error_set(
				err, CUV_E_LOCK_UNSUPPORTED,
				"%s comes from a `path`, which is not taken here; lock it as a wheel of an "
				"index, or ask whoever runs the service to allow that kind "
				"(CUVETTE_LOCK_KINDS)",
				p->name);
	}
	if (strcmp(k->lock.python, m->ask.python) != 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "the lock is for Python %s", k->lock.python);
	return cuv_sdist_build_lock(m, &k->lock, cuv_make_step(m, m->ask.build_ms), err);
}

static int make_lock(struct making *k, struct cuv_error *err)
{
	return k->reqs ? resolve(k, err) : take_lock(k, err);
}

/* --- the wheels --- */

/* A wheel is installed while others are still on their way. */
static bool on_file(void *arg, const struct cuv_download *item)
{
	struct fetching *f = arg;
	size_t i = f->index[item - f->items];

	f->k->lock.packages[i].size_bytes = item->size_bytes;
	f->refused = !cuv_installs_give(f->k->installs, i, item->path);
	return !f->refused;
}

/* A wheel's file, of what was given or fetched before the lock was made; or NULL. */
static const char *at_hand(const struct making *k, size_t i)
{
	const struct cuv_direct_wheel *direct;

	if (k->m->wheels)
		return k->m->wheels->items[i];
	direct = cuv_directs_find(&k->directs, &k->lock.packages[i].sha256);
	return direct ? direct->path : NULL;
}

/* What a lock that was sent does not say, or is not believed. */
static int locate_wheels(struct making *k, struct cuv_error *err)
{
	bool wanted[CUV_PACKAGES_MAX] = {false}, any = false;
	struct cuv_locate what = {
		.pinned = k->pinned,
		.wanted = wanted,
		.work = k->m->work,
		.cancel_fd = k->m->cancel_fd,
	};
	_cleanup_close_ int place = -1;

	if (k->m->ask.source != CUV_ENV_LOCK)
		return 0;
	for (size_t i = 0; i < k->lock.n; i++) {
		wanted[i] = k->needed[i] && !at_hand(k, i) && k->lock.packages[i].origin.kind != CUV_ORIGIN_WHEELHOUSE;
		any |= wanted[i];
	}
	if (!any)
		return 0;
	progress(k->m, CUV_PHASE_RESOLVING, 0, 0);
	place = cuv_place_take(k->m->builder, CUV_PLACE_RESOLVE, k->m->deadline_ns, k->m->cancel_fd, err);
	if (place < 0)
		return place;
	what.deadline_ns = cuv_make_step(k->m, k->m->ask.resolve_ms);
	return cuv_locate_wheels(k->m->builder, &what, &k->lock, err);
}

/* What is at hand is given at once. False when something has failed already. */
static bool give_at_hand(struct making *k)
{
	for (size_t i = 0; i < k->lock.n; i++) {
		const char *path = at_hand(k, i);

		if (!k->needed[i] || !path)
			continue;
		k->needed[i] = false;
		if (!cuv_installs_give(k->installs, i, path))
			return false;
	}
	return true;
}

/* Files of whoever runs this. 0; 1 when something has failed already; -EINVAL with err. */
static int give_wheelhouse(struct making *k, struct cuv_error *err)
{
	uint64_t left = CUV_CLOSURE_BYTES_MAX;

	for (size_t i = 0; i < k->lock.n; i++) {
		struct cuv_locked *p = &k->lock.packages[i];
		char name[CUV_STORE_NAME_SIZE], path[PATH_MAX], what[WHAT_SIZE];
		const struct cuv_wheelhouse_copy c = {
			.folder = k->m->builder->wheelhouse,
			.name = p->file,
			.what = what,
			.path = path,
			.sha256 = &p->sha256,
			.bytes_max = CUV_MIN(left, CUV_WHEEL_BYTES_MAX),
			.deadline_ns = k->deadline_ns,
			.cancel_fd = k->m->cancel_fd,
		};

		if (!k->needed[i] || p->origin.kind != CUV_ORIGIN_WHEELHOUSE)
			continue;
		if (cuv_lock_wheel_name(p, name) < 0)
			return internal(err, "a wheel's name", -EINVAL);
		cuv_path_join(k->m->work, name, path);
		(void)snprintf(what, sizeof(what), "the wheel of %.120s %.64s", p->name, p->version);
		if (cuv_wheelhouse_copy(&c, &p->size_bytes, err) < 0)
			return -EINVAL;
		left -= p->size_bytes;
		if (!cuv_installs_give(k->installs, i, path))
			return 1;
	}
	return 0;
}

static void fetching_free(struct fetching **f)
{
	if (*f) {
		cuv_strv_done(&(*f)->files);
		cuv_strv_done(&(*f)->names);
	}
	free(*f);
}

static int list_wheels(struct fetching *f)
{
	struct making *k = f->k;

	for (size_t i = 0; i < k->lock.n; i++) {
		const struct cuv_locked *p = &k->lock.packages[i];
		char name[CUV_STORE_NAME_SIZE];
		int r;

		if (!k->needed[i] || p->origin.kind == CUV_ORIGIN_WHEELHOUSE)
			continue;
		if (!p->url || (r = cuv_lock_wheel_name(p, name)) < 0)
			return -EINVAL;
		if ((r = cuv_strv_addf(&f->files, "%s/%s", k->m->work, name)) < 0 ||
		    (r = cuv_strv_addf(&f->names, "the wheel of %s %s", p->name, p->version)) < 0)
			return r;
		f->index[f->n++] = i;
	}
	for (size_t i = 0; i < f->n; i++) {
		const struct cuv_locked *p = &k->lock.packages[f->index[i]];

		f->items[i] = (struct cuv_download){
			.url = p->url,
			.path = f->files.items[i],
			.what = f->names.items[i],
			.source = p->origin.kind == CUV_ORIGIN_URL ? CUV_SOURCE_USER : CUV_SOURCE_INDEX,
			.hash_known = true,
			.sha256 = p->sha256,
			.size_bytes = p->size_bytes,
		};
	}
	return 0;
}

static int fetch_missing(struct fetching *f, struct cuv_error *err)
{
	struct cuv_download_options o = download_options(f->k);
	int r = list_wheels(f);

	if (r < 0)
		return internal(err, "the list of wheels", r);
	o.on_file = on_file;
	o.file_arg = f;
	if (cuv_download_all(f->items, f->n, &o, err) < 0 && !f->refused)
		return -EINVAL;
	return 0;
}

/* What fails because of an installation is told to who waits for those. */
static int fetch_wheels(struct making *k, struct cuv_error *err)
{
	_cleanup_(fetching_free) struct fetching *f = NULL;

	int r = give_at_hand(k) ? give_wheelhouse(k, err) : 1;

	if (r != 0)
		return CUV_MIN(r, 0);
	f = calloc(1, sizeof(*f));
	if (!f)
		return internal(err, "the list of wheels", -ENOMEM);
	f->k = k;
	return fetch_missing(f, err);
}

/* --- the build --- */

static void on_build(void *arg, uint32_t done, uint32_t total, const struct cuv_locked *largest)
{
	struct cuv_env_progress said = {.phase = CUV_PHASE_BUILDING, .done = done, .total = total};
	struct making *k = arg;
	char name[CUV_STORE_NAME_SIZE];

	if (largest && cuv_lock_wheel_name(largest, name) == 0)
		set_file(&said, name);
	k->m->on_progress(k->m->arg, &said);
}

/* Wheels that the store had already were not measured by a download. */
static void measure_wheels(struct making *k)
{
	for (size_t i = 0; i < k->lock.n; i++) {
		char path[PATH_MAX];
		struct stat st;

		cuv_path_join(k->m->builder->state.store, k->paths.wheels.items[i], path);
		if (k->lock.packages[i].size_bytes == 0 && lstat(path, &st) == 0 && S_ISREG(st.st_mode))
			k->lock.packages[i].size_bytes = (uint64_t)st.st_size;
	}
}

/* What a lock that was sent says of where a wheel comes from is nobody's word but its
 * sender's, unless it was taken from there just now; others are told what is kept. */
static void drop_claims(struct making *k)
{
	static const struct cuv_origin plain = {.kind = CUV_ORIGIN_INDEX};

	for (size_t i = 0; k->m->ask.source == CUV_ENV_LOCK && i < k->lock.n; i++) {
		struct cuv_locked *p = &k->lock.packages[i];

		if ((p->origin.kind != CUV_ORIGIN_URL && p->origin.kind != CUV_ORIGIN_WHEELHOUSE) || k->needed[i])
			continue;
		(void)cuv_lock_set_origin(p, &plain); /* nothing is copied */
		free(p->url);
		p->url = NULL;
	}
}

static int take_place(struct making *k, struct cuv_error *err)
{
	if (k->place >= 0)
		return 0;
	k->place = cuv_place_take(k->m->builder, CUV_PLACE_INSTALL, k->m->deadline_ns, k->m->cancel_fd, err);
	return CUV_MIN(k->place, 0);
}

/* What waiting took is nothing that this one has used up. */
static int begin(struct making *k, struct cuv_error *err)
{
	if (take_place(k, err) < 0)
		return -EINVAL;
	k->deadline_ns = cuv_make_step(k->m, k->m->ask.build_ms);
	k->patience_ns = cuv_deadline_ms(SLOW_FETCH_MS);
	return cuv_installs_begin(k->installs, err);
}

static int wait_installed(struct making *k, struct cuv_error *err)
{
	const struct cuv_installs_wait wait = {
		.deadline_ns = k->deadline_ns, .cancel_fd = k->m->cancel_fd, .on_progress = on_build, .arg = k};

	return cuv_installs_wait(k->installs, &wait, err);
}

/* What others have built is not built again; what of it can't be had is. */
static bool substitute(struct making *k, const char *env, const struct cuv_strv *installs)
{
	struct cuv_substitute s = {
		.b = k->m->builder,
		.work = k->m->work,
		.deadline_ns = k->deadline_ns,
		.cancel_fd = k->m->cancel_fd,
		.on_progress = on_download,
		.arg = k,
	};

	if (k->installs)
		s.daemons = cuv_installs_lend(k->installs, &s.n_daemons);
	k->patience_ns = cuv_deadline_ms(SLOW_FETCH_MS);
	return cuv_substitute(&s, env, installs);
}

/* What was begun while the resolver was asked is what it says, or is given up. 1 where nothing
 * was begun; 0 with the environment built. */
static int build_guessed(struct making *k, struct cuv_error *err)
{
	const char *env = cuv_guess_env(k->guess);

	if (!env)
		return 1;
	if (strcmp(env, k->paths.env) == 0)
		return wait_installed(k, err);
	cuv_installs_freep(&k->installs);
	return cuv_installs_open(k->m->builder, k->m->work, &k->installs, err) < 0 ? -EINVAL : 1;
}

static int build_all(struct making *k, struct cuv_error *err)
{
	/* Before it is asked what is there already: others may be at work on the same. Only
	 * what a lock lacks is looked for first, without a place. */
	if (k->m->ask.source != CUV_ENV_LOCK && take_place(k, err) < 0)
		return -EINVAL;
	k->deadline_ns = cuv_make_step(k->m, k->m->ask.build_ms);
	/* What was brought along needs nobody. */
	if (!k->m->wheels)
		(void)substitute(k, k->paths.env, &k->paths.installs);
	if (cuv_installs_plan(k->installs, &k->lock, &k->paths, k->deadline_ns, k->needed, err) < 0 ||
	    locate_wheels(k, err) < 0 || begin(k, err) < 0 || fetch_wheels(k, err) < 0)
		return -EINVAL;
	return take_place(k, err) < 0 ? -EINVAL : wait_installed(k, err);
}

static int build(struct making *k, struct cuv_error *err)
{
	const struct cuv_builder *b = k->m->builder;
	char link[PATH_MAX], path[CUV_STORE_PATH_SIZE];
	int r = build_guessed(k, err);

	if (r < 0 || (r > 0 && build_all(k, err) < 0))
		return -EINVAL;
	cuv_index_env_link(b, k->paths.env, link);
	cuv_store_path(k->paths.env, path);
	if ((r = cuv_builder_link(&b->state, path, link)) < 0)
		return internal(err, "the environment's link", r);
	measure_wheels(k);
	drop_claims(k);
	cuv_metadata_note(&b->state, &k->paths.installs, &k->lock);
	r = cuv_locks_keep(b, &k->lock, k->m->ask.source != CUV_ENV_LOCK);
	return r < 0 ? internal(err, "the lock's record", r) : 0;
}

/* Nix would take a damaged path for built: nobody makes anything of it until it is gone. */
static int check_damaged(const struct making *k, struct cuv_error *err)
{
	if (!cuv_verify_any_of(k->m->builder, &k->paths))
		return 0;
	cuv_error_set(err, CUV_E_UNAVAILABLE,
		      "the environment is damaged, and is built again when what still uses it has ended");
	err->retry_after_s = 5;
	return -EINVAL;
}

/* What it would come to, where only the lock is wanted. */
static int describe(struct making *k, struct cuv_environment *ret, struct cuv_error *err)
{
	_cleanup_environment_ struct cuv_environment e = CUV_ENVIRONMENT_INIT;
	int r = cuv_lock_digest(&k->lock, e.lock_digest);

	for (size_t i = 0; r == 0 && i < k->lock.n; i++)
		r = cuv_strv_addf(&e.packages, "%s %s", k->lock.packages[i].name, k->lock.packages[i].version);
	if (r == 0)
		r = cuv_strv_add(&e.closure, k->paths.env);
	if (r < 0)
		return internal(err, "the lock", r);
	measure_wheels(k);
	/* One of what was installed says more. */
	r = cuv_locks_keep(k->m->builder, &k->lock, false);
	if (r < 0)
		return internal(err, "the lock's record", r);
	memcpy(e.digest, k->paths.env, sizeof(e.digest) - 1);
	(void)snprintf(e.store_name, sizeof(e.store_name), "%s", k->paths.env);
	(void)snprintf(e.image, sizeof(e.image), "%s", k->pinned->image.store_name);
	(void)snprintf(e.python, sizeof(e.python), "%s", k->pinned->python->full);
	*ret = e;
	e = CUV_ENVIRONMENT_INIT;
	return 0;
}

static int make_environment(const struct cuv_make *m, struct cuv_environment *ret, struct cuv_error *err)
{
	_cleanup_(making_done) struct making k = {
		.m = m, .place = -1, .pinned = cuv_pins_find(&m->builder->pins, m->ask.python)};
	const struct cuv_builder *b = m->builder;
	uint64_t start = cuv_now_ns(), resolved;
	int r;

	if (m->ask.source == CUV_ENV_REQUIREMENTS && read_requirements(&k, err) < 0)
		return -EINVAL;
	k.deadline_ns = cuv_make_step(m, m->ask.build_ms);
	if (!m->ask.lock_only && cuv_installs_open(b, m->work, &k.installs, err) < 0)
		return -EINVAL;
	if (make_lock(&k, err) < 0)
		return -EINVAL;
	resolved = cuv_now_ns();
	k.deadline_ns = cuv_make_step(m, m->ask.build_ms);
	r = cuv_env_paths(&k.lock, &k.pinned->image, &b->pins.scripts, &k.paths);
	if (r < 0)
		return internal(err, "the environment's store path", r);
	if (m->ask.lock_only) {
		if (describe(&k, ret, err) < 0)
			return -EINVAL;
		ret->exclude_s = m->ask.exclude_s;
		ret->resolve_ns = resolved - start;
		return 0;
	}
	if (check_damaged(&k, err) < 0)
		return -EINVAL;
	r = cuv_index_load(b, k.paths.env, ret);
	/* What was resolved takes the place of what somebody sent. */
	if (r == 0 && m->ask.source != CUV_ENV_LOCK) {
		int kept;

		measure_wheels(&k);
		cuv_metadata_note(&b->state, &k.paths.installs, &k.lock);
		kept = cuv_locks_keep(b, &k.lock, true);
		if (kept < 0)
			return internal(err, "the lock's record", kept);
	}
	if (r != 0) {
		if (build(&k, err) < 0)
			return -EINVAL;
		r = cuv_index_load(b, k.paths.env, ret);
		if (r != 0)
			return internal(err, "the environment's manifest", r < 0 ? r : -ENOENT);
	}
	cuv_public_note(b, &k.lock, &k.paths);
	r = cuv_index_put(b, &m->key, k.paths.env);
	if (r < 0) {
		cuv_environment_done(ret);
		*ret = CUV_ENVIRONMENT_INIT;
		return internal(err, "the request's link", r);
	}
	ret->exclude_s = m->ask.exclude_s;
	ret->resolve_ns = resolved - start;
	ret->build_ns = cuv_now_ns() - resolved;
	progress(m, CUV_PHASE_READY, (uint32_t)k.lock.n, (uint32_t)k.lock.n);
	return 0;
}

/* --- by its digest --- */

static int unknown(struct cuv_error *err)
{
	return cuv_error_set(err, CUV_E_ENVIRONMENT_UNKNOWN,
			     "no environment has this digest here or in the caches; send its lock or its requirements");
}

/* The environment is valid and all of its closure there. */
static int take_known(const struct cuv_make *m, const char *env, struct cuv_environment *ret, struct cuv_error *err)
{
	_cleanup_lock_ struct cuv_lock lock = CUV_LOCK_INIT;
	const struct cuv_builder *b = m->builder;
	char link[PATH_MAX], path[CUV_STORE_PATH_SIZE];
	int r;

	cuv_index_env_link(b, env, link);
	cuv_store_path(env, path);
	if ((r = cuv_builder_link(&b->state, path, link)) < 0)
		return internal(err, "the environment's link", r);
	r = cuv_index_load(b, env, ret);
	for (size_t i = 0; r == 0 && i < ret->closure.n; i++)
		if (!cuv_builder_has_path(&b->state, ret->closure.items[i]))
			r = -ENOENT;
		else if (cuv_verify_is_damaged(b, ret->closure.items[i]))
			r = -EUCLEAN;
	if (r == 0 && !cuv_builder_has_path(&b->state, ret->image))
		r = -ENOENT;
	r = r ? r : cuv_index_lock(b, env, &lock);
	r = r ? r : cuv_locks_keep(b, &lock, false);
	r = r ? r : cuv_index_put(b, &m->key, env);
	if (r == 0)
		return 0;
	cuv_index_drop(b, env);
	cuv_environment_done(ret);
	*ret = CUV_ENVIRONMENT_INIT;
	/* With its lock it is made anew, once nobody uses what is damaged. */
	return r == -EUCLEAN ? unknown(err) : internal(err, "an environment of a cache", r < 0 ? r : -ENOENT);
}

static int fetch_known(const struct cuv_make *m, struct cuv_environment *ret, struct cuv_error *err)
{
	struct making k = {.m = m, .place = -1, .deadline_ns = cuv_make_step(m, m->ask.build_ms)};
	_cleanup_close_ int store = cuv_store_share(m->builder);
	char env[CUV_STORE_NAME_SIZE];
	uint64_t start = cuv_now_ns();
	int r;

	if (store < 0)
		return internal(err, "the store's lock", store);
	cuv_index_store_name(m->ask.digest, env);
	if (cuv_verify_is_damaged(m->builder, env) || !substitute(&k, env, NULL))
		return unknown(err);
	r = take_known(m, env, ret, err);
	ret->build_ns = cuv_now_ns() - start;
	return r;
}

int cuv_make_environment(const struct cuv_make *m, struct cuv_environment *ret, struct cuv_error *err)
{
	const struct cuv_builder *b = m->builder;
	_cleanup_turn_ struct cuv_turn turn = {.fd = -1};
	struct cuv_eviction made_room = {0};
	struct cuv_error full;
	int store, r;

	if (m->ask.source == CUV_ENV_DIGEST)
		return fetch_known(m, ret, err);
	/* Whoever needs this one has the lock, and makes room when that is over. */
	if (m->depth > 0)
		return make_environment(m, ret, err);
	if (cuv_turn_take(m, &turn, err) < 0)
		return -EINVAL;
	store = cuv_store_share(b);
	if (store < 0)
		return internal(err, "the store's lock", store);
	if (cuv_index_find(b, &m->key, ret) == 0) {
		ret->exclude_s = m->ask.exclude_s;
		progress(m, CUV_PHASE_READY, (uint32_t)ret->packages.n, (uint32_t)ret->packages.n);
		(void)cuv_close(store);
		return 0;
	}
	r = make_environment(m, ret, err);
	(void)cuv_close(store);
	if (r == 0 || err->code != CUV_E_NO_SPACE)
		return r;
	/* Once: what nobody needs may be all that fills the disk. */
	full = *err;
	if (cuv_remove_tree(m->work) < 0 || mkdir(m->work, 0755) < 0)
		return -EINVAL;
	if (cuv_evict_for_space(b, m->work, m->cancel_fd, &made_room, err) < 0 || made_room.freed == 0 ||
	    (store = cuv_store_share(b)) < 0) {
		*err = full;
		return -EINVAL;
	}
	*err = CUV_ERROR_INIT;
	r = make_environment(m, ret, err);
	(void)cuv_close(store);
	return r;
}
