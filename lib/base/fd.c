/* SPDX-License-Identifier: MIT */
#include "lib/base/fd.h"

#include "lib/base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

/* A page. A larger array on the stack is touched whole when it is entered, and in a process that forks
 * each of its pages is copied anew. */
#define CHUNK_BYTES 4096

int cuv_close(int fd)
{
	if (fd >= 0)
		(void)cuv_sys(SYS_close, fd);
	return -1;
}

int cuv_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int copy_small(int from, int to, size_t bytes)
{
	char chunk[CHUNK_BYTES];
	ssize_t n;

	do
		n = pread(from, chunk, bytes, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : cuv_write_all(to, chunk, (size_t)n);
}

int cuv_copy_file(int from, int to, uint64_t max)
{
	struct stat st;
	off_t at = 0, bytes;

	if (fstat(from, &st) < 0)
		return -errno;
	bytes = (off_t)CUV_MIN((uint64_t)st.st_size, max);
	if (bytes <= CHUNK_BYTES) /* the pipe that sendfile makes costs more than to copy twice */
		return copy_small(from, to, (size_t)bytes);
	while (at < bytes) {
		ssize_t n = sendfile(to, from, &at, (size_t)(bytes - at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0) /* it has become shorter */
			break;
	}
	return 0;
}

int cuv_pread_all(int fd, struct cuv_buf *b)
{
	off_t at = 0;

	for (;;) {
		char chunk[CHUNK_BYTES];
		ssize_t n = pread(fd, chunk, sizeof(chunk), at);
		int r;

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			return 0;
		r = cuv_buf_add(b, chunk, (size_t)n);
		if (r < 0)
			return r;
		at += n;
	}
}

int cuv_read_file(int dirfd, const char *path, struct cuv_buf *b)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	for (;;) {
		char chunk[CHUNK_BYTES];
		ssize_t n = read(fd, chunk, sizeof(chunk));
		int r;

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			return 0;
		r = cuv_buf_add(b, chunk, (size_t)n);
		if (r < 0)
			return r;
	}
}

int cuv_memfd(const char *name, const void *data, size_t len)
{
	_cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return -errno;
	r = cuv_write_all(fd, data, len);
	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int set_flag(int fd, int get, int set, int flag, bool on)
{
	int flags = fcntl(fd, get);

	if (flags < 0)
		return -errno;
	flags = on ? flags | flag : flags & ~flag;
	return fcntl(fd, set, flags) < 0 ? -errno : 0;
}

int cuv_set_nonblock(int fd, bool on)
{
	return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int cuv_set_cloexec(int fd, bool on)
{
	return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}
