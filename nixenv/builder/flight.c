/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/flight.h"

#include "nixenv/builder/make.h"

#include <string.h>

/* After its own deadline: for what waits without one, such as a lock of the store. */
#define OVERDUE_MS 20000

struct cuv_flight *cuv_flights_find(struct cuv_flights *f, const struct cuv_key *key)
{
	for (size_t i = 0; f->n > 0 && i < CUV_FLIGHTS_MAX; i++)
		if (f->items[i].used && strcmp(f->items[i].key.hex, key->hex) == 0)
			return &f->items[i];
	return NULL;
}

struct cuv_flight *cuv_flights_take_new(struct cuv_flights *f, const struct cuv_key *key, const struct cuv_env_ask *ask,
					char **canonical, size_t len)
{
	for (size_t i = 0; i < CUV_FLIGHTS_MAX; i++) {
		struct cuv_flight *flight = &f->items[i];

		if (flight->used)
			continue;
		*flight = (struct cuv_flight){
			.used = true,
			.all = f,
			.number = ++f->numbers,
			.key = *key,
			.ask = *ask,
			.canonical = TAKE_PTR(*canonical),
			.canonical_len = len,
			.worker = CUV_WORKER_INIT,
		};
		f->n++;
		return flight;
	}
	return NULL;
}

struct cuv_flight *cuv_flights_start(struct cuv_flights *f, const struct cuv_builder *b, int *ret_error)
{
	while (f->n > 0) {
		struct cuv_flight *first = NULL;
		size_t running = 0;
		int r;

		for (size_t i = 0; i < CUV_FLIGHTS_MAX; i++) {
			struct cuv_flight *flight = &f->items[i];

			if (!flight->used)
				continue;
			if (flight->worker.pid > 0)
				running++;
			else if (!first || flight->number < first->number)
				first = flight;
		}
		if (!first || running >= CUV_FLIGHTS_RUNNING_MAX)
			return NULL;
		r = cuv_worker_start(b, &first->ask, &first->key, first->canonical, first->canonical_len,
				     &first->worker);
		if (r < 0) {
			*ret_error = r;
			return first;
		}
		first->overdue_ns = cuv_deadline_ms(cuv_make_ms(&first->ask) + OVERDUE_MS);
	}
	return NULL;
}

void cuv_flight_end(struct cuv_flight *f)
{
	if (!f->used)
		return;
	cuv_worker_stop(&f->worker);
	free(f->canonical);
	f->all->n--;
	*f = (struct cuv_flight){.worker = CUV_WORKER_INIT};
}
