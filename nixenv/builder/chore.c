/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/chore.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/lease.h"
#include "lib/base/log.h"
#include "nixenv/builder/evict.h"
#include "nixenv/builder/locks.h"
#include "nixenv/builder/parcels.h"
#include "nixenv/builder/verify.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One chore in its worker. */
struct chore {
	const struct cuv_builder *b;
	const struct cuv_chore_ask *ask;
	struct cuv_ledger *l;
	const char *work;
	int sock;
	int fd; /* -1: none */
};

static int no_memory(struct cuv_error *err)
{
	return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
}

static int ledger_failed(int r, struct cuv_error *err)
{
	return cuv_error_set_errno(err, r, "the ledger of environments: %s", strerror(-r));
}

static json_t *strings(const struct cuv_strv *v)
{
	json_t *a = json_array();

	for (size_t i = 0; i < v->n; i++)
		json_array_append_new(a, json_string(v->items[i]));
	return a;
}

/* --- list --- */

struct list {
	const struct cuv_builder *b;
	json_t *items;
};

static int list_one(void *arg, const struct cuv_ledger_row *row)
{
	struct list *list = arg;
	char digest[CUV_ENV_DIGEST_SIZE], made[CUV_RFC3339_SIZE], used[CUV_RFC3339_SIZE];

	(void)snprintf(digest, sizeof(digest), "%.*s", CUV_ENV_DIGEST_SIZE - 1, row->env);
	cuv_format_rfc3339(row->made_s, made);
	cuv_format_rfc3339(row->used_s, used);
	return json_array_append_new(
		list->items,
		json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:I, s:b}", "digest", digest, "store_path",
			  row->env, "lock", row->lock, "packages", (json_int_t)row->packages, "bytes",
			  (json_int_t)row->bytes, "own_bytes", (json_int_t)row->free_bytes, "made", made, "used", used,
			  "uses", (json_int_t)row->uses, "pinned", (int)cuv_index_pinned(list->b, row->env)));
}

static int add_totals(const struct chore *c, json_t *to, struct cuv_error *err)
{
	struct cuv_ledger_totals t;
	int r = cuv_ledger_totals(c->l, &t);

	if (r < 0)
		return ledger_failed(r, err);
	json_object_set_new(to, "count", json_integer((json_int_t)t.environments));
	json_object_set_new(to, "bytes", json_integer((json_int_t)t.live_bytes));
	json_object_set_new(to, "store_bytes", json_integer((json_int_t)t.store_bytes));
	json_object_set_new(to, "budget_bytes", json_integer((json_int_t)c->b->budget.bytes));
	json_object_set_new(to, "budget_count", json_integer((json_int_t)c->b->budget.count));
	return 0;
}

static int do_list(struct chore *c, json_t *answer, struct cuv_error *err)
{
	struct list list = {.b = c->b, .items = json_array()};
	int r = cuv_ledger_each(c->l, list_one, &list);

	json_object_set_new(answer, "environments", list.items);
	return r < 0 ? ledger_failed(r, err) : add_totals(c, answer, err);
}

/* --- gc --- */

static int do_gc(struct chore *c, json_t *answer, struct cuv_error *err)
{
	struct cuv_eviction done = {0};
	const bool asked = c->ask->verb == CUV_CHORE_GC;
	struct cuv_evict_how how = {.budget = c->b->budget, .always = asked, .tmp = c->work, .cancel_fd = c->sock};

	if (asked && c->ask->bytes != CUV_CHORE_OWN_BUDGET)
		how.budget.bytes = c->ask->bytes;
	if (asked && c->ask->count != CUV_CHORE_OWN_BUDGET)
		how.budget.count = c->ask->count;
	how.none = asked && (c->ask->bytes == 0 || c->ask->count == 0);
	if (cuv_evict(c->b, c->l, &how, &done, err) < 0)
		return -EINVAL;
	json_object_set_new(answer, "evicted", json_integer((json_int_t)done.evicted));
	json_object_set_new(answer, "in_use", json_integer((json_int_t)done.leased));
	json_object_set_new(answer, "pinned", json_integer((json_int_t)done.pinned));
	json_object_set_new(answer, "locks", json_integer((json_int_t)done.locks));
	json_object_set_new(answer, "freed_bytes", json_integer((json_int_t)done.freed));
	json_object_set_new(answer, "collected", json_boolean(done.collected));
	return add_totals(c, answer, err);
}

