/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/turn.h"

#include <string.h>

/* Tenants whose boxes are counted once for each choice; those of more than these as often as
 * they have runs that wait. */
#define SEEN_MAX 32

static unsigned boxes_of(const struct cuv_slots *s, const char *tenant)
{
	unsigned boxes = 0;

	for (unsigned i = 0; i < s->n; i++) {
		const struct cuv_task *t = s->slot[i].task;

		/* Runs with a stream have places of their own. */
		boxes += t && !t->run.stream && strcmp(t->run.tenant, tenant) == 0;
	}
	return boxes;
}

static bool has(const char *const *seen, size_t n, const char *tenant)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(seen[i], tenant) == 0)
			return true;
	return false;
}

size_t cuv_turn_next(const struct cuv_slots *s, struct cuv_task *const *queue, size_t n)
{
	const char *seen[SEEN_MAX];
	size_t n_seen = 0;
	unsigned fewest = UINT32_MAX;
	size_t found = 0;

	cuv_assert(n > 0);
	for (size_t i = 0; i < n && fewest > 0; i++) {
		const char *tenant = queue[i]->run.tenant;
		unsigned boxes;

		if (has(seen, n_seen, tenant))
			continue;
		if (n_seen < SEEN_MAX)
			seen[n_seen++] = tenant;
		boxes = boxes_of(s, tenant);
		if (boxes < fewest) {
			fewest = boxes;
			found = i;
		}
	}
	return found;
}
