/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/turn.h"

#include <string.h>

static unsigned boxes_of(const struct cuv_slots *s, const char *tenant)
{
	unsigned boxes = 0;

	for (unsigned i = 0; i < s->n; i++)
		boxes += s->slot[i].task && strcmp(s->slot[i].task->run.tenant, tenant) == 0;
	return boxes;
}

size_t cuv_turn_next(const struct cuv_slots *s, struct cuv_task *const *queue, size_t n)
{
	const char *looked_at = NULL;
	unsigned fewest = UINT32_MAX;
	size_t found = 0;

	cuv_assert(n > 0);
	for (size_t i = 0; i < n && fewest > 0; i++) {
		const char *tenant = queue[i]->run.tenant;
		unsigned boxes;

		/* Mostly they are one's own, one behind the other. */
		if (looked_at && strcmp(looked_at, tenant) == 0)
			continue;
		looked_at = tenant;
		boxes = boxes_of(s, tenant);
		if (boxes < fewest) {
			fewest = boxes;
			found = i;
		}
	}
	return found;
}
