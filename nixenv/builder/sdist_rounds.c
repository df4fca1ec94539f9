/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/sdist_rounds.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "nixenv/builder/place.h"
#include "nixenv/builder/resolve_error.h"
#include "nixenv/builder/sdist.h"
#include "nixenv/pylock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Each has at least one wheel more than the one before. */
#define ROUNDS_MAX (CUV_SDIST_WHEELS_MAX + 1)

struct rounds {
	const struct cuv_make *m;
	struct cuv_resolve what;
	struct cuv_offer offers[CUV_SDIST_WHEELS_MAX];
	struct cuv_origin origins[CUV_SDIST_WHEELS_MAX]; /* file and url are owned */
	uint64_t sizes[CUV_SDIST_WHEELS_MAX];
	size_t n;
	struct cuv_strv lacking;
	uint64_t deadline_ns; /* of all building */
};

static void rounds_free(struct rounds **k)
{
	if (*k) {
		for (size_t i = 0; i < (*k)->n; i++) {
			free((*k)->origins[i].file);
			free((*k)->origins[i].url);
		}
		cuv_strv_done(&(*k)->lacking);
	}
	free(*k);
}

static bool is_built(const struct rounds *k, const struct cuv_sha256 *sdist)
{
	for (size_t i = 0; i < k->n; i++)
		if (memcmp(&k->origins[i].sha256, sdist, sizeof(*sdist)) == 0)
			return true;
	return false;
}

static int remember(struct rounds *k, const struct cuv_locked *p, const struct cuv_sdist_wheel *w)
{
	struct cuv_origin *o = &k->origins[k->n];
	struct cuv_offer *offer = &k->offers[k->n];

	*o = (struct cuv_origin){.kind = CUV_ORIGIN_BUILT,
				 .sha256 = p->origin.sha256,
				 .as_of_s = k->m->ask.exclude_s,
				 .rebuilt = w->rebuilt};
	o->file = strdup(p->origin.file);
	o->url = p->origin.url ? strdup(p->origin.url) : NULL;
	k->sizes[k->n] = w->size_bytes;
	*offer = (struct cuv_offer){.sha256 = w->sha256};
	memcpy(offer->file, w->file, sizeof(offer->file));
	cuv_path_join(k->m->builder->state.store, w->store_name, offer->path);
	k->n++;
	k->what.n_offers = k->n;
	return o->file && (o->url || !p->origin.url) ? 0 : -ENOMEM;
}

/* The user's own hashes are of what an index has, so of the source distribution. */
static int check_listed(const struct rounds *k, const struct cuv_locked *p, struct cuv_error *err)
{
	char text[7 + CUV_SHA256_HEX_SIZE] = "sha256:";

	cuv_hex(p->origin.sha256.bytes, sizeof(p->origin.sha256.bytes), text + 7);
	if (cuv_requirements_allow_hash(k->what.reqs, p->name, text))
		return 0;
	return cuv_error_set(err, CUV_E_HASH_MISMATCH, "the source distribution of %s %s has none of the listed hashes",
			     p->name, p->version);
}

/* Builds what the plan names and is not built yet; 1 when there was nothing. */
static int build_planned(struct rounds *k, const struct cuv_lock *planned, struct cuv_error *err)
{
	size_t before = k->n;

	for (size_t i = 0; i < planned->n; i++) {
		const struct cuv_locked *p = &planned->packages[i];
		struct cuv_sdist_wheel wheel;

		if (is_built(k, &p->origin.sha256))
			continue;
		if (k->n == CUV_SDIST_WHEELS_MAX)
			return cuv_error_set(err, CUV_E_ENVIRONMENT_TOO_LARGE,
					     "more than %d packages would have to be built from source distributions",
					     CUV_SDIST_WHEELS_MAX);
		if (check_listed(k, p, err) < 0 || cuv_sdist_build(k->m, p, k->deadline_ns, &wheel, err) < 0) {
			cuv_resolve_point(k->what.reqs, p->name, err);
			return -EINVAL;
		}
		if (remember(k, p, &wheel) < 0)
			return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	}
	return k->n == before ? 1 : 0;
}

/* Packages that came from our offers get their origin. */
static int mark_built(const struct rounds *k, struct cuv_lock *l, struct cuv_error *err)
{
	for (size_t i = 0; i < l->n; i++) {
		struct cuv_locked *p = &l->packages[i];
		size_t at = 0;

		if (!p->url || strncmp(p->url, CUV_PYLOCK_OFFERS, strlen(CUV_PYLOCK_OFFERS)) != 0)
			continue;
		while (at < k->n && memcmp(&k->offers[at].sha256, &p->sha256, sizeof(p->sha256)) != 0)
			at++;
		if (at == k->n)
			return cuv_error_set(err, CUV_E_INTERNAL, "the resolver names a wheel that nobody offered");
		free(p->url);
		p->url = NULL;
		p->size_bytes = k->sizes[at];
		if (cuv_lock_set_origin(p, &k->origins[at]) < 0)
			return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	}
	return cuv_lock_seal(l, err);
}

