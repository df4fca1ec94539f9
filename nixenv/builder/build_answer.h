/* SPDX-License-Identifier: MIT */
/*
 * What comes out of a build box: frames of a letter, eight bytes of length (most
 * significant first) and so many bytes, as pep517.py says. All of it is foreign:
 * each frame at most once, in an order that makes sense, within a bound of its own.
 */
#ifndef CUV_BUILD_ANSWER_H
#define CUV_BUILD_ANSWER_H

#include "lib/base/buf.h"
#include "lib/base/hash.h"
#include "nixenv/wheel.h"

#include <sodium.h>

#define CUV_BUILD_LIST_MAX (64u * 1024u) /* R and D */
#define CUV_BUILD_REASON_MAX 1000u	 /* E */
#define CUV_BUILD_HEADER 9u

struct cuv_build_answer {
	/* Where the wheel goes, and how large it may be; the caller's. */
	int wheel_fd;
	uint64_t wheel_max;

	struct cuv_buf project;		   /* R: JSON, not looked at yet */
	struct cuv_buf requires;	   /* D: the same */
	struct cuv_buf reason;		   /* E */
	char file[CUV_WHEEL_FILE_MAX + 1]; /* N: a wheel's name, of the right form; "" before */
	bool has_project, has_requires, has_reason, has_wheel;
	struct cuv_sha256 sha256; /* of the wheel */
	uint64_t wheel_bytes;

	/* The frame that is being read. */
	uint8_t header[CUV_BUILD_HEADER];
	size_t n_header;
	uint64_t left;
	struct cuv_buf name;
	crypto_hash_sha256_state hash;
};

void cuv_build_answer_init(struct cuv_build_answer *a, int wheel_fd, uint64_t wheel_max);
void cuv_build_answer_done(struct cuv_build_answer *a);
#define _cleanup_build_answer_ _cleanup_(cuv_build_answer_done)

/* Takes in what came. 0; -EBADMSG for what no driver of ours sends; -E2BIG for more
 * than may be; -errno of the write. */
int cuv_build_answer_push(struct cuv_build_answer *a, const void *data, size_t len);
/* Nothing half, and exactly one of: a project, a list, a reason, a wheel. */
bool cuv_build_answer_complete(const struct cuv_build_answer *a);

#endif
