/* SPDX-License-Identifier: MIT */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "nixenv/builder/evict.h"
#include "nixenv/builder/locks.h"
#include "nixenv/builder/make.h"
#include "nixenv/builder/parcel.h"
#include "nixenv/builder/parcels.h"
#include "nixenv/builder/sealed.h"
#include "nixenv/envpath.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNPACK_MS 600000
#define UNPACK_CPU_S 300
#define UNPACK_MEMORY_BYTES (512ull * 1024 * 1024)
#define BUILD_MS 600000
#define REASON_BYTES_MAX 512

struct import {
	const struct cuv_parcels *x;
	char folder[PATH_MAX]; /* with the files "0", "1", … */
	struct cuv_parcel parcel;
	struct cuv_strv wheels; /* of the lock's packages, in its order */
	const struct cuv_pinned *pinned;
};

static void import_done(struct import *m)
{
	cuv_parcel_done(&m->parcel);
	cuv_strv_done(&m->wheels);
}

static int no_memory(struct cuv_error *err)
{
	return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
}

/* --- the archive --- */

static int unpack_failed(const struct cuv_child_result *res, struct cuv_error *err)
{
	const char *reason = cuv_buf_str(&res->err);

	if (res->end == CUV_CHILD_TIMEOUT)
		return cuv_error_set(err, CUV_E_BUILD_TIMEOUT, "reading the parcel took longer than its limit");
	if (res->end == CUV_CHILD_CANCELLED)
		return cuv_error_set(err, CUV_E_CANCELLED, "the request was given up");
	if (res->end == CUV_CHILD_EXITED && res->status == CUV_PARCEL_STATUS_FULL) {
		cuv_error_set(err, CUV_E_NO_SPACE, "the service's disk is full");
		err->retry_after_s = 60;
		return -EINVAL;
	}
	if (res->end == CUV_CHILD_EXITED && res->status == CUV_PARCEL_STATUS_LIMIT)
		return cuv_error_set(err, CUV_E_ENVIRONMENT_TOO_LARGE,
				     "the parcel is too large: at most %u files, %llu MiB each and %llu MiB together",
				     CUV_PARCEL_FILES_MAX, CUV_WHEEL_BYTES_MAX >> 20, CUV_CLOSURE_BYTES_MAX >> 20);
	if (res->end == CUV_CHILD_SIGNALED)
		return cuv_error_set(err, CUV_E_LOCK_INVALID, "the parcel can't be read: signal %d ended it",
				     res->status);
	return cuv_error_set(err, CUV_E_LOCK_INVALID, "the parcel can't be read: %.*s", (int)strcspn(reason, "\n"),
			     reason);
}

static int unpack(struct import *m, struct cuv_error *err)
{
	_cleanup_child_result_ struct cuv_child_result res = CUV_CHILD_RESULT_INIT;
	_cleanup_strv_ struct cuv_strv argv = CUV_STRV_INIT;
	const struct cuv_sealed sealed = {
		.work = m->x->work,
		.folder = m->folder,
		.argv = &argv,
		.stdin_fd = m->x->fd,
		.limits = {.cpu_s = UNPACK_CPU_S,
			   .memory_bytes = UNPACK_MEMORY_BYTES,
			   .file_bytes = CUV_WHEEL_BYTES_MAX,
			   .descriptors = 64},
		.stderr_max = REASON_BYTES_MAX,
		.deadline_ns = cuv_deadline_ms(UNPACK_MS),
		.cancel_fd = m->x->cancel_fd,
		.landlock = m->x->b->sealed,
	};
	int r;

	cuv_path_join(m->x->work, "parcel", m->folder);
	if (mkdir(m->folder, 0755) < 0)
		return cuv_error_set_errno(err, -errno, "a folder: %s", strerror(errno));
	if (cuv_strv_add(&argv, "cuvette-builder") < 0 || cuv_strv_add(&argv, CUV_PARCEL_UNPACK) < 0)
		return no_memory(err);
	r = cuv_sealed_run(&sealed, &res);
	if (r < 0)
		return cuv_error_set_errno(err, r, "a parcel can't be read here: %s", strerror(-r));
	return cuv_child_ok(&res) ? 0 : unpack_failed(&res, err);
}

/* --- what is in it --- */

static void file_path(const struct import *m, unsigned number, char ret[PATH_MAX])
{
	char name[16];

	(void)snprintf(name, sizeof(name), "%u", number);
	cuv_path_join(m->folder, name, ret);
}

