/* SPDX-License-Identifier: MIT */
/*
 * Where a run's new objects come to be. After a start and imports there are holes all
 * over the heaps, and a run that fills them copies the page around each. So the zygote
 * fills them itself, for good: then new objects lie together, in pages that nobody has
 * used before, and a run has as many of those as it needs.
 *
 * It is only a matter of costs: whatever the allocators do otherwise on another day,
 * the bounds end it.
 */
#include <Python.h>

#include "worker-image/zygote/zygote.h"

#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#define TRIES_MAX 20000 /* of each size */

/* --- libc's --- */

#define LARGE_BYTES (32u * 1024)
#define STEP_BYTES 16u
#define EXACT_BYTES 1040u /* up to here libc keeps a list of free pieces for each size */

/* The largest first, since small ones are cut off large holes too. */
static void fill_libc(void)
{
	const uintptr_t edge = (uintptr_t)sbrk(0) - mallinfo2().keepcost; /* behind it all is free */
	size_t size = LARGE_BYTES, tries;

	while (size >= STEP_BYTES) {
		for (tries = 0; tries < TRIES_MAX; tries++) {
			void *p = malloc(size);
			const bool is_new = (uintptr_t)p >= edge;

			/* Small ones would be kept for the next of that size, where they are. */
			if (is_new && size > EXACT_BYTES)
				free(p);
			if (!p || is_new)
				break;
		}
		size = size > EXACT_BYTES ? (size - size / 8) & ~(size_t)(STEP_BYTES - 1) : size - STEP_BYTES;
	}
}

/* --- python's --- */

#define POOL_BYTES (16u * 1024) /* obmalloc.c, where arenas are found by a radix tree */
#define POOL_HEAD_BYTES 48u
#define SMALL_BYTES 512u

static void fill_python(void)
{
	size_t size, tries;

	for (size = STEP_BYTES; size <= SMALL_BYTES; size += STEP_BYTES) {
		for (tries = 0; tries < TRIES_MAX; tries++) {
			char *p = PyObject_Malloc(size);

			/* The first of a pool: it is a new one. */
			if (!p || (uintptr_t)p % POOL_BYTES == POOL_HEAD_BYTES) {
				PyObject_Free(p);
				break;
			}
		}
	}
}

void cuv_heap_fill(void)
{
	fill_python();
	fill_libc();
}
