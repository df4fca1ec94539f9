/* SPDX-License-Identifier: MIT */
#include "manager/budget.h"

#define RETRY_AFTER_S 2
/* One client leaves this part of it to others. */
#define OTHERS_PART 4

void cuv_budget_init(struct cuv_budget *b, size_t max_bytes)
{
	b->max_bytes = max_bytes;
	atomic_init(&b->used_bytes, 0);
}

struct cuv_charge cuv_charge_of(struct cuv_budget *b, atomic_size_t *held_bytes, bool shared)
{
	return (struct cuv_charge){.budget = b,
				   .held_bytes = held_bytes,
				   .max_of_one = b->max_bytes - (shared ? b->max_bytes / OTHERS_PART : 0)};
}

struct cuv_charge cuv_charge_beside(const struct cuv_charge *c)
{
	return (struct cuv_charge){.budget = c->budget, .held_bytes = c->held_bytes, .max_of_one = c->max_of_one};
}

static bool take(atomic_size_t *used_bytes, size_t max_bytes, size_t bytes)
{
	size_t used = atomic_load(used_bytes);

	do {
		/* It is more where a client was the only one when it was taken. */
		if (used > max_bytes || bytes > max_bytes - used)
			return false;
	} while (!atomic_compare_exchange_weak(used_bytes, &used, used + bytes));
	return true;
}

bool cuv_charge_add(struct cuv_charge *c, size_t bytes)
{
	if (!c->budget)
		return true;
	c->client_has_all = c->held_bytes && !take(c->held_bytes, c->max_of_one, bytes);
	if (c->client_has_all)
		return false;
	if (!take(&c->budget->used_bytes, c->budget->max_bytes, bytes)) {
		if (c->held_bytes)
			atomic_fetch_sub(c->held_bytes, bytes);
		return false;
	}
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
	if (c->held_bytes)
		atomic_fetch_sub(c->held_bytes, c->bytes - to_bytes);
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

int cuv_charge_refused(const struct cuv_charge *c, struct cuv_error *err, const char *what)
{
	if (!c->client_has_all)
		return cuv_budget_exhausted(err, what);
	cuv_error_set(err, CUV_E_OVERLOADED,
		      "the requests of this API key hold all memory that those of one may; try again");
	err->retry_after_s = RETRY_AFTER_S;
	return -1;
}
