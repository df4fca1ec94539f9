/* SPDX-License-Identifier: MIT */
#include "manager/backends.h"

/* More than what is kept of answers (runs.h), with the gaps between them. */
#define FILES_BYTES_MAX (1ull << 30)

int cuv_backends_open_local(struct cuv_store *store, const char *folder, uint32_t runs_max, struct cuv_backends *ret,
			    struct cuv_error *err)
{
	int r;

	*ret = (struct cuv_backends){.queue = cuv_queue_local_new(store, runs_max)};
	r = cuv_results_local_clean(store, err);
	if (r == 0)
		r = cuv_files_local_new(store, folder, FILES_BYTES_MAX, &ret->files, err);
	if (r == 0)
		ret->results = cuv_results_local_new(store, ret->files);
	if (r == 0 && (!ret->queue || !ret->results))
		r = cuv_error_set(err, CUV_E_UNAVAILABLE, "no memory for the queue of runs");
	if (r < 0)
		cuv_backends_close(ret);
	return r;
}

void cuv_backends_close(struct cuv_backends *b)
{
	if (b->queue)
		b->queue->close(b->queue);
	if (b->results)
		b->results->close(b->results);
	if (b->files)
		b->files->close(b->files);
	*b = (struct cuv_backends){0};
}
