/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/locks.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "nixenv/builder/index.h"
#include "nixenv/builder/metadata.h"
#include "nixenv/pylock_write.h"
#include "nixenv/storepath.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASH_LEN 33 /* and the hyphen behind it, of a store name */

/* digest is "sha256:<hex>", ours. */
static void lock_path(const struct cuv_builder *b, const char *digest, const char *suffix, char ret[PATH_MAX])
{
	char name[CUV_LOCK_DIGEST_SIZE + 16];

	(void)snprintf(name, sizeof(name), "%.64s%s", digest + strlen("sha256:"), suffix);
	cuv_path_join(b->state.locks, name, ret);
}

static int write_text(const struct cuv_builder *b, const struct cuv_lock *l, const char *path)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_PYLOCK_BYTES_MAX);
	int r = cuv_pylock_write(l, &text);

	return r < 0 ? r : cuv_builder_write(&b->state, path, cuv_buf_str(&text), text.len);
}

static void wheels_path(const struct cuv_builder *b, const char *hex, char ret[PATH_MAX])
{
	char relative[CUV_SHA256_HEX_SIZE + 16];

	(void)snprintf(relative, sizeof(relative), "wheel/%.64s", hex);
	cuv_path_join(b->state.roots, relative, ret);
}

/* One root for each wheel that was built here and that the store has. */
static int keep_wheels(const struct cuv_builder *b, const struct cuv_lock *l, const char *hex)
{
	char folder[PATH_MAX], link[PATH_MAX], path[CUV_STORE_PATH_SIZE];
	int r = 0;

	wheels_path(b, hex, folder);
	for (size_t i = 0; r == 0 && i < l->n; i++) {
		const struct cuv_locked *p = &l->packages[i];
		char name[CUV_STORE_NAME_SIZE], wheel[CUV_STORE_NAME_SIZE];

		if (p->origin.kind != CUV_ORIGIN_BUILT || cuv_lock_wheel_name(p, name) < 0 ||
		    cuv_storepath_fixed(false, &p->sha256, name, wheel) < 0 || !cuv_builder_has_path(&b->state, wheel))
			continue;
		if (mkdir(folder, 0755) < 0 && errno != EEXIST)
			return -errno;
		cuv_path_join(folder, wheel, link);
		cuv_store_path(wheel, path);
		r = cuv_builder_link(&b->state, path, link);
	}
	return r;
}

/* One record by its digest's digits: 1 when it went. */
static int forget_one(const struct cuv_builder *b, struct cuv_ledger *l, const char *hex)
{
	char name[CUV_SHA256_HEX_SIZE + 16], path[PATH_MAX];
	uint64_t others;
	int r = cuv_ledger_count_lock(l, hex, &others);

	if (r < 0 || others > 0)
		return CUV_MIN(r, 0);
	(void)snprintf(name, sizeof(name), "%s" CUV_PYLOCK_SUFFIX, hex);
	cuv_path_join(b->state.locks, name, path);
	(void)unlink(path);
	(void)snprintf(name, sizeof(name), "%s.json", hex);
	cuv_path_join(b->state.locks, name, path);
	return unlink(path) < 0 ? 0 : 1;
}

int cuv_locks_forget(const struct cuv_builder *b, struct cuv_ledger *l, int64_t keep_s)
{
	const int64_t before_s = cuv_wall_s() - CUV_MAX(keep_s, CUV_LOCKS_KEEP_MIN_S);
	DIR *d = opendir(b->state.locks);
	struct dirent *e;
	int r = 0, n = 0;

	while (r >= 0 && d && (e = readdir(d))) {
		char hex[CUV_SHA256_HEX_SIZE];
		struct stat st;

		if (strlen(e->d_name) != sizeof(hex) - 1 + strlen(".json") || !strstr(e->d_name, ".json") ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_mtime > before_s)
			continue;
		(void)snprintf(hex, sizeof(hex), "%s", e->d_name);
		r = forget_one(b, l, hex);
		n += r > 0;
	}
	if (d)
		(void)closedir(d);
	return r < 0 ? r : n;
}