/* --- pins --- */

static int do_pin(struct chore *c, json_t *answer, struct cuv_error *err)
{
	const bool pin = c->ask->verb == CUV_CHORE_PIN;

	for (size_t i = 0; i < c->ask->digests.n; i++) {
		_cleanup_close_ int lease = -1;
		char env[CUV_STORE_NAME_SIZE];
		int r;

		cuv_index_store_name(c->ask->digests.items[i], env);
		/* Under a lease, so that nobody evicts it meanwhile. */
		if (pin)
			lease = cuv_lease_take(c->b->state.leases, env, true);
		if (pin && (lease < 0 || !cuv_index_has(c->b, env)))
			return cuv_error_set(err, CUV_E_ENVIRONMENT_UNKNOWN, "there is no environment %s here",
					     c->ask->digests.items[i]);
		r = cuv_index_pin(c->b, env, pin);
		if (r < 0)
			return cuv_error_set_errno(err, r, "the pin: %s", strerror(-r));
	}
	json_object_set_new(answer, pin ? "pinned" : "unpinned", json_integer((json_int_t)c->ask->digests.n));
	return 0;
}

/* --- parcels --- */

static void on_progress(void *arg, const struct cuv_env_progress *p)
{
	const struct chore *c = arg;
	_cleanup_writer_ struct cuv_writer w;

	cuv_writer_init(&w, CUV_MSG_ENV_PROGRESS);
	cuv_env_progress_put(&w, p);
	(void)cuv_writer_send(&w, c->sock, NULL, 0);
}

static struct cuv_parcels parcels_of(struct chore *c)
{
	return (struct cuv_parcels){
		.b = c->b, .work = c->work, .fd = c->fd, .cancel_fd = c->sock, .on_progress = on_progress, .arg = c};
}

static int do_export(struct chore *c, json_t *answer, struct cuv_error *err)
{
	const struct cuv_parcels x = parcels_of(c);

	if (cuv_parcels_export(&x, c->ask->digests.items[0], err) < 0)
		return -EINVAL;
	json_object_set_new(answer, "digest", json_string(c->ask->digests.items[0]));
	return 0;
}

static int do_import(struct chore *c, json_t *answer, struct cuv_error *err)
{
	_cleanup_environment_ struct cuv_environment e = CUV_ENVIRONMENT_INIT;
	const struct cuv_parcels x = parcels_of(c);

	if (cuv_parcels_import(&x, &e, err) < 0)
		return -EINVAL;
	json_object_set_new(answer, "digest", json_string(e.digest));
	json_object_set_new(answer, "python", json_string(e.python));
	json_object_set_new(answer, "packages", strings(&e.packages));
	return 0;
}

/* --- verify --- */

static void on_verify(void *arg, uint32_t done, uint32_t total)
{
	on_progress(arg, &(struct cuv_env_progress){.phase = CUV_PHASE_VERIFYING, .done = done, .total = total});
}

/* What went, with the lock that makes it again, whose record is kept for that. */
static json_t *locks_of(const struct chore *c, const struct cuv_strv *gone)
{
	json_t *again = json_array();

	for (size_t i = 0; i < gone->n; i++) {
		_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_LOCK_COMPLETE_BYTES_MAX);
		_cleanup_lock_ struct cuv_lock lock = CUV_LOCK_INIT;
		char digest[CUV_ENV_DIGEST_SIZE], lock_digest[CUV_LOCK_DIGEST_SIZE];
		struct cuv_ledger_row row;

		(void)snprintf(digest, sizeof(digest), "%.*s", CUV_ENV_DIGEST_SIZE - 1, gone->items[i]);
		if (cuv_ledger_find(c->l, gone->items[i], &row) != 0 || strlen(row.lock) != CUV_SHA256_HEX_SIZE - 1)
			continue;
		(void)snprintf(lock_digest, sizeof(lock_digest), "sha256:%s", row.lock);
		if (cuv_locks_load(c->b, lock_digest, &lock) < 0)
			continue;
		cuv_locks_strip(&lock);
		if (cuv_lock_complete(&lock, &text) == 0)
			json_array_append_new(again, json_pack("{s:s, s:s, s:s}", "digest", digest, "python",
							       lock.python, "lock", cuv_buf_str(&text)));
	}
	return again;
}

