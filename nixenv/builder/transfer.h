/* SPDX-License-Identifier: MIT */
/* One file on its way: the state that outlives broken connections. For download.c. */
#ifndef CUV_BUILDER_TRANSFER_H
#define CUV_BUILDER_TRANSFER_H

#include "nixenv/builder/download.h"

#include <sodium.h>

#define CUV_VALIDATOR_SIZE 256

struct cuv_transfer {
	struct cuv_download *item;
	struct cuv_dial dial;
	CURL *easy; /* NULL while it waits and when it is done */
	struct curl_slist *headers;
	int fd;
	uint64_t got_bytes;   /* on the disk, and in the hash */
	uint64_t total_bytes; /* 0 when not known */
	uint64_t *all_bytes;  /* borrowed: the sum of all transfers' got_bytes */
	uint64_t all_max;
	crypto_hash_sha256_state hash;
	char validator[CUV_VALIDATOR_SIZE]; /* for If-Range; "" if there is none */
	bool done;
	bool resumed;	   /* what is there came in pieces */
	bool begun_anew;   /* the pieces did not fit: whole this time, or never */
	unsigned failures; /* in a row, without a byte gained */
	unsigned attempts;
	uint64_t due_ns; /* not before */
	/* of the present answer: */
	bool head_read;
	bool body_wanted;
	bool misplaced; /* a range that was not asked for */
	bool too_large;
	int write_error; /* positive errno of the disk */
	uint64_t dropped_bytes;
	uint64_t gained_bytes;
};

/* Opens the file; 0, or -EINVAL with err. */
int cuv_transfer_open(struct cuv_transfer *t, struct cuv_error *err);
void cuv_transfer_close(struct cuv_transfer *t, CURLM *multi);

/* Sends the request, for the rest where a part is there. 0, or -EINVAL with err. */
int cuv_transfer_start(struct cuv_transfer *t, CURLM *multi, struct cuv_error *err);

/* A request ended: 0 when the file is whole or the transfer waits for another
 * attempt (its due_ns says from when); -EINVAL with err. */
int cuv_transfer_finish(struct cuv_transfer *t, CURLM *multi, CURLcode code, uint64_t deadline_ns,
			struct cuv_error *err);

/* "bytes 5-9/10": 0 with what it says, total 0 for "*"; -EINVAL. */
int cuv_content_range(const char *text, uint64_t *ret_first, uint64_t *ret_total);

#endif
