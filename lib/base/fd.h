/* SPDX-License-Identifier: MIT */
/* Descriptors: closing, whole reads and writes, and anonymous files. */
#ifndef CUV_FD_H
#define CUV_FD_H

#include "lib/base/buf.h"

#include <sys/types.h>

/* Closes fd unless it is negative, keeping errno; returns -1 to assign back. */
int cuv_close(int fd);
static inline void cuv_closep(int *fd)
{
	*fd = cuv_close(*fd);
}
#define _cleanup_close_ _cleanup_(cuv_closep)

/* Writes all of it to a blocking descriptor; 0 or -errno. */
int cuv_write_all(int fd, const void *data, size_t len);
/* Appends to a blocking descriptor what the regular file or memfd `from` holds now, from
 * its beginning and without moving its offset, but never more than max bytes. 0 or -errno. */
int cuv_copy_file(int from, int to, uint64_t max);
/* Reads from offset 0 to the end of a regular file or memfd without moving its
 * offset; at most b's room (-E2BIG). 0 or -errno. */
int cuv_pread_all(int fd, struct cuv_buf *b);
/* Reads a whole file below dirfd (or AT_FDCWD). For files that we made only. */
int cuv_read_file(int dirfd, const char *path, struct cuv_buf *b);

/* A sealed (no write, grow, shrink) memfd that holds a copy of the bytes, at
 * offset 0. The descriptor is the caller's; -errno on failure. */
int cuv_memfd(const char *name, const void *data, size_t len);

int cuv_set_nonblock(int fd, bool on);
int cuv_set_cloexec(int fd, bool on);

#endif
