/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/wheelhouse.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CHUNK (256u * 1024u)

static int open_file(const struct cuv_wheelhouse_copy *c)
{
	_cleanup_close_ int folder = open(c->folder, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	/* What is no plain file must not make us wait. */
	const struct open_how how = {.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
				     .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	struct stat st;

	if (folder < 0)
		return -errno;
	if (strchr(c->name, '/'))
		return -EINVAL;
	fd = (int)syscall(SYS_openat2, folder, c->name, &how, sizeof(how));
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? TAKE_FD(fd) : -EINVAL;
}

static int check_end(const struct cuv_wheelhouse_copy *c, struct cuv_error *err)
{
	struct pollfd p = {.fd = c->cancel_fd, .events = POLLIN | POLLRDHUP};

	if (poll(&p, 1, 0) > 0)
		return cuv_error_set(err, CUV_E_CANCELLED, "the request was given up");
	if (cuv_now_ns() >= c->deadline_ns)
		return cuv_error_set(err, CUV_E_BUILD_TIMEOUT, "reading %s took longer than the limit", c->what);
	return 0;
}

static int failed(const struct cuv_wheelhouse_copy *c, int r, struct cuv_error *err)
{
	if (r != -ENOSPC && r != -EDQUOT)
		return cuv_error_set_errno(err, r, "%s can't be copied: %s", c->what, strerror(-r));
	cuv_error_set(err, CUV_E_NO_SPACE, "the service's disk is full");
	err->retry_after_s = 60;
	return -EINVAL;
}

static int copy(const struct cuv_wheelhouse_copy *c, int from, int to, uint64_t *ret_bytes, struct cuv_error *err)
{
	_cleanup_free_ uint8_t *chunk = malloc(CHUNK);
	crypto_hash_sha256_state state;
	struct cuv_sha256 hash;
	ssize_t n;

	*ret_bytes = 0;
	crypto_hash_sha256_init(&state);
	while (chunk && (n = read(from, chunk, CHUNK)) > 0) {
		int r;

		*ret_bytes += (uint64_t)n;
		if (*ret_bytes > c->bytes_max)
			return cuv_error_set(err, CUV_E_ENVIRONMENT_TOO_LARGE,
					     "%s is too large: at most %llu MiB are left for it", c->what,
					     (unsigned long long)(c->bytes_max >> 20));
		if (check_end(c, err) < 0)
			return -EINVAL;
		crypto_hash_sha256_update(&state, chunk, (size_t)n);
		r = cuv_write_all(to, chunk, (size_t)n);
		if (r < 0)
			return failed(c, r, err);
	}
	if (!chunk || n < 0)
		return failed(c, chunk ? -errno : -ENOMEM, err);
	crypto_hash_sha256_final(&state, hash.bytes);
	if (sodium_memcmp(hash.bytes, c->sha256->bytes, sizeof(hash.bytes)) != 0)
		return cuv_error_set(err, CUV_E_HASH_MISMATCH,
				     "`%s` in the service's wheelhouse has another sha256 than the lock says", c->name);
	return 0;
}

int cuv_wheelhouse_copy(const struct cuv_wheelhouse_copy *c, uint64_t *ret_bytes, struct cuv_error *err)
{
	_cleanup_close_ int from = -1, to = -1;

	if (!c->folder)
		return cuv_error_set(err, CUV_E_LOCK_UNSUPPORTED,
				     "%s is a file of the machine that the lock was made on, and there is no folder of "
				     "such files here (CUVETTE_WHEELHOUSE)",
				     c->what);
	from = open_file(c);
	if (from < 0) {
		cuv_log(CUV_LOG_WARNING, "wheelhouse-lacks", CUV_S("folder", c->folder), CUV_S("file", c->name),
			CUV_S("error", strerror(-from)));
		return cuv_error_set(err, CUV_E_WHEEL_UNAVAILABLE,
				     "the service's wheelhouse has no plain file `%s` that can be read", c->name);
	}
	to = open(c->path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	return to < 0 ? failed(c, -errno, err) : copy(c, from, to, ret_bytes, err);
}
