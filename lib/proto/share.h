/* SPDX-License-Identifier: MIT */
/*
 * SHARE_ASK and SHARE: what the manager asks of the builder for a binary cache's
 * clients. The builder decides what is shared, signs and packs; the manager streams.
 *
 *   session: SHARE_ASK → (SHARE | FAILURE); what there is not is NOT_FOUND
 *
 * The answer's descriptor is a regular file or a memfd, from offset 0.
 */
#ifndef CUV_SHARE_H
#define CUV_SHARE_H

#include "lib/proto/messages.h"

enum cuv_share_kind {
	CUV_SHARE_NARINFO = 1, /* what is said about a path */
	CUV_SHARE_NAR,	       /* its archive, by zstd */
	_CUV_SHARE_KIND_MAX,
};

#define CUV_NAR_HASH_PART_SIZE 53 /* 52 characters of base 32 and NUL */
struct cuv_share_ask {
	enum cuv_share_kind kind;
	char hash_part[CUV_ENV_DIGEST_SIZE];   /* the beginning of a store name */
	char nar_hash[CUV_NAR_HASH_PART_SIZE]; /* of NAR: its hash as the narinfo has it; "" */
};
/* Whether all parts have their form. */
bool cuv_share_ask_valid(const struct cuv_share_ask *m);
void cuv_share_ask_put(struct cuv_writer *w, const struct cuv_share_ask *m);
int cuv_share_ask_get(struct cuv_reader *r, struct cuv_share_ask *ret);

#endif