void cuv_locks_let_go(const struct cuv_builder *b)
{
	char folder[PATH_MAX], path[PATH_MAX], name[CUV_SHA256_HEX_SIZE + 8];
	struct dirent *e;
	DIR *d;

	cuv_path_join(b->state.roots, "wheel", folder);
	d = opendir(folder);
	while (d && (e = readdir(d))) {
		if (strlen(e->d_name) != CUV_SHA256_HEX_SIZE - 1)
			continue;
		(void)snprintf(name, sizeof(name), "%s.json", e->d_name);
		cuv_path_join(b->state.locks, name, path);
		if (access(path, F_OK) == 0 || errno != ENOENT)
			continue;
		wheels_path(b, e->d_name, path);
		(void)cuv_remove_tree(path);
	}
	if (d)
		(void)closedir(d);
}

int cuv_locks_keep(const struct cuv_builder *b, const struct cuv_lock *l, bool replace)
{
	_cleanup_buf_ struct cuv_buf json = CUV_BUF_INIT(CUV_LOCK_COMPLETE_BYTES_MAX);
	char digest[CUV_LOCK_DIGEST_SIZE], path[PATH_MAX];
	int r = cuv_lock_digest(l, digest);

	if (r < 0 || (r = cuv_lock_complete(l, &json)) < 0)
		return r;
	r = keep_wheels(b, l, digest + strlen("sha256:"));
	if (r < 0)
		return r;
	lock_path(b, digest, ".json", path);
	if (!replace && access(path, F_OK) == 0) {
		(void)utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW);
		return 0;
	}
	if ((r = cuv_builder_write(&b->state, path, json.data, json.len)) < 0)
		return r;
	lock_path(b, digest, CUV_PYLOCK_SUFFIX, path);
	return write_text(b, l, path);
}

int cuv_locks_load(const struct cuv_builder *b, const char *lock_digest, struct cuv_lock *ret)
{
	_cleanup_buf_ struct cuv_buf json = CUV_BUF_INIT(CUV_LOCK_COMPLETE_BYTES_MAX);
	char path[PATH_MAX];
	int r;

	lock_path(b, lock_digest, ".json", path);
	r = cuv_read_file(AT_FDCWD, path, &json);
	if (r < 0)
		return r;
	return cuv_lock_parse(cuv_buf_str(&json), json.len, ret, NULL) < 0 ? -EBADMSG : 0;
}

/* One that was kept before it was known who requires whom. */
static void note_requires(const struct cuv_builder *b, const struct cuv_environment *e, struct cuv_lock *l)
{
	_cleanup_strv_ struct cuv_strv installs = CUV_STRV_INIT;

	if (l->n == 0 || l->packages[0].requires_known)
		return;
	for (size_t i = 0; i < l->n; i++) {
		char name[CUV_STORE_NAME_SIZE];
		size_t at = 0;

		if (cuv_lock_install_name(&l->packages[i], name) < 0)
			return;
		while (at < e->closure.n &&
		       (strlen(e->closure.items[at]) < HASH_LEN || strcmp(e->closure.items[at] + HASH_LEN, name) != 0))
			at++;
		if (at == e->closure.n || cuv_strv_add(&installs, e->closure.items[at]) < 0)
			return;
	}
	cuv_metadata_note(&b->state, &installs, l);
}

int cuv_locks_open(const struct cuv_builder *b, const struct cuv_environment *e)
{
	_cleanup_lock_ struct cuv_lock l = CUV_LOCK_INIT;
	char path[PATH_MAX];
	int fd, r;

	if (strlen(e->lock_digest) != CUV_LOCK_DIGEST_SIZE - 1)
		return -ENOENT;
	lock_path(b, e->lock_digest, CUV_PYLOCK_SUFFIX, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		return -errno;
	r = cuv_locks_load(b, e->lock_digest, &l);
	if (r == -ENOENT || r == -EBADMSG)
		r = cuv_index_lock(b, e->store_name, &l);
	if (r < 0)
		return r;
	note_requires(b, e, &l);
	if ((r = write_text(b, &l, path)) < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

void cuv_locks_strip(struct cuv_lock *lock)
{
	for (size_t i = 0; i < lock->n; i++) {
		struct cuv_locked *p = &lock->packages[i];

		if (p->origin.kind == CUV_ORIGIN_INDEX) {
			free(p->url);
			p->url = NULL;
		} else if (!p->origin.user_url) {
			free(p->origin.url);
			p->origin.url = NULL;
		}
	}
}
