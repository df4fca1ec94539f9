/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/verify.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/lease.h"
#include "lib/base/log.h"
#include "nixenv/builder/evict.h"
#include "nixenv/builder/nix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH 32 /* paths for one process of Nix */
#define BATCH_MS 600000
#define DELETE_MS 120000
#define LET_GO_MS 3000
#define LET_GO_PAUSE_US 100000
#define ENV_ENDING "-cuvette-environment"

void cuv_verified_done(struct cuv_verified *v)
{
	cuv_strv_done(&v->damaged);
	cuv_strv_done(&v->gone);
	cuv_strv_done(&v->in_use);
}

static int no_memory(struct cuv_error *err)
{
	return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
}

static int ledger_failed(int r, struct cuv_error *err)
{
	return cuv_error_set_errno(err, r, "the ledger of environments: %s", strerror(-r));
}

/* --- what is written down --- */

static void note_path(const struct cuv_builder *b, const char *store_name, char ret[PATH_MAX])
{
	cuv_path_join(b->state.damaged, store_name, ret);
}

bool cuv_verify_is_damaged(const struct cuv_builder *b, const char *store_name)
{
	char path[PATH_MAX];

	note_path(b, store_name, path);
	return access(path, F_OK) == 0;
}

bool cuv_verify_any_of(const struct cuv_builder *b, const struct cuv_env_paths *paths)
{
	bool damaged = cuv_verify_is_damaged(b, paths->env);

	for (size_t i = 0; !damaged && i < paths->installs.n; i++)
		damaged = cuv_verify_is_damaged(b, paths->installs.items[i]) ||
			  cuv_verify_is_damaged(b, paths->wheels.items[i]);
	return damaged;
}

static int list_folder(const char *path, struct cuv_strv *ret)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int r = 0;

	while (r == 0 && d && (e = readdir(d)))
		if (cuv_store_name_valid(e->d_name))
			r = cuv_strv_add(ret, e->d_name);
	if (d)
		(void)closedir(d);
	return r;
}

bool cuv_verify_any(const struct cuv_builder *b)
{
	_cleanup_strv_ struct cuv_strv names = CUV_STRV_INIT;

	return list_folder(b->state.damaged, &names) == 0 && names.n > 0;
}

static bool is_environment(const char *name)
{
	size_t len = strlen(name), end = strlen(ENV_ENDING);

	return len > end && strcmp(name + len - end, ENV_ENDING) == 0;
}

