/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/locks.h"

#include "lib/base/fd.h"
#include "nixenv/builder/index.h"
#include "nixenv/pylock_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* digest is "sha256:<hex>", ours. */
static void lock_path(const struct cuv_builder *b, const char *digest, const char *suffix, char ret[PATH_MAX])
{
	char name[CUV_LOCK_DIGEST_SIZE + 8];

	(void)snprintf(name, sizeof(name), "%.64s%s", digest + strlen("sha256:"), suffix);
	cuv_path_join(b->state.locks, name, ret);
}

static int write_text(const struct cuv_builder *b, const struct cuv_lock *l, const char *path)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_PYLOCK_BYTES_MAX);
	int r = cuv_pylock_write(l, &text);

	return r < 0 ? r : cuv_builder_write(&b->state, path, cuv_buf_str(&text), text.len);
}

int cuv_locks_keep(const struct cuv_builder *b, const struct cuv_lock *l, bool replace)
{
	_cleanup_buf_ struct cuv_buf json = CUV_BUF_INIT(CUV_LOCK_COMPLETE_BYTES_MAX);
	char digest[CUV_LOCK_DIGEST_SIZE], path[PATH_MAX];
	int r = cuv_lock_digest(l, digest);

	if (r < 0 || (r = cuv_lock_complete(l, &json)) < 0)
		return r;
	lock_path(b, digest, ".json", path);
	if (!replace && access(path, F_OK) == 0)
		return 0;
	if ((r = cuv_builder_write(&b->state, path, json.data, json.len)) < 0)
		return r;
	lock_path(b, digest, ".toml", path);
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

int cuv_locks_open(const struct cuv_builder *b, const struct cuv_environment *e)
{
	_cleanup_lock_ struct cuv_lock l = CUV_LOCK_INIT;
	char path[PATH_MAX];
	int fd, r;

	if (strlen(e->lock_digest) != CUV_LOCK_DIGEST_SIZE - 1)
		return -ENOENT;
	lock_path(b, e->lock_digest, ".toml", path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		return -errno;
	r = cuv_locks_load(b, e->lock_digest, &l);
	if (r == -ENOENT || r == -EBADMSG)
		r = cuv_index_lock(b, e->store_name, &l);
	if (r == 0)
		r = write_text(b, &l, path);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}
