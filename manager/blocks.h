/* SPDX-License-Identifier: MIT */
/*
 * Which blocks of a file are taken: a bit for each. To find room looks at them one after the other, from the first
 * that is free to the first gap that is large enough: at most at as many as the file has (where 64 that
 * follow each other are taken, or free, at once), however many contents they are. Blocks are numbers from 0; what
 * they hold is the caller's business, as is a lock.
 */
#ifndef CUV_BLOCKS_H
#define CUV_BLOCKS_H

#include "lib/base/base.h"

struct cuv_blocks {
	uint64_t *words;
	size_t n_words;
	uint64_t first; /* below it all are taken */
	uint64_t end;	/* from here on none is */
};
#define CUV_BLOCKS_INIT ((struct cuv_blocks){0})
void cuv_blocks_done(struct cuv_blocks *b);

/* Takes n blocks (at least 1) that follow each other, the first room for them that is below max. 0,
 * -ENOSPC, or -ENOMEM. */
int cuv_blocks_take(struct cuv_blocks *b, uint64_t n, uint64_t max, uint64_t *ret_at);
/* These are taken. 0, -EEXIST where one of them was before, or -ENOMEM. */
int cuv_blocks_add(struct cuv_blocks *b, uint64_t at, uint64_t n);
/* They were taken, and are free again. */
void cuv_blocks_give(struct cuv_blocks *b, uint64_t at, uint64_t n);

#endif