/* First the note, then the links: between the two nobody is told that it is whole. */
static int write_down(const struct cuv_verify *v, const char *store_name)
{
	_cleanup_strv_ struct cuv_strv holders = CUV_STRV_INIT;
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int r;

	note_path(v->b, store_name, path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	cuv_log(CUV_LOG_ERROR, "store-path-damaged", CUV_S("path", store_name));
	cuv_index_forget(v->b, store_name);
	r = cuv_ledger_referrers(v->l, store_name, &holders);
	for (size_t i = 0; r == 0 && i < holders.n; i++)
		if (is_environment(holders.items[i]))
			cuv_index_drop(v->b, holders.items[i]);
	return r;
}

/* --- looking --- */

static int add_environment(const struct cuv_verify *v, const char *name, struct cuv_strv *paths)
{
	_cleanup_environment_ struct cuv_environment e = CUV_ENVIRONMENT_INIT;
	int r = cuv_index_load(v->b, name, &e);

	for (size_t i = 0; r == 0 && i < e.closure.n; i++)
		if (!cuv_strv_has(paths, e.closure.items[i]))
			r = cuv_strv_add(paths, e.closure.items[i]);
	return r;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Installations are known by both lists. */
static void sort_once(struct cuv_strv *v)
{
	size_t kept = 0;

	if (v->n > 0)
		qsort(v->items, v->n, sizeof(v->items[0]), compare);
	for (size_t i = 0; i < v->n; i++) {
		if (kept > 0 && strcmp(v->items[kept - 1], v->items[i]) == 0)
			free(v->items[i]);
		else
			v->items[kept++] = v->items[i];
	}
	for (size_t i = kept; i < v->n; i++)
		v->items[i] = NULL;
	v->n = kept;
}

/* Environments whose manifest can't be read are damaged without being hashed. */
static int list_paths(const struct cuv_verify *v, const struct cuv_strv *digests, struct cuv_strv *paths,
		      struct cuv_error *err)
{
	char name[CUV_STORE_NAME_SIZE];
	int r = 0;

	if (digests->n == 0) {
		r = cuv_ledger_paths(v->l, paths);
		if (r == 0)
			r = list_folder(v->b->state.known, paths);
		sort_once(paths);
		return r < 0 ? ledger_failed(r, err) : 0;
	}
	for (size_t i = 0; i < digests->n; i++) {
		cuv_index_store_name(digests->items[i], name);
		if (!cuv_index_has(v->b, name))
			return cuv_error_set(err, CUV_E_ENVIRONMENT_UNKNOWN, "there is no environment %s here",
					     digests->items[i]);
		r = add_environment(v, name, paths);
		if (r != 0 && r != -ENOMEM)
			r = cuv_strv_add(paths, name);
		if (r < 0)
			return no_memory(err);
	}
	return 0;
}

static int look_at(const struct cuv_verify *v, const struct cuv_strv *paths, size_t from, size_t n,
		   struct cuv_verified *ret, struct cuv_error *err)
{
	const struct cuv_nix_options nix = {
		.tmp = v->tmp, .deadline_ns = cuv_deadline_ms(BATCH_MS), .cancel_fd = v->cancel_fd};
	_cleanup_strv_ struct cuv_strv batch = CUV_STRV_INIT;
	bool whole = true;

	for (size_t i = from; i < from + n; i++) {
		/* What is not there at all is no less damaged; Nix would stop at it. */
		if (!cuv_builder_has_path(&v->b->state, paths->items[i])) {
			if (cuv_strv_add(&ret->damaged, paths->items[i]) < 0)
				return no_memory(err);
		} else if (cuv_strv_add(&batch, paths->items[i]) < 0) {
			return no_memory(err);
		}
	}
	if (batch.n > 0 && cuv_nix_verify(v->b, &batch, &nix, &whole, err) < 0)
		return -EINVAL;
	if (whole)
		return 0;
	if (batch.n == 1)
		return cuv_strv_add(&ret->damaged, batch.items[0]) < 0 ? no_memory(err) : 0;
	/* Which of them? */
	for (size_t i = 0; i < batch.n; i++)
		if (look_at(v, &batch, i, 1, ret, err) < 0)
			return -EINVAL;
	return 0;
}

int cuv_verify(const struct cuv_verify *v, const struct cuv_strv *digests, struct cuv_verified *ret,
	       struct cuv_error *err)
{
	_cleanup_strv_ struct cuv_strv paths = CUV_STRV_INIT;
	int r = list_paths(v, digests, &paths, err);

	for (size_t i = 0; r == 0 && i < paths.n; i += BATCH) {
		size_t n = CUV_MIN(paths.n - i, (size_t)BATCH);

		v->on_progress(v->arg, (uint32_t)i, (uint32_t)paths.n);
		r = look_at(v, &paths, i, n, ret, err);
		ret->paths += n;
	}
	for (size_t i = 0; r == 0 && i < ret->damaged.n; i++) {
		int e = write_down(v, ret->damaged.items[i]);

		if (e < 0)
			r = ledger_failed(e, err);
	}
	return r;
}

/* --- taking away --- */

/* Leases on all environments among these, alone. */
struct seized {
	int *fds; /* room for one of each name */
	size_t n;
};

static void seized_done(struct seized *s)
{
	for (size_t i = 0; i < s->n; i++)
		(void)cuv_close(s->fds[i]);
	s->n = 0;
}

static void seized_free(struct seized *s)
{
	seized_done(s);
	free(s->fds);
}

static int seize_once(const struct cuv_verify *v, const struct cuv_strv *names, struct seized *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < names->n; i++) {
		if (!is_environment(names->items[i]))
			continue;
		r = cuv_lease_seize(v->b->state.leases, names->items[i]);
		if (r == -EBUSY)
			(void)cuv_lease_want(v->b->state.leases, names->items[i], true);
		if (r >= 0) {
			ret->fds[ret->n++] = r;
			r = 0;
		}
	}
	return r;
}

/* A zygote without runs lets go within the second; whoever else has a lease is left alone. */
static int seize(const struct cuv_verify *v, const struct cuv_strv *names, struct seized *ret)
{
	uint64_t deadline = cuv_deadline_ms(LET_GO_MS);
	int r;

	/* As many as Nix knows: any number of environments may have the path. */
	ret->fds = calloc(names->n + 1, sizeof(*ret->fds));
	if (!ret->fds)
		return -ENOMEM;
	while ((r = seize_once(v, names, ret)) == -EBUSY && cuv_now_ns() < deadline) {
		seized_done(ret);
		(void)usleep(LET_GO_PAUSE_US);
	}
	for (size_t i = 0; r < 0 && i < names->n; i++)
		(void)cuv_lease_want(v->b->state.leases, names->items[i], false);
	return r;
}

static void forget_note(const struct cuv_verify *v, const char *name)
{
	char path[PATH_MAX];

	note_path(v->b, name, path);
	(void)unlink(path);
	cuv_index_forget(v->b, name);
}

/* One damaged path, with all that refers to it. */
static int take_away(const struct cuv_verify *v, const char *name, struct cuv_verified *ret, struct cuv_error *err)
{
	const struct cuv_nix_options nix = {
		.tmp = v->tmp, .deadline_ns = cuv_deadline_ms(DELETE_MS), .cancel_fd = v->cancel_fd};
	_cleanup_strv_ struct cuv_strv names = CUV_STRV_INIT;
	_cleanup_(seized_free) struct seized seized = {.fds = NULL};
	int r = cuv_ledger_referrers(v->l, name, &names);

	if (r < 0)
		return ledger_failed(r, err);
	r = seize(v, &names, &seized);
	if (r == -EBUSY)
		return cuv_strv_add(&ret->in_use, name) < 0 ? no_memory(err) : 0;
	if (r < 0)
		return cuv_error_set_errno(err, r, "a lease: %s", strerror(-r));
	for (size_t i = 0; i < names.n; i++)
		if (is_environment(names.items[i]))
			cuv_index_drop(v->b, names.items[i]);
	if (names.n > 0 && cuv_nix_delete(v->b, &names, &nix, err) < 0)
		return -EINVAL;
	forget_note(v, name);
	for (size_t i = 0; i < names.n; i++) {
		forget_note(v, names.items[i]);
		if (is_environment(names.items[i]) && cuv_strv_add(&ret->gone, names.items[i]) < 0)
			return no_memory(err);
	}
	return 0;
}

int cuv_verify_heal(const struct cuv_verify *v, struct cuv_verified *ret, struct cuv_error *err)
{
	_cleanup_strv_ struct cuv_strv notes = CUV_STRV_INIT;
	_cleanup_close_ int alone = -1;
	struct cuv_error last = CUV_ERROR_INIT;
	int r = list_folder(v->b->state.damaged, &notes);

	if (r < 0)
		return no_memory(err);
	if (notes.n == 0)
		return 0;
	alone = cuv_store_alone(v->b);
	if (alone < 0)
		return cuv_error_set(err, CUV_E_OVERLOADED, "environments are being made; try again");
	for (size_t i = 0; i < notes.n; i++)
		/* It may have gone with another one. What one can't be rid of keeps no other. */
		if (cuv_verify_is_damaged(v->b, notes.items[i]) && take_away(v, notes.items[i], ret, &last) < 0) {
			cuv_log(CUV_LOG_WARNING, "store-path-not-healed", CUV_S("path", notes.items[i]),
				CUV_S("error", last.message));
			*err = last;
			r = -EINVAL;
		}
	return r;
}