/* Once, among those that do. planned is NULL for wheels alone. */
static int resolve(struct rounds *k, struct cuv_lock *planned, struct cuv_lock *ret, struct cuv_error *err)
{
	const struct cuv_make *m = k->m;
	_cleanup_close_ int place = cuv_place_take(m->builder, CUV_PLACE_RESOLVE, m->deadline_ns, m->cancel_fd, err);

	if (place < 0)
		return place;
	k->what.deadline_ns = cuv_make_step(m, m->ask.resolve_ms);
	return planned ? cuv_resolve_sources(m->builder, &k->what, ret, planned, err)
		       : cuv_resolve(m->builder, &k->what, ret, err);
}

/* Whoever decided that nothing is built here, where that is known. */
static void say_why(const struct rounds *k, struct cuv_error *err)
{
	const char *why = k->m->builder->no_sdists ? "here (ALLOW_SDIST=0)"
			  : k->m->launcher < 0	   ? "without a launcher"
						   : NULL;

	if (why && k->lacking.n > 0)
		(void)snprintf(err->message, sizeof(err->message),
			       "`%.128s` has no wheel for CPython %s on " CUV_PLATFORM
			       "; source distributions are not built %s, so choose a version that has one",
			       k->lacking.items[0], k->m->ask.python, why);
}

static int resolve_wheels(struct rounds *k, struct cuv_lock *ret, struct cuv_error *err)
{
	int r = resolve(k, NULL, ret, err);

	if (r == 0)
		return mark_built(k, ret, err);
	if (err->code == CUV_E_WHEEL_UNAVAILABLE && !cuv_sdist_allowed(k->m))
		say_why(k, err);
	return r;
}

/* What can't be built may be had as a wheel, if in another version. */
static int do_without(struct rounds *k, struct cuv_lock *ret, struct cuv_error *err)
{
	struct cuv_error ignored = CUV_ERROR_INIT;

	if (err->code != CUV_E_BUILD_FAILED && err->code != CUV_E_WHEEL_UNAVAILABLE)
		return -EINVAL;
	if (resolve_wheels(k, ret, &ignored) < 0)
		return -EINVAL;
	*err = CUV_ERROR_INIT;
	return 0;
}

/* 0 with the lock; 1 when another round is needed. */
static int one_round(struct rounds *k, struct cuv_lock *ret, struct cuv_error *err)
{
	_cleanup_lock_ struct cuv_lock planned = CUV_LOCK_INIT;
	int r;

	r = resolve(k, &planned, ret, err);
	if (r == 0)
		return mark_built(k, ret, err);
	if (r < 0)
		return r;
	r = build_planned(k, &planned, err);
	if (r <= 0)
		return r < 0 ? do_without(k, ret, err) : 1;
	if (planned.n == 0)
		return cuv_error_set(err, CUV_E_WHEEL_UNAVAILABLE,
				     "a package has no wheel for CPython %s on " CUV_PLATFORM
				     " and no source distribution that would do; choose another version",
				     k->m->ask.python);
	return cuv_error_set(err, CUV_E_BUILD_FAILED,
			     "%s %s: the wheel that its source distribution was built to does not fit",
			     planned.packages[0].name, planned.packages[0].version);
}

int cuv_sdist_rounds(const struct cuv_make *m, const struct cuv_resolve *what, struct cuv_lock *ret,
		     struct cuv_error *err)
{
	_cleanup_(rounds_free) struct rounds *k = calloc(1, sizeof(*k));
	int r = 1;

	if (!k)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	k->m = m;
	k->what = *what;
	k->what.offers = k->offers;
	k->what.lacking = &k->lacking;
	k->deadline_ns = cuv_make_step(m, m->ask.build_ms);
	if (!cuv_sdist_allowed(m))
		return resolve_wheels(k, ret, err);
	for (size_t round = 0; r > 0 && round < ROUNDS_MAX; round++)
		r = one_round(k, ret, err);
	return r > 0 ? cuv_error_set(err, CUV_E_ENVIRONMENT_TOO_LARGE,
				     "more than %d packages would have to be built from source distributions",
				     CUV_SDIST_WHEELS_MAX)
		     : r;
}
