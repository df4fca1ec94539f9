/* SPDX-License-Identifier: MIT */
/*
 * Fetching wheels: several at a time, hashed while they stream to the disk,
 * never more bytes than allowed, http and https only, also after redirects.
 */
#ifndef CUV_BUILDER_DOWNLOAD_H
#define CUV_BUILDER_DOWNLOAD_H

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/base/hash.h"

struct cuv_download {
	const char *url;  /* borrowed */
	const char *path; /* borrowed; written, replaced if it is there */
	const char *what; /* borrowed; "requests 2.31.0", for messages */
	struct cuv_sha256 sha256;
	uint64_t size_bytes; /* 0 when not known; filled in on success */
};

struct cuv_download_options {
	const struct cuv_buf *ca; /* PEM; empty: the system's */
	uint64_t bytes_max;	  /* of all together */
	uint64_t deadline_ns;
	int cancel_fd; /* readable or hung up: given up */
	/* Now and then; totals grow while sizes become known. */
	void (*on_progress)(void *arg, uint32_t done, uint32_t total, uint64_t bytes_done, uint64_t bytes_total);
	void *arg;
};

/* 0 when all files are there with the right hashes; -EINVAL with err:
 * HASH_MISMATCH, ENVIRONMENT_TOO_LARGE, INDEX_UNREACHABLE, BUILD_TIMEOUT,
 * NO_SPACE, CANCELLED or INTERNAL. */
int cuv_download_all(struct cuv_download *items, size_t n, const struct cuv_download_options *o, struct cuv_error *err);

#endif
