/* SPDX-License-Identifier: MIT */
/*
 * Fetching files: several at a time, hashed while they stream to the disk, never
 * more bytes than allowed, from where dial.h lets them come from.
 *
 * A transfer that breaks off goes on where it was (a range, and If-Range where the
 * server gave a validator), after a pause that doubles; a server that knows no
 * ranges begins again. Bytes that turn out wrong after such a seam are fetched
 * once more from the beginning. Attempts are bounded, and the deadline is over all.
 */
#ifndef CUV_BUILDER_DOWNLOAD_H
#define CUV_BUILDER_DOWNLOAD_H

#include "lib/base/hash.h"
#include "nixenv/builder/dial.h"

struct cuv_download {
	const char *url;  /* borrowed */
	const char *path; /* borrowed; written, replaced if it is there */
	const char *what; /* borrowed; "the wheel of requests 2.31.0", for messages */
	enum cuv_source source;
	bool hash_known; /* else sha256 is filled in on success */
	bool unhashed;	 /* who reads it checks what it holds: no hash is computed */
	struct cuv_sha256 sha256;
	uint64_t size_bytes; /* 0 when not known; filled in on success */
	uint32_t line;	     /* of the requirements, for errors; 0: none */
};

struct cuv_download_progress {
	uint32_t done; /* files */
	uint32_t total;
	uint64_t bytes_done;
	uint64_t bytes_total; /* grows while sizes become known */
	/* One that is being fetched, or is whole now; NULL when there is none. */
	const struct cuv_download *file;
	uint64_t file_done;
	uint64_t file_total; /* no less than what is there */
};

struct cuv_download_options {
	const struct cuv_settings *settings;
	uint64_t bytes_max; /* of all together */
	uint64_t deadline_ns;
	int cancel_fd; /* readable or hung up: given up */
	/* For each file that is being fetched, the largest last, ten times a second at
	 * most; for each that has become whole; and at the end. */
	void (*on_progress)(void *arg, const struct cuv_download_progress *p);
	/* One that is there, whole and checked; others are still on their way. False: all
	 * is given up, with CANCELLED. NULL: nobody asks. */
	bool (*on_file)(void *file_arg, const struct cuv_download *item);
	void *arg;
	void *file_arg;
};

/* 0 when all files are there with the right hashes; -EINVAL with err:
 * HASH_MISMATCH, ENVIRONMENT_TOO_LARGE, INDEX_UNREACHABLE, ADDRESS_REFUSED,
 * URL_UNAVAILABLE, BUILD_TIMEOUT, NO_SPACE, CANCELLED or INTERNAL. */
int cuv_download_all(struct cuv_download *items, size_t n, const struct cuv_download_options *o, struct cuv_error *err);

#endif
