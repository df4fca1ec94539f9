/* SPDX-License-Identifier: MIT */
/*
 * What all runs share, in huge pages. A fork copies an entry of the page tables for each
 * page that the zygote has of its own, and the end of a run takes each away again: with
 * numpy imported there are four thousand, and they were a fifth of what such a run
 * costs. Of a huge page there is one entry, until the run writes to it: then the kernel makes
 * a table of small ones, and still counts those that are not copied as one.
 *
 * So python's arenas are cut from pieces of a huge page's size and place, libc's heap begins
 * at such a place, and so do the program's variables (zygote.py). When all is imported
 * the kernel is asked to put what lies in each into one page; the code, too, which lies in
 * the page cache in pieces of the kernel's choice. It does so where it has a page to spare:
 * no more than costs depends on it.
 */
#include <Python.h>

#include "worker-image/zygote/zygote.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_BYTES (2ul * 1024 * 1024)
#define ARENA_BYTES (HUGE_BYTES / 2) /* obmalloc.c */
#define PAGE_BYTES 4096ul
#define PIECES_MAX 64
#ifndef MADV_COLLAPSE /* Linux 6.1 */
#define MADV_COLLAPSE 25
#endif

/* The linker's: headers, code and constants of the program, of which the interpreter is part,
 * in one mapping that begins with the headers; and its variables. */
extern const ElfW(Ehdr) __ehdr_start;
extern char __etext[], __data_start[], _end[];

static char *piece[PIECES_MAX];
static size_t n_pieces;
static bool is_shared;	 /* what there is now; what comes is a run's own */
static char *spare;	 /* the second half of the last one */
static char *heap_start; /* where the kernel has put it */

static char *map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static char *round_up(const char *p)
{
	return (char *)(((uintptr_t)p + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1));
}

static char *map_piece(void)
{
	char *p = map(2 * HUGE_BYTES), *start;

	if (!p)
		return NULL;
	start = round_up(p);
	if (start > p)
		(void)munmap(p, (size_t)(start - p));
	(void)munmap(start + HUGE_BYTES, (size_t)(p + HUGE_BYTES - start));
	return start;
}

static void *arena_alloc(_unused_ void *context, size_t size)
{
	char *p;

	if (size != ARENA_BYTES || (is_shared && !spare))
		return map(size);
	if (spare)
		return TAKE_PTR(spare);
	p = map_piece();
	if (!p)
		return map(size);
	spare = p + ARENA_BYTES;
	if (n_pieces < PIECES_MAX)
		piece[n_pieces++] = p;
	return p;
}

static void arena_free(_unused_ void *context, void *p, size_t size)
{
	(void)munmap(p, size);
}

void cuv_huge_start(void)
{
	PyObjectArenaAllocator arenas = {.alloc = arena_alloc, .free = arena_free};

	heap_start = sbrk(0);
	(void)sbrk(round_up(heap_start) - heap_start);
	PyObject_SetArenaAllocator(&arenas);
}

/* What is mostly empty would cost more memory than it spares time. */
static bool is_worth_it(char *p)
{
	unsigned char present[HUGE_BYTES / PAGE_BYTES];
	size_t i, n = 0;

	if (mincore(p, HUGE_BYTES, present) < 0)
		return false;
	for (i = 0; i < ARRAY_SIZE(present); i++)
		n += present[i] & 1;
	return n >= ARRAY_SIZE(present) / 2;
}

static void collapse(char *p)
{
	if (is_worth_it(p))
		(void)madvise(p, HUGE_BYTES, MADV_COLLAPSE);
}

/* What is mapped from the program's file can't be put into one page where it is: a copy
 * takes its place. Nothing may change in between; no variable of ours does. */
static void replace(char *p, size_t len, int prot)
{
	char *copy = map_piece();

	if (!copy)
		return;
	memcpy(copy, p, len);
	if (madvise(copy, HUGE_BYTES, MADV_COLLAPSE) < 0 || mprotect(copy, HUGE_BYTES, prot) < 0 ||
	    mremap(copy, HUGE_BYTES, HUGE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, p) == MAP_FAILED)
		(void)munmap(copy, HUGE_BYTES);
}

static void replace_code(void)
{
	char *start = (char *)(uintptr_t)&__ehdr_start, *p;
	const ElfW(Phdr) *h = (const ElfW(Phdr) *)(start + __ehdr_start.e_phoff);
	size_t i, len = 0;

	for (i = 0; i < __ehdr_start.e_phnum && len == 0; i++)
		if (h[i].p_type == PT_LOAD)
			len = h[i].p_memsz;
	for (p = start; p < __etext && p + HUGE_BYTES <= start + len; p += HUGE_BYTES)
		replace(p, HUGE_BYTES, PROT_READ | PROT_EXEC);
}

void cuv_huge_collapse(void)
{
	const char *heap_end = sbrk(0);
	size_t variables = (uintptr_t)_end - (uintptr_t)__data_start, done, i;
	char *p;

	is_shared = true;
	for (i = 0; i < n_pieces; i++)
		collapse(piece[i]);
	for (p = round_up(heap_start); p + HUGE_BYTES <= heap_end; p += HUGE_BYTES)
		collapse(p);
	/* Behind the variables is nothing, unless the heap follows at once. */
	for (done = 0; done < variables && round_up(_end) <= heap_start; done += HUGE_BYTES)
		replace(__data_start + done, CUV_MIN(variables - done, HUGE_BYTES), PROT_READ | PROT_WRITE);
	replace_code();
}
