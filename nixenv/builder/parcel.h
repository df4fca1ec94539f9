/* SPDX-License-Identifier: MIT */
/*
 * A parcel: an environment as a file, for machines without a network. A tar archive,
 * compressed by zstd, of regular files:
 *
 *   cuvette-environment.json   {"digest": …, "format": 1, "lock": its complete form}
 *   wheels/<file>              each wheel of the lock, in its order
 *
 * The same environment gives the same bytes before compression. Whoever reads one
 * trusts nothing in it: the first file is the description whatever its name, the
 * others' names are not looked at, and a wheel is the one that has its hash. What the
 * lock and these bytes come to is computed and built as ever, so a parcel can bring
 * no other environment under a digest.
 */
#ifndef CUV_BUILDER_PARCEL_H
#define CUV_BUILDER_PARCEL_H

#include "nixenv/lock.h"

#define CUV_PARCEL_DESCRIPTION_MAX (2u * 1024u * 1024u)
#define CUV_PARCEL_FILES_MAX (1u + CUV_PACKAGES_MAX)
#define CUV_PARCEL_BYTES_MAX (CUV_CLOSURE_BYTES_MAX + CUV_PARCEL_DESCRIPTION_MAX)

struct cuv_parcel {
	char digest[CUV_ENV_DIGEST_SIZE]; /* as its writer calls it */
	struct cuv_lock lock;
};
#define CUV_PARCEL_INIT ((struct cuv_parcel){0})
void cuv_parcel_done(struct cuv_parcel *b);
#define _cleanup_parcel_ _cleanup_(cuv_parcel_done)

/* The description. Writing: 0 or the buffer's error. Reading: 0, or -EINVAL with err
 * LOCK_INVALID; a lock with packages that are still to be built is none. */
int cuv_parcel_describe(const struct cuv_parcel *b, struct cuv_buf *out);
int cuv_parcel_parse(const void *text, size_t len, struct cuv_parcel *ret, struct cuv_error *err);

/* Writes one; paths are the files of the lock's wheels, in its order. 0; -EINVAL with
 * err: NO_SPACE, CANCELLED (nobody reads any more) or INTERNAL. */
int cuv_parcel_write(const struct cuv_parcel *b, const struct cuv_strv *paths, int fd, struct cuv_error *err);

/* Where the files of one that is being read go. Both: 0 or -errno. */
struct cuv_parcel_sink {
	int (*begin)(void *arg, unsigned number, uint64_t size_bytes); /* 0: the description */
	int (*data)(void *arg, const void *data, size_t len);
	void *arg;
};
/* Reads what is a parcel in form. from: a descriptor; -1: the bytes in memory. 0;
 * -EBADMSG it is none; -E2BIG it has too many files or bytes; what the sink returned.
 * ret_why says it in words. Memory: what zstd wants, for a window of 128 MiB at most. */
int cuv_parcel_read(int from, const void *data, size_t len, const struct cuv_parcel_sink *sink, const char **ret_why);

/* `cuvette-builder --unpack-parcel`: the sealed child that reads one from its stdin,
 * into files "0", "1", … of its folder. */
int cuv_parcel_unpack_main(void);
#define CUV_PARCEL_UNPACK "--unpack-parcel"
#define CUV_PARCEL_STATUS_LIMIT 3
#define CUV_PARCEL_STATUS_FULL 4

#endif
