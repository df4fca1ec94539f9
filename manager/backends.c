/* SPDX-License-Identifier: MIT */
#include "manager/backends.h"

#include "manager/dialect/jobe_files.h"
#include "manager/profiles.h"

/* More than what is kept of answers and of requests that wait (runs.h), with the gaps between them; and
 * as many times what is kept of sessions: a file of theirs fills half of its blocks at least, and is there twice
 * for a moment when it is written anew. */
#define RUNS_BYTES_MAX (1ull << 30)
#define SESSIONS_TIMES 3

int cuv_backends_open_local(struct cuv_store *store, const char *folder, uint32_t runs_max, struct cuv_backends *ret,
			    struct cuv_error *err)
{
	const uint64_t bytes_max = RUNS_BYTES_MAX + SESSIONS_TIMES * cuv_profile_sessions()->all_bytes;
	int r;

	r = cuv_queue_local_clean(store, err);
	if (r == 0)
		r = cuv_results_local_clean(store, err);
	if (r == 0)
		r = cuv_files_local_new(store, folder, bytes_max, &ret->files, err);
	if (r == 0) {
		ret->queue = cuv_queue_local_new(store, ret->files, runs_max);
		ret->results = cuv_results_local_new(store, ret->files);
	}
	if (r == 0 && (!ret->queue || !ret->results))
		r = cuv_error_set(err, CUV_E_UNAVAILABLE, "no memory for the queue of runs");
	if (r < 0)
		cuv_backends_close(ret);
	return r;
}

int cuv_backends_open_cache(struct cuv_backends *ret, struct cuv_error *err)
{
	ret->cache = cuv_files_memory_new(CUV_JOBE_MEMORY_BYTES_MAX);
	return ret->cache ? 0 : cuv_error_set(err, CUV_E_UNAVAILABLE, "no memory for the cache");
}

void cuv_backends_close(struct cuv_backends *b)
{
	if (b->queue)
		b->queue->close(b->queue);
	if (b->results)
		b->results->close(b->results);
	if (b->files)
		b->files->close(b->files);
	if (b->cache)
		b->cache->close(b->cache);
	*b = (struct cuv_backends){0};
}
