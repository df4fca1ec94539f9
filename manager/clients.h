/* SPDX-License-Identifier: MIT */
/*
 * Who a request is from, and how much they may have. A service has the key of the
 * environment (API_KEY: all scopes, no bounds), those of the store, or none: then
 * whoever reaches it is the same client, on loopback only. Keys that are made or
 * revoked while it runs count within a second; a service that ever had one is never
 * open again.
 */
#ifndef CUV_CLIENTS_H
#define CUV_CLIENTS_H

#include "manager/budget.h"
#include "manager/keys.h"

#include <pthread.h>

/* A key as this process knows it; lives as long as the process. */
struct cuv_client_key;

struct cuv_clients {
	const char *env_key;	 /* borrowed; NULL: none */
	struct cuv_store *store; /* borrowed; NULL: no keys are kept */
	pthread_mutex_t lock;
	struct cuv_client_key *keys;  /* by id */
	uint64_t looked_ns;	      /* when the store was asked last */
	bool stale;		      /* it had changed, and could not be read */
	uint32_t env_held;	      /* of the service's places, by whom no stored key is of */
	atomic_size_t env_held_bytes; /* of the memory, likewise */
	atomic_size_t strangers_held_bytes;
};

/* Who it is; a plain value. */
struct cuv_client {
	struct cuv_client_key *key; /* NULL: the environment's, or nobody's */
	unsigned scopes;
	/* Whose zygotes its runs may share, and in logs: the key's id, or
	 * CUV_TENANT_HTTP. */
	char tenant[CUV_KEY_ID_SIZE];
};

/* Borrows both for its life. 0, or negative with err set. */
int cuv_clients_init(struct cuv_clients *a, const char *env_key, struct cuv_store *store, struct cuv_error *err);
void cuv_clients_done(struct cuv_clients *a);
/* Nobody needs a key. */
bool cuv_clients_is_open(struct cuv_clients *a);

/* text: what was sent as a key; NULL: nothing. 0, or -EINVAL with err set
 * (UNAUTHORIZED; SCOPE_MISSING when the key is good for other things). */
int cuv_clients_check(struct cuv_clients *a, const char *text, enum cuv_scope scope, struct cuv_client *ret,
		      struct cuv_error *err);

/* The client of this name (cuv_client.tenant), for what was accepted of them before. False
 * when their key was revoked. */
bool cuv_clients_of(struct cuv_clients *a, const char *tenant, struct cuv_client *ret);

/* Whether their key is still good, as the store has it now: for what begins long after it
 * was asked for. */
bool cuv_clients_is_good(struct cuv_clients *a, const struct cuv_client *c);
/* Whether there may be more than one client, so that none may take all of something. */
bool cuv_clients_are_many(struct cuv_clients *a);

/* Takes a place for one run of this client, who must give it back. 0, or negative with
 * err set (RATE_LIMITED, with the time to come back; nothing was taken). */
int cuv_clients_take_place(struct cuv_clients *a, const struct cuv_client *c, struct cuv_error *err);
void cuv_clients_give_place(struct cuv_clients *a, const struct cuv_client *c);
/* One of the service's places for requests that run something, of which one client has at most
 * so many where there are others. False: it has them. */
bool cuv_clients_hold(struct cuv_clients *a, const struct cuv_client *c, uint32_t max_of_one);
void cuv_clients_let_go(struct cuv_clients *a, const struct cuv_client *c);
/* What one of this client's requests holds of the memory of all, of which one client has at
 * most a part where there are others. NULL: one who may not be here. Those count as one
 * together, however many they are: an address is had for nothing, and behind a proxy all have the same. */
struct cuv_charge cuv_clients_charge(struct cuv_clients *a, const struct cuv_client *c, struct cuv_budget *b);
/* One run more of the minute's and the day's. As above. */
int cuv_clients_use_run(struct cuv_clients *a, const struct cuv_client *c, int64_t now_s, struct cuv_error *err);
/* For a client without a place left: lets a few requests be read all the same, which may
 * turn out to need none. False: no more of them now. */
bool cuv_clients_let_in(struct cuv_clients *a, const struct cuv_client *c);
void cuv_clients_let_out(struct cuv_clients *a, const struct cuv_client *c);

#endif
