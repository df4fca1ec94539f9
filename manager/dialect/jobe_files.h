/* SPDX-License-Identifier: MIT */
/*
 * Files that clients of the Jobe dialect have put and runs ask for by their ids. A
 * cache and no store: what has not been asked for goes, the oldest first, and its
 * client puts it again when a run's answer says that it is missing. Each owner has a
 * world of its own, and at most half of the room. Safe from many threads.
 */
#ifndef CUV_JOBE_FILES_H
#define CUV_JOBE_FILES_H

#include "lib/base/error.h"

#include <pthread.h>
#include <sys/queue.h>

/* Letters and digits. */
#define CUV_JOBE_ID_MIN 8
#define CUV_JOBE_ID_MAX 128
#define CUV_JOBE_FILE_BYTES_MAX (16u << 20)
/* All owners together. */
#define CUV_JOBE_CACHE_BYTES_MAX (64u << 20)
#define CUV_JOBE_CACHE_FILES_MAX 1024u
/* After so long without being asked for. */
#define CUV_JOBE_FILE_AGE_S (2 * 24 * 3600u)

struct cuv_jobe_file;

struct cuv_jobe_files {
	pthread_mutex_t lock;
	TAILQ_HEAD(, cuv_jobe_file) files; /* the one that was asked for last stands last */
	size_t bytes;
	size_t n;
};

void cuv_jobe_files_init(struct cuv_jobe_files *f);
void cuv_jobe_files_done(struct cuv_jobe_files *f);

bool cuv_jobe_id_valid(const char *id);

/* Keeps a file under a valid id, in place of what had the same. Takes over data (from
 * malloc, at most CUV_JOBE_FILE_BYTES_MAX), whatever comes. An id of 32 hexadecimal
 * digits is taken as the MD5 of the content, which it then must be. now_ns: cuv_now_ns.
 * 0, or negative with err set (HASH_MISMATCH, OVERLOADED). */
int cuv_jobe_files_put(struct cuv_jobe_files *f, const char *owner, const char *id, char *data, size_t len,
		       uint64_t now_ns, struct cuv_error *err);
/* Is it there? Counts as being asked for. */
bool cuv_jobe_files_has(struct cuv_jobe_files *f, const char *owner, const char *id, uint64_t now_ns);
/* Hands its content to take, which must not come back here. 1 when it did, 0 when it is
 * not there, or what take returned below 0. */
int cuv_jobe_files_use(struct cuv_jobe_files *f, const char *owner, const char *id, uint64_t now_ns,
		       int (*take)(void *arg, const char *data, size_t len, struct cuv_error *err), void *arg,
		       struct cuv_error *err);

#endif
