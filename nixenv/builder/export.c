/* SPDX-License-Identifier: MIT */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/lease.h"
#include "nixenv/builder/download.h"
#include "nixenv/builder/evict.h"
#include "nixenv/builder/locate.h"
#include "nixenv/builder/locks.h"
#include "nixenv/builder/parcel.h"
#include "nixenv/builder/parcels.h"
#include "nixenv/builder/wheelhouse.h"
#include "nixenv/storepath.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LOCATE_MS 60000
#define FETCH_MS 600000

struct export
{
	const struct cuv_parcels *x;
	struct cuv_parcel parcel;
	struct cuv_strv files;		/* of its wheels */
	bool missing[CUV_PACKAGES_MAX]; /* in the store */
};

static void export_done(struct export *e)
{
	cuv_parcel_done(&e->parcel);
	cuv_strv_done(&e->files);
}

static int no_memory(struct cuv_error *err)
{
	return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
}

/* With addresses where they were kept. */
static int load_lock(struct export *e, const char *digest, const char *env, struct cuv_error *err)
{
	_cleanup_environment_ struct cuv_environment found = CUV_ENVIRONMENT_INIT;
	const struct cuv_builder *b = e->x->b;
	int r = cuv_index_load(b, env, &found);

	if (r == 0) {
		r = cuv_locks_load(b, found.lock_digest, &e->parcel.lock);
		if (r == -ENOENT || r == -EBADMSG)
			r = cuv_index_lock(b, env, &e->parcel.lock);
	}
	if (r > 0)
		return cuv_error_set(err, CUV_E_ENVIRONMENT_UNKNOWN, "there is no environment %s here", digest);
	if (r < 0)
		return cuv_error_set_errno(err, r, "the environment's lock can't be read: %s", strerror(-r));
	(void)snprintf(e->parcel.digest, sizeof(e->parcel.digest), "%s", digest);
	return 0;
}

/* One that whoever runs this has is taken from there anew. */
static int copy_wheelhouse(const struct export *e, const struct cuv_locked *p, const char *path, struct cuv_error *err)
{
	const struct cuv_wheelhouse_copy c = {
		.folder = e->x->b->wheelhouse,
		.name = p->file,
		.what = p->file,
		.path = path,
		.sha256 = &p->sha256,
		.bytes_max = CUV_WHEEL_BYTES_MAX,
		.deadline_ns = cuv_deadline_ms(FETCH_MS),
		.cancel_fd = e->x->cancel_fd,
	};
	uint64_t size;

	return cuv_wheelhouse_copy(&c, &size, err);
}

/* What is in the store, whole, is taken from there; the place of the others is below work. */
static int find_wheels(struct export *e, struct cuv_error *err)
{
	const struct cuv_lock *l = &e->parcel.lock;

	for (size_t i = 0; i < l->n; i++) {
		const struct cuv_locked *p = &l->packages[i];
		char name[CUV_STORE_NAME_SIZE], store_name[CUV_STORE_NAME_SIZE], path[PATH_MAX];
		struct cuv_sha256 hash;

		if (cuv_lock_wheel_name(p, name) < 0 || cuv_storepath_fixed(false, &p->sha256, name, store_name) < 0)
			return cuv_error_set(err, CUV_E_INTERNAL, "a wheel has no name in the store");
		cuv_path_join(e->x->b->state.store, store_name, path);
		e->missing[i] = cuv_sha256_file(path, &hash) < 0 || memcmp(&hash, &p->sha256, sizeof(hash)) != 0;
		if (e->missing[i] && p->origin.kind == CUV_ORIGIN_BUILT)
			return cuv_error_set(
				err, CUV_E_WHEEL_UNAVAILABLE,
				"the wheel of %s %s was built here, and a collection has taken it; evict the "
				"environment (`cuvette env gc`), build it again, and export it then",
				p->name, p->version);
		if (e->missing[i])
			(void)snprintf(path, sizeof(path), "%s/%s", e->x->work, name);
		if (e->missing[i] && p->origin.kind == CUV_ORIGIN_WHEELHOUSE) {
			if (copy_wheelhouse(e, p, path, err) < 0)
				return -EINVAL;
			e->missing[i] = false;
		}
		if (cuv_strv_add(&e->files, path) < 0)
			return no_memory(err);
	}
	return 0;
}

