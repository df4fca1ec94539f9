/* SPDX-License-Identifier: MIT */
/*
 * The HTTP service: civetweb's threads, the state that they share, and the way
 * of a request through checks, routes and log.
 *
 * Life: cuv_server_start binds and makes all threads, which wait at a gate;
 * cuv_server_open lets them take connections (after the seal); draining refuses
 * new runs; there is no stop, the process ends instead, because civetweb's own
 * stop loses answers under way.
 */
#ifndef CUV_SERVER_H
#define CUV_SERVER_H

#include "manager/backends.h"
#include "manager/budget.h"
#include "manager/clients.h"
#include "manager/dialect/jobe_files.h"
#include "manager/health.h"
#include "manager/held.h"
#include "manager/holdings.h"
#include "manager/http.h"
#include "manager/ruff/pool.h"
#include "manager/settings.h"
#include "manager/watch.h"

#include <stdatomic.h>

#define CUV_SERVER_MAGIC 0x63757653u

struct cuv_runs;
struct cuv_sessions;

struct cuv_server {
	unsigned magic;
	const struct cuv_manager_settings *settings; /* borrowed */
	struct cuv_peers peers;
	struct cuv_clients *clients; /* borrowed */
	struct cuv_holdings holdings;
	struct cuv_health health;
	struct cuv_budget budget;
	struct cuv_watch watch;
	struct cuv_held held;
	struct cuv_ruff_pool ruff;
	struct cuv_jobe_files jobe_files;
	struct cuv_sessions *sessions; /* owned; NULL: there are none */
	struct cuv_runs *runs_later;   /* owned; to the end of the process */
	struct mg_context *ctx;
	int fd_max;	    /* no descriptor of ours is this or above */
	bool any_address;   /* listens on more than one address */
	uint32_t runs_max;  /* the rest of the threads answers quick questions */
	int64_t start_s;    /* wall-clock time */
	atomic_uint runs;   /* runs under way */
	atomic_uint active; /* requests under way */
	atomic_uint nars;   /* archives on their way to clients */
	atomic_bool draining;
	pthread_mutex_t gate_lock;
	pthread_cond_t gate_moved;
	unsigned threads_ready;
	bool gate_open;
};

/* Binds and starts the threads; *ret_port is the real port. peers are copied, backends borrowed.
 * 0, or negative with err set. */
int cuv_server_start(struct cuv_server *s, const struct cuv_manager_settings *settings, struct cuv_clients *clients,
		     const struct cuv_backends *backends, const struct cuv_peers *peers, bool landlock, int fd_max,
		     uint16_t *ret_port, struct cuv_error *err);
/* After the seal, and when the tools are known. */
void cuv_server_open(struct cuv_server *s);

/* No new runs from here on. */
void cuv_server_drain(struct cuv_server *s);
/* Requests that are still being handled. */
unsigned cuv_server_active(struct cuv_server *s);

/* Returns when requests may be taken; for threads that are made before. */
void cuv_server_wait_open(struct cuv_server *s);

/* Leads one checked request to its handler (routes.c). */
void cuv_route(struct cuv_server *s, struct cuv_http *h);
/* Whoever comes to this path, or below, is told of errors in the words that its clients know, be it
 * that nothing is there or that the request can't be read. */
void cuv_route_words(struct cuv_http *h, const char *path);
/* Names of the operations (h->operation), NULL at the end; that of number 1 first. */
extern const char *const cuv_route_operations[];
/* GET /metrics (route_metrics.c) */
void cuv_route_metrics(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
/* Whether who asks may do what needs this scope. 0, or negative with err set. */
int cuv_route_check_access(const struct cuv_server *s, const struct cuv_http *h, unsigned scope, struct cuv_client *ret,
			   struct cuv_error *err);
/* POST /api/v1/run (route_run.c) */
void cuv_route_run(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
/* POST /api/v1/execute (dialect/agent.c) */
void cuv_route_agent(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
/* /api/v1/runs/… (route_runs.c); a run that is answered later is accepted by route_run.c */
void cuv_route_runs_list(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
void cuv_route_runs_get(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
void cuv_route_runs_delete(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
void cuv_route_runs_events(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
/* /api/v1/environments and what is below (route_env.c) */
void cuv_route_env_build(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
void cuv_route_env_list(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
void cuv_route_env_show(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
void cuv_route_env_lock(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
void cuv_route_env_forget(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
/* GET of a binary cache's paths (route_share.c), where the service is one. */
bool cuv_route_is_share(const struct cuv_server *s, const char *path);
void cuv_route_share(struct cuv_server *s, struct cuv_http *h);

#endif
