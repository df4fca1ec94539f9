/* SPDX-License-Identifier: MIT */
/* What `cuvette serve` can be told, read and checked. */
#ifndef CUV_SERVE_SETTINGS_H
#define CUV_SERVE_SETTINGS_H

#include "cli/crew.h"
#include "cli/front.h"
#include "cli/options.h"
#include "lib/base/error.h"
#include "manager/isolation.h"
#include "manager/profiles.h"

struct cuv_serve_settings {
	struct cuv_values values; /* what the rest borrows from */
	char host[16];		  /* IPv4, "127.0.0.1" */
	uint16_t port;		  /* 0: any free one */
	char listen[32];	  /* host:port */
	struct cuv_front_settings front;
	const char *state;	    /* NULL: the default place */
	const char *allow_degraded; /* "" none */
	const char *boxes;	    /* NULL: the launcher's choice */
	const char *log;	    /* NULL: stderr */
	const char *drain;	    /* seconds, checked text for the manager */
	const char *clients;	    /* NULL: the manager's choice */
	const char *request_memory;
	const char *api_key;		      /* NULL: none */
	const char *jobe_env;		      /* a digest; NULL: none */
	const char *origins;		      /* checked; NULL: none */
	const char *limits[_CUV_PROFILE_MAX]; /* of the dialects, checked; NULL: as they are */
	const char *lint_servers;	      /* checked text for the manager, as the next two */
	const char *runs_queue;
	const char *runs_at_once;
	enum cuv_sharing sharing;
	struct cuv_strv zygote_args; /* the launcher's options about zygotes */
	uint64_t drain_ms;
	uint64_t builder_memory_bytes;
	uint64_t builder_processes;
	struct cuv_env_budget env_budget;
	bool no_sdists;
	const char *lock_kinds; /* NULL: none */
	const char *wheelhouse; /* NULL: none */
	bool share;
	bool prewarm;
	bool check; /* only print the configuration */
};
void cuv_serve_settings_done(struct cuv_serve_settings *s);
#define _cleanup_serve_settings_ _cleanup_(cuv_serve_settings_done)

/* Reads and checks all of it; complains on stderr. */
enum cuv_parsed cuv_serve_settings_read(int argc, char **argv, struct cuv_serve_settings *ret);
/* The table for --check: each setting, its value, and where it came from. */
void cuv_serve_settings_print(const struct cuv_serve_settings *s);

/* "ADDR:PORT" or "localhost:PORT", an IPv4 address. 0 or -EINVAL with err set. */
int cuv_serve_settings_listen(const char *text, char ret_host[16], uint16_t *ret_port, struct cuv_error *err);
/* Layers that may be degraded, by their names. 0 or -EINVAL with err set. */
int cuv_serve_settings_degraded(const char *list, struct cuv_error *err);

#endif
