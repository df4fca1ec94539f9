/* SPDX-License-Identifier: MIT */
#include "manager/backends.h"

int cuv_backends_open_local(struct cuv_store *store, uint32_t runs_max, struct cuv_backends *ret, struct cuv_error *err)
{
	*ret = (struct cuv_backends){.queue = cuv_queue_local_new(store, runs_max),
				     .results = cuv_results_local_new(store)};
	if (ret->queue && ret->results)
		return 0;
	cuv_backends_close(ret);
	return cuv_error_set(err, CUV_E_UNAVAILABLE, "no memory for the queue of runs");
}

void cuv_backends_close(struct cuv_backends *b)
{
	if (b->queue)
		b->queue->close(b->queue);
	if (b->results)
		b->results->close(b->results);
	*b = (struct cuv_backends){0};
}
