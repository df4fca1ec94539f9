/* SPDX-License-Identifier: MIT */
#include "manager/blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BITS 64u
#define FULL UINT64_MAX
/* 2^42 blocks need half a TiB of bits: nobody has so many. */
#define BLOCKS_MAX (1ull << 42)

void cuv_blocks_done(struct cuv_blocks *b)
{
	free(b->words);
	*b = CUV_BLOCKS_INIT;
}

static bool is_taken(const struct cuv_blocks *b, uint64_t at)
{
	return at < b->end && (b->words[at / BITS] >> (at % BITS) & 1);
}

static int grow(struct cuv_blocks *b, uint64_t end)
{
	const size_t need = (size_t)((end + BITS - 1) / BITS), n = CUV_MAX(need, 2 * b->n_words);
	uint64_t *words;

	if (need <= b->n_words)
		return 0;
	words = realloc(b->words, n * sizeof(*words));
	if (!words)
		return -ENOMEM;
	memset(words + b->n_words, 0, (n - b->n_words) * sizeof(*words));
	b->words = words;
	b->n_words = n;
	return 0;
}

static void set(struct cuv_blocks *b, uint64_t at, uint64_t n)
{
	for (uint64_t i = at; i < at + n; i++)
		b->words[i / BITS] |= 1ull << (i % BITS);
	if (at <= b->first)
		b->first = at + n;
	b->end = CUV_MAX(b->end, at + n);
}

/* The first that n blocks from it are free; behind the last one taken they always are. */
static uint64_t find(const struct cuv_blocks *b, uint64_t n)
{
	uint64_t run = 0, at = b->first;

	while (at < b->end) {
		const uint64_t word = b->words[at / BITS];

		if (at % BITS == 0 && word == FULL) {
			run = 0;
			at += BITS;
			continue;
		}
		if (at % BITS == 0 && word == 0 && run + BITS < n) {
			run += BITS;
			at += BITS;
			continue;
		}
		run = word >> (at % BITS) & 1 ? 0 : run + 1;
		at++;
		if (run == n)
			return at - n;
	}
	return b->end;
}

int cuv_blocks_take(struct cuv_blocks *b, uint64_t n, uint64_t max, uint64_t *ret_at)
{
	const uint64_t at = find(b, n);

	cuv_assert(n > 0);
	if (n > max || at > max - n)
		return -ENOSPC;
	if (grow(b, at + n) < 0)
		return -ENOMEM;
	set(b, at, n);
	*ret_at = at;
	return 0;
}

int cuv_blocks_add(struct cuv_blocks *b, uint64_t at, uint64_t n)
{
	if (at > BLOCKS_MAX || n > BLOCKS_MAX || grow(b, at + n) < 0)
		return -ENOMEM;
	for (uint64_t i = at; i < at + n; i++)
		if (is_taken(b, i))
			return -EEXIST;
	set(b, at, n);
	return 0;
}

void cuv_blocks_give(struct cuv_blocks *b, uint64_t at, uint64_t n)
{
	for (uint64_t i = at; i < at + n; i++) {
		cuv_assert(is_taken(b, i));
		b->words[i / BITS] &= ~(1ull << (i % BITS));
	}
	b->first = CUV_MIN(b->first, at);
	while (b->end > 0 && !is_taken(b, b->end - 1))
		b->end--;
}