static int read_description(struct import *m, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_PARCEL_DESCRIPTION_MAX);
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	struct stat st;
	int r;

	file_path(m, 0, path);
	/* A child that met a hostile archive has made it. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		r = -errno;
	else
		r = S_ISREG(st.st_mode) ? cuv_pread_all(fd, &text) : -EINVAL;
	if (r < 0)
		return cuv_error_set_errno(err, r, "the parcel's description can't be read: %s", strerror(-r));
	return cuv_parcel_parse(cuv_buf_str(&text), text.len, &m->parcel, err);
}

/* Each file is the wheel that it has the hash of, and none is there twice or for nothing. */
static int match_wheels(struct import *m, struct cuv_error *err)
{
	const struct cuv_lock *l = &m->parcel.lock;
	unsigned at[CUV_PACKAGES_MAX] = {0}, number;
	char path[PATH_MAX];

	for (number = 1; file_path(m, number, path), access(path, F_OK) == 0; number++) {
		struct cuv_sha256 hash;
		int r = cuv_sha256_file(path, &hash);
		size_t i = 0;

		if (r < 0)
			return cuv_error_set_errno(err, r, "a wheel can't be read: %s", strerror(-r));
		while (i < l->n && (at[i] > 0 || memcmp(&hash, &l->packages[i].sha256, sizeof(hash)) != 0))
			i++;
		if (i == l->n)
			return cuv_error_set(err, CUV_E_HASH_MISMATCH,
					     "the parcel's file %u is no wheel that its lock names by its sha256",
					     number);
		at[i] = number;
	}
	for (size_t i = 0; i < l->n; i++) {
		if (at[i] == 0)
			return cuv_error_set(err, CUV_E_HASH_MISMATCH,
					     "the parcel lacks the wheel of %s %s that its lock names",
					     l->packages[i].name, l->packages[i].version);
		file_path(m, at[i], path);
		if (cuv_strv_add(&m->wheels, path) < 0)
			return no_memory(err);
	}
	return 0;
}

static int check_digest(struct import *m, struct cuv_error *err)
{
	_cleanup_env_paths_ struct cuv_env_paths paths = CUV_ENV_PATHS_INIT;
	const struct cuv_builder *b = m->x->b;
	int r;

	m->pinned = cuv_pins_find(&b->pins, m->parcel.lock.python);
	if (!m->pinned)
		return cuv_error_set(err, CUV_E_LOCK_MISMATCH, "the parcel is for Python %s, which is not served here",
				     m->parcel.lock.python);
	if (cuv_pins_check_image(m->pinned, &b->state, err) < 0)
		return -EINVAL;
	r = cuv_env_paths(&m->parcel.lock, &m->pinned->image, &b->pins.scripts, &paths);
	if (r < 0)
		return cuv_error_set_errno(err, r, "the environment's store path: %s", strerror(-r));
	if (strncmp(paths.env, m->parcel.digest, sizeof(m->parcel.digest) - 1) == 0)
		return 0;
	return cuv_error_set(err, CUV_E_LOCK_MISMATCH,
			     "the parcel says %s, but what it holds comes to %.32s here: it was changed, or made by "
			     "a Cuvette with other images or recipes",
			     m->parcel.digest, paths.env);
}

static int build(struct import *m, struct cuv_environment *ret, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_LOCK_COMPLETE_BYTES_MAX);
	struct cuv_make make = {
		.builder = m->x->b,
		.ask = {.source = CUV_ENV_LOCK, .resolve_ms = BUILD_MS, .build_ms = BUILD_MS},
		.wheels = &m->wheels,
		.launcher = -1,
		.depth = 1, /* the store's lock is ours */
		.cancel_fd = m->x->cancel_fd,
		.on_progress = m->x->on_progress,
		.arg = m->x->arg,
	};
	_cleanup_close_ int store = -1;
	char work[PATH_MAX];

	cuv_locks_strip(&m->parcel.lock);
	if (cuv_lock_complete(&m->parcel.lock, &text) < 0)
		return no_memory(err);
	cuv_path_join(m->x->work, "make", work);
	if (mkdir(work, 0755) < 0)
		return cuv_error_set_errno(err, -errno, "a folder: %s", strerror(errno));
	(void)snprintf(make.ask.python, sizeof(make.ask.python), "%s", m->parcel.lock.python);
	make.canonical = cuv_buf_str(&text);
	make.canonical_len = text.len;
	make.work = work;
	make.deadline_ns = cuv_deadline_ms(BUILD_MS);
	cuv_index_key(m->x->b, &make.ask, make.canonical, make.canonical_len, &make.key);
	store = cuv_store_share(m->x->b);
	if (store < 0)
		return cuv_error_set_errno(err, store, "the store's lock: %s", strerror(-store));
	return cuv_make_environment(&make, ret, err);
}

int cuv_parcels_import(const struct cuv_parcels *x, struct cuv_environment *ret, struct cuv_error *err)
{
	_cleanup_(import_done) struct import m = {.x = x, .parcel = CUV_PARCEL_INIT, .wheels = CUV_STRV_INIT};

	if (unpack(&m, err) < 0 || read_description(&m, err) < 0 || match_wheels(&m, err) < 0 ||
	    check_digest(&m, err) < 0)
		return -EINVAL;
	return build(&m, ret, err);
}
