/* SPDX-License-Identifier: MIT */
/*
 * Where the service keeps what it must not forget of runs: a queue, results, and files for
 * what is big; and what it may forget: a cache. Each is a struct of functions (queue.h, results.h, files.h); which
 * ones is decided here, at start, and known to nobody else. What each has to promise is in those headers, and tried by
 * tests/unit/backends_contract.h.
 */
#ifndef CUV_BACKENDS_H
#define CUV_BACKENDS_H

#include "manager/files.h"
#include "manager/queue.h"
#include "manager/results.h"
#include "manager/store.h"

struct cuv_backends {
	struct cuv_queue *queue; /* owned, as the others are; these three are NULL, or none of them */
	struct cuv_results *results;
	struct cuv_files *files;
	struct cuv_files *cache; /* not needed by another process */
};

/* In the service's database, which is borrowed, and a file in the same folder, which is opened or
 * made as whoever we are now. runs_max: so many of one client may wait. 0, or negative with err set
 * (UNAVAILABLE). */
int cuv_backends_open_local(struct cuv_store *store, const char *folder, uint32_t runs_max, struct cuv_backends *ret,
			    struct cuv_error *err);
/* The cache. 0, or negative with err set (UNAVAILABLE). */
int cuv_backends_open_cache(struct cuv_backends *ret, struct cuv_error *err);
void cuv_backends_close(struct cuv_backends *b);

/* --- what they are made of --- */

/* Up to so much a request or an answer is quicker to read and write as a row. */
#define CUV_ROW_BYTES_MAX (128u << 10)

/* Before there are files: those are forgotten that no run has for its request, or for its answer. 0, or
 * negative with err set. */
int cuv_queue_local_clean(struct cuv_store *store, struct cuv_error *err);
int cuv_results_local_clean(struct cuv_store *store, struct cuv_error *err);
struct cuv_queue *cuv_queue_local_new(struct cuv_store *store, struct cuv_files *files, uint32_t runs_max);
struct cuv_results *cuv_results_local_new(struct cuv_store *store, struct cuv_files *files);
/* What is added to the file makes it no longer than max_bytes. */
int cuv_files_local_new(struct cuv_store *store, const char *folder, uint64_t max_bytes, struct cuv_files **ret,
			struct cuv_error *err);
/* All contents together take max_bytes at most. NULL without memory. */
struct cuv_files *cuv_files_memory_new(uint64_t max_bytes);

#endif
