/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/uses.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/lease.h"
#include "lib/base/log.h"
#include "nixenv/builder/ledger.h"

#include <errno.h>
#include <string.h>

/* uthash ends the program without this, where it finds no memory. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* An environment that was used since the last flush. */
struct use {
	char env[CUV_STORE_NAME_SIZE];
	uint64_t count;
	int64_t last_s;
	UT_hash_handle hh;
};

struct cuv_uses {
	const struct cuv_builder *b;
	struct use *table;
	uint64_t due_ns; /* CUV_NEVER: nothing is noted */
};

struct cuv_uses *cuv_uses_new(const struct cuv_builder *b)
{
	struct cuv_uses *u = calloc(1, sizeof(*u));

	if (u) {
		u->b = b;
		u->due_ns = CUV_NEVER;
	}
	return u;
}

static struct use *find_or_add(struct cuv_uses *u, const char *store_name)
{
	struct use *use;

	HASH_FIND_STR(u->table, store_name, use);
	if (use || HASH_COUNT(u->table) >= CUV_USES_NOTES_MAX)
		return use;
	use = calloc(1, sizeof(*use));
	if (!use)
		return NULL;
	memcpy(use->env, store_name, strnlen(store_name, sizeof(use->env) - 1));
	HASH_ADD_STR(u->table, env, use);
	if (!use->hh.tbl) {
		free(use);
		return NULL;
	}
	return use;
}

void cuv_uses_note(struct cuv_uses *u, const char *store_name, uint32_t count)
{
	struct use *use = find_or_add(u, store_name);

	if (!use)
		return;
	use->count += count;
	use->last_s = cuv_wall_s();
	if (u->due_ns == CUV_NEVER)
		u->due_ns = cuv_deadline_ms(CUV_USES_FLUSH_MS);
}

int cuv_uses_take(struct cuv_uses *u, const char *store_name)
{
	_cleanup_close_ int lease = cuv_lease_take(u->b->state.leases, store_name, false);

	/* No lock file is made again for what was evicted: it would be a lease on nothing. */
	if (lease == -ENOENT && cuv_index_has(u->b, store_name))
		lease = cuv_lease_take(u->b->state.leases, store_name, true);
	if (lease < 0 && lease != -EBUSY && lease != -ENOENT)
		cuv_log(CUV_LOG_WARNING, "lease", CUV_S("environment", store_name), CUV_S("error", strerror(-lease)));
	/* In this order: what is there under our lease stays. */
	if (lease < 0 || !cuv_index_has(u->b, store_name))
		return -1;
	cuv_uses_note(u, store_name, 1);
	return TAKE_FD(lease);
}

uint64_t cuv_uses_due_ns(const struct cuv_uses *u)
{
	return u->due_ns;
}

static int write_all(struct cuv_uses *u, struct cuv_ledger *l)
{
	int r = cuv_ledger_begin(l);

	for (const struct use *use = u->table; use; use = use->hh.next) {
		/* One that was evicted since is not brought back by its last use. */
		if (r == 0 && cuv_index_has(u->b, use->env))
			r = cuv_ledger_used(l, use->env, use->last_s, use->count);
	}
	return r < 0 ? r : cuv_ledger_commit(l);
}

typedef struct cuv_ledger *ledger_opener(const struct cuv_builder *b, int *ret_error);

static void forget_all(struct cuv_uses *u)
{
	struct use *use, *next;

	HASH_ITER(hh, u->table, use, next)
	{
		HASH_DEL(u->table, use);
		free(use);
	}
	u->due_ns = CUV_NEVER;
}

static void flush(struct cuv_uses *u, ledger_opener *open_ledger)
{
	int r = 0;

	if (u->due_ns == CUV_NEVER)
		return;
	{
		_cleanup_ledger_ struct cuv_ledger *l = open_ledger(u->b, &r);

		if (l)
			r = write_all(u, l);
	}
	/* While somebody else writes, or until a chore has made it again, the notes stay. */
	if (r == -EBUSY || r == -EUCLEAN) {
		u->due_ns = cuv_deadline_ms(CUV_USES_FLUSH_MS);
		return;
	}
	/* What else could not be written is forgotten: it only orders who goes first. */
	if (r < 0)
		cuv_log(CUV_LOG_WARNING, "uses-not-written", CUV_S("error", strerror(-r)));
	forget_all(u);
}

void cuv_uses_flush(struct cuv_uses *u)
{
	flush(u, cuv_ledger_open_at_once);
}

struct cuv_uses *cuv_uses_free(struct cuv_uses *u)
{
	if (!u)
		return NULL;
	flush(u, cuv_ledger_open);
	forget_all(u);
	free(u);
	return NULL;
}