static struct cuv_verify verify_of(struct chore *c)
{
	return (struct cuv_verify){
		.b = c->b, .l = c->l, .tmp = c->work, .cancel_fd = c->sock, .on_progress = on_verify, .arg = c};
}

static int do_verify(struct chore *c, json_t *answer, struct cuv_error *err)
{
	_cleanup_verified_ struct cuv_verified found = {0};
	const struct cuv_verify v = verify_of(c);

	if (cuv_verify(&v, &c->ask->digests, &found, err) < 0 || cuv_verify_heal(&v, &found, err) < 0)
		return -EINVAL;
	json_object_set_new(answer, "paths", json_integer((json_int_t)found.paths));
	json_object_set_new(answer, "damaged", strings(&found.damaged));
	json_object_set_new(answer, "in_use", strings(&found.in_use));
	json_object_set_new(answer, "again", locks_of(c, &found.gone));
	for (size_t i = 0; i < found.gone.n; i++)
		if (cuv_ledger_forget(c->l, found.gone.items[i]) < 0)
			return cuv_error_set(err, CUV_E_INTERNAL, "the ledger can't be written");
	return 0;
}

/* What was damaged while somebody used it. */
static void heal(struct chore *c)
{
	_cleanup_verified_ struct cuv_verified found = {0};
	const struct cuv_verify v = verify_of(c);
	struct cuv_error err = CUV_ERROR_INIT;

	if (cuv_verify_heal(&v, &found, &err) < 0)
		cuv_log(CUV_LOG_WARNING, "heal-failed", CUV_S("error", err.message));
}

/* --- all --- */

static int do_verb(struct chore *c, json_t *answer, struct cuv_error *err)
{
	switch (c->ask->verb) {
	case CUV_CHORE_LIST:
		return do_list(c, answer, err);
	case CUV_CHORE_GC:
		return do_gc(c, answer, err);
	case CUV_CHORE_TEND:
		/* Damage that stays is no reason to let the disk fill. */
		heal(c);
		return do_gc(c, answer, err);
	case CUV_CHORE_PIN:
	case CUV_CHORE_UNPIN:
		return do_pin(c, answer, err);
	case CUV_CHORE_VERIFY:
		return do_verify(c, answer, err);
	case CUV_CHORE_EXPORT:
		return do_export(c, answer, err);
	case CUV_CHORE_IMPORT:
		return do_import(c, answer, err);
	case _CUV_CHORE_NONE:
	case _CUV_CHORE_MAX:
	default:
		return cuv_error_set(err, CUV_E_INTERNAL, "there is no such chore");
	}
}

static int send_answer(const struct chore *c, const json_t *answer)
{
	_cleanup_free_ char *text = json_dumps(answer, JSON_COMPACT | JSON_SORT_KEYS);
	_cleanup_close_ int fd = text ? cuv_memfd("answer", text, strlen(text)) : -ENOMEM;

	return fd < 0 ? fd : cuv_msg_send_plain(c->sock, CUV_MSG_CHORE_ANSWER, &fd, 1);
}

static void do_chore(const struct cuv_builder *b, const struct cuv_worker_chore *w, int sock, const char *work, int fd)
{
	struct chore c = {.b = b, .ask = w->arg, .sock = sock, .work = work, .fd = fd};
	json_auto_t *answer = json_object();
	struct cuv_error err = CUV_ERROR_INIT;
	int r = 0;

	/* Parcels need none, and start processes. */
	if (c.ask->verb != CUV_CHORE_EXPORT && c.ask->verb != CUV_CHORE_IMPORT)
		c.l = cuv_ledger_open(b, &r);
	if (c.l)
		r = cuv_ledger_reconcile(c.l);
	if (r < 0)
		(void)ledger_failed(r, &err);
	else if (!answer)
		r = no_memory(&err);
	else
		r = do_verb(&c, answer, &err);
	cuv_ledger_close(&c.l);
	if (r == 0 && (r = send_answer(&c, answer)) < 0)
		(void)cuv_error_set_errno(&err, r, "the answer can't be sent: %s", strerror(-r));
	if (r < 0)
		(void)cuv_failure_send(sock, &err);
}

int cuv_chore_start(const struct cuv_builder *b, const struct cuv_chore_ask *ask, int fd, struct cuv_worker *ret)
{
	return cuv_worker_start_chore(b, &(struct cuv_worker_chore){.do_it = do_chore, .arg = ask, .fd = fd}, ret);
}