static void on_download(void *arg, const struct cuv_download_progress *p)
{
	const struct export *e = arg;
	const struct cuv_parcels *x = e->x;

	x->on_progress(x->arg, &(struct cuv_env_progress){.phase = CUV_PHASE_DOWNLOADING,
							  .done = p->done,
							  .total = p->total,
							  .bytes_done = p->bytes_done,
							  .bytes_total = p->bytes_total});
}

static int fetch_missing(struct export *e, struct cuv_error *err)
{
	const struct cuv_parcels *x = e->x;
	struct cuv_lock *l = &e->parcel.lock;
	struct cuv_download items[CUV_PACKAGES_MAX];
	bool unknown[CUV_PACKAGES_MAX] = {false};
	const struct cuv_locate where = {
		.pinned = cuv_pins_find(&x->b->pins, l->python),
		.wanted = unknown,
		.work = x->work,
		.deadline_ns = cuv_deadline_ms(LOCATE_MS),
		.cancel_fd = x->cancel_fd,
	};
	const struct cuv_download_options o = {
		.settings = &x->b->settings,
		.bytes_max = CUV_CLOSURE_BYTES_MAX,
		.deadline_ns = cuv_deadline_ms(FETCH_MS),
		.cancel_fd = x->cancel_fd,
		.on_progress = on_download,
		.arg = e,
	};
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		unknown[i] = e->missing[i] && !l->packages[i].url;
	if (!where.pinned)
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "there is no Python %s here any more", l->python);
	if (cuv_locate_wheels(x->b, &where, l, err) < 0)
		return -EINVAL;
	for (size_t i = 0; i < l->n; i++)
		if (e->missing[i])
			items[n++] = (struct cuv_download){
				.url = l->packages[i].url,
				.path = e->files.items[i],
				.what = l->packages[i].file,
				.source = l->packages[i].origin.kind == CUV_ORIGIN_URL ? CUV_SOURCE_USER
										       : CUV_SOURCE_INDEX,
				.hash_known = true,
				.sha256 = l->packages[i].sha256,
				.size_bytes = l->packages[i].size_bytes,
			};
	return cuv_download_all(items, n, &o, err);
}

int cuv_parcels_export(const struct cuv_parcels *x, const char *digest, struct cuv_error *err)
{
	_cleanup_(export_done) struct export e = {.x = x, .parcel = CUV_PARCEL_INIT, .files = CUV_STRV_INIT};
	_cleanup_close_ int lease = -1, store = -1;
	char env[CUV_STORE_NAME_SIZE];
	bool any = false;

	cuv_index_store_name(digest, env);
	if (cuv_index_has(x->b, env))
		lease = cuv_lease_take(x->b->state.leases, env, true);
	if (lease < 0 || !cuv_index_has(x->b, env))
		return cuv_error_set(err, CUV_E_ENVIRONMENT_UNKNOWN, "there is no environment %s here", digest);
	/* No collection takes its wheels meanwhile. */
	store = cuv_store_share(x->b);
	if (store < 0)
		return cuv_error_set_errno(err, store, "the store's lock: %s", strerror(-store));
	if (load_lock(&e, digest, env, err) < 0 || find_wheels(&e, err) < 0)
		return -EINVAL;
	for (size_t i = 0; i < e.parcel.lock.n; i++)
		any |= e.missing[i];
	if (any && fetch_missing(&e, err) < 0)
		return -EINVAL;
	/* Which index it was is nobody's business elsewhere. */
	cuv_locks_strip(&e.parcel.lock);
	return cuv_parcel_write(&e.parcel, &e.files, x->fd, err);
}
