/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/sdist_lock.h"

#include "lib/base/clock.h"
#include "nixenv/builder/repository.h"
#include "nixenv/builder/sdist.h"
#include "nixenv/pep440.h"
#include "nixenv/pylock_kinds.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WHAT_SIZE 200
#define DAY_S 86400

static int no_memory(struct cuv_error *err)
{
	return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
}

/* "docopt 0.6.2", or without a version where the lock has none. */
static void name_it(const struct cuv_locked *p, char ret[WHAT_SIZE])
{
	(void)snprintf(ret, WHAT_SIZE, "%.120s%s%.64s", p->name, p->version[0] ? " " : "", p->version);
}

/* The date that the lock says, else today's: then it is said by the next one. Never one
 * to come: what is resolved for it is found by whoever asks for that day later. */
static int64_t date_of(const struct cuv_make *m, const struct cuv_locked *p)
{
	const int64_t now = cuv_wall_s(), said = p->origin.as_of_s ? p->origin.as_of_s : m->ask.exclude_s;

	return said > 0 && said <= now ? said : now - now % DAY_S;
}

/* Of an archive without a subdirectory nothing is left but its address and hash, as of a
 * source distribution: whoever read the lock has asked, and withholds the address of one
 * that is not allowed. */
static int check_kind(const struct cuv_make *m, const struct cuv_locked *p, const char *what, struct cuv_error *err)
{
	const unsigned needed = (p->origin.commit	  ? CUV_LOCK_VCS
				 : p->origin.subdirectory ? CUV_LOCK_ARCHIVE
							  : 0) |
				(p->origin.wheelhouse ? CUV_LOCK_PATH : 0),
		       kind = needed & ~m->builder->lock_kinds;

	if (!kind)
		return 0;
	return cuv_error_set(err, CUV_E_LOCK_UNSUPPORTED,
			     "%s comes from `%s`, which is not taken here; lock it as wheels of an index, or ask "
			     "whoever runs the service to allow that kind (CUVETTE_LOCK_KINDS)",
			     what,
			     kind & CUV_LOCK_VCS       ? "vcs"
			     : kind & CUV_LOCK_ARCHIVE ? "archive"
						       : "path");
}

static int build_source(const struct cuv_make *m, const struct cuv_locked *p, uint64_t deadline_ns,
			struct cuv_sdist_wheel *ret, struct cuv_error *err)
{
	const struct cuv_repository repository = {.name = p->name,
						  .version = p->version,
						  .url = p->origin.url,
						  .ref = p->origin.commit,
						  .subdirectory = p->origin.subdirectory};
	char commit[CUV_GIT_OID_SIZE];

	if (!p->origin.commit)
		return cuv_sdist_build(m, p, deadline_ns, ret, err);
	if (cuv_repository_build(m, &repository, deadline_ns, ret, commit, err) < 0)
		return -EINVAL;
	/* A branch may be called like one. */
	if (strcmp(commit, p->origin.commit) != 0)
		return cuv_error_set(err, CUV_E_HASH_MISMATCH, "the repository of %s has another commit by that name",
				     p->name);
	return 0;
}

/* Takes the wheel over; its name says the version that the lock did not. */
static int take_wheel(struct cuv_locked *p, const struct cuv_sdist_wheel *wheel, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf version = CUV_BUF_INIT(CUV_VERSION_LEN_MAX);
	struct cuv_version v;
	struct cuv_wheel w;

	if (!p->version[0]) {
		if (cuv_wheel_parse(wheel->file, &w) < 0 ||
		    cuv_version_parse(w.version.at, w.version.len, &v) != CUV_VERSION_OK ||
		    cuv_version_format(&v, false, &version) < 0)
			return cuv_error_set(err, CUV_E_BUILD_FAILED, "%s: its build gave a wheel of no version",
					     p->name);
		if (cuv_lock_set_version(p, cuv_buf_str(&version)) < 0)
			return no_memory(err);
	}
	return cuv_lock_set_wheel(p, wheel->file, &wheel->sha256, wheel->size_bytes) < 0 ? no_memory(err) : 0;
}

/* What was found by its hash need not be where the lock says, which is its sender's word; others
 * are told what is kept. It is believed when these bytes came from there, now or before. */
static int drop_claim(const struct cuv_make *m, struct cuv_locked *p, struct cuv_error *err)
{
	static const struct cuv_origin plain = {.kind = CUV_ORIGIN_INDEX};
	struct cuv_origin *o = &p->origin;

	if ((!o->url && !o->wheelhouse) || o->commit || cuv_sdist_was_at_address(m->builder, o))
		return 0;
	/* Of an archive nothing is left without its address, or its file. */
	if (o->subdirectory)
		return cuv_lock_set_origin(p, &plain) < 0 ? no_memory(err) : 0;
	free(o->url);
	o->url = NULL;
	o->user_url = o->wheelhouse = false;
	return 0;
}

static int build_locked(const struct cuv_make *m, struct cuv_locked *p, uint64_t deadline_ns, struct cuv_error *err)
{
	struct cuv_make dated = *m;
	struct cuv_sdist_wheel wheel;
	char what[WHAT_SIZE];

	name_it(p, what);
	if (check_kind(m, p, what, err) < 0)
		return -EINVAL;
	if (!cuv_sdist_allowed(m))
		return cuv_error_set(err, CUV_E_WHEEL_UNAVAILABLE,
				     "%s is locked as a source%s, and nothing is built here%s", what,
				     p->origin.commit ? " in a repository" : " distribution",
				     m->builder->no_sdists ? " (ALLOW_SDIST=0)" : "");
	dated.ask.exclude_s = date_of(m, p);
	if (build_source(&dated, p, deadline_ns, &wheel, err) < 0)
		return -EINVAL;
	if (p->file && memcmp(&wheel.sha256, &p->sha256, sizeof(wheel.sha256)) != 0)
		return cuv_error_set(err, CUV_E_HASH_MISMATCH,
				     "%s, built again from its source, is not the wheel that the lock names", what);
	p->origin.as_of_s = dated.ask.exclude_s;
	p->origin.rebuilt = wheel.rebuilt;
	return take_wheel(p, &wheel, err) < 0 ? -EINVAL : drop_claim(m, p, err);
}

/* What would have to be fetched from where a user says is as good as its hash where it is
 * here, and no more is said of it than that. */
static bool is_at_hand(const struct cuv_make *m, const struct cuv_locked *p)
{
	struct cuv_sdist_wheel wheel = {.sha256 = p->sha256};

	if (!p->file || (!p->origin.commit && !p->origin.subdirectory))
		return false;
	(void)snprintf(wheel.file, sizeof(wheel.file), "%s", p->file);
	return cuv_sdist_wheel_locate(&wheel) == 0 && cuv_sdist_wheel_at_hand(m->builder, &wheel);
}

int cuv_sdist_build_lock(const struct cuv_make *m, struct cuv_lock *l, uint64_t deadline_ns, struct cuv_error *err)
{
	static const struct cuv_origin plain = {.kind = CUV_ORIGIN_INDEX};

	for (size_t i = 0; i < l->n; i++) {
		struct cuv_locked *p = &l->packages[i];

		if (p->origin.kind != CUV_ORIGIN_BUILT)
			continue;
		if (is_at_hand(m, p)) {
			if (cuv_lock_set_origin(p, &plain) < 0)
				return no_memory(err);
		} else if (build_locked(m, p, deadline_ns, err) < 0) {
			return -EINVAL;
		}
	}
	return cuv_lock_seal(l, err);
}
