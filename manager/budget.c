/* SPDX-License-Identifier: MIT */
#include "manager/budget.h"

#define RETRY_AFTER_S 2

void cuv_budget_init(struct cuv_budget *b, size_t max_bytes)
{
	b->max_bytes = max_bytes;
	atomic_init(&b->used_bytes, 0);
}

bool cuv_charge_add(struct cuv_charge *c, size_t bytes)
{
	size_t used;

	if (!c->budget)
		return true;
	used = atomic_load(&c->budget->used_bytes);
	do {
		if (bytes > c->budget->max_bytes - used)
			return false;
	} while (!atomic_compare_exchange_weak(&c->budget->used_bytes, &used, used + bytes));
	c->bytes += bytes;
	c->most_bytes = CUV_MAX(c->most_bytes, c->bytes);
	return true;
}

void cuv_charge_back(struct cuv_charge *c, size_t to_bytes)
{
	if (to_bytes >= c->bytes)
		return;
	if (c->budget)
		atomic_fetch_sub(&c->budget->used_bytes, c->bytes - to_bytes);
	c->bytes = to_bytes;
}

void cuv_charge_done(struct cuv_charge *c)
{
	cuv_charge_back(c, 0);
}

int cuv_budget_exhausted(struct cuv_error *err, const char *what)
{
	cuv_error_set(err, CUV_E_OVERLOADED, "the service has no memory left for this %s; try again", what);
	err->retry_after_s = RETRY_AFTER_S;
	return -1;
}
