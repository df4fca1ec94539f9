/* SPDX-License-Identifier: MIT */
/*
 * Files that clients of the Jobe dialect have put and runs ask for by their ids. A
 * cache and no store: what has not been asked for goes, the oldest first, and its
 * client puts it again when a run's answer says that it is missing. Each owner has a
 * world of its own, and at most half of the room. What is known of a file is here, its
 * content in a cache (files.h), which may lose it. Safe from many threads.
 */
#ifndef CUV_JOBE_FILES_H
#define CUV_JOBE_FILES_H

#include "lib/base/error.h"
#include "manager/budget.h"
#include "manager/files.h"

#include <pthread.h>
#include <sys/queue.h>

/* Letters and digits. */
#define CUV_JOBE_ID_MIN 8
#define CUV_JOBE_ID_MAX 128
#define CUV_JOBE_FILE_BYTES_MAX (16u << 20)
/* All owners together. */
#define CUV_JOBE_CACHE_BYTES_MAX (64u << 20)
#define CUV_JOBE_CACHE_FILES_MAX 1024u
/* With those that are put while room is made for them. */
#define CUV_JOBE_MEMORY_BYTES_MAX (2 * CUV_JOBE_CACHE_BYTES_MAX)
/* After so long without being asked for. */
#define CUV_JOBE_FILE_AGE_S (2 * 24 * 3600u)

struct cuv_jobe_file;

struct cuv_jobe_files {
	struct cuv_files *cache;			/* borrowed */
	pthread_mutex_t lock;				/* of what follows; never held while the cache is asked */
	TAILQ_HEAD(cuv_jobe_list, cuv_jobe_file) files; /* the one that was asked for last stands last */
	size_t bytes;
	size_t n;
};

void cuv_jobe_files_init(struct cuv_jobe_files *f, struct cuv_files *cache);
void cuv_jobe_files_done(struct cuv_jobe_files *f);

bool cuv_jobe_id_valid(const char *id);

/* Keeps a file (at most CUV_JOBE_FILE_BYTES_MAX) under a valid id, in place of what had the same. An id of 32
 * hexadecimal digits is taken as the MD5 of the content, which it then must be. now_ns: cuv_now_ns.
 * 0, or negative with err set (HASH_MISMATCH, OVERLOADED, as the cache). */
int cuv_jobe_files_put(struct cuv_jobe_files *f, const char *owner, const char *id, const char *data, size_t len,
		       uint64_t now_ns, struct cuv_error *err);
/* Is it there? Counts as being asked for. */
bool cuv_jobe_files_has(struct cuv_jobe_files *f, const char *owner, const char *id, uint64_t now_ns);
/* Appends its content, which is charged for. 1 when it did, 0 when it is not there, or negative with err set. */
int cuv_jobe_files_get(struct cuv_jobe_files *f, const char *owner, const char *id, uint64_t now_ns,
		       struct cuv_charge *charge, struct cuv_buf *ret, struct cuv_error *err);

#endif
