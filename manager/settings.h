/* SPDX-License-Identifier: MIT */
/* The manager's command line and environment. */
#ifndef CUV_SETTINGS_H
#define CUV_SETTINGS_H

#include "manager/isolation.h"

#include <sys/types.h>

struct cuv_manager_settings {
	char address[16]; /* IPv4, "127.0.0.1" */
	uint16_t port;	  /* 0: any */
	int listen_fd;	  /* a Unix socket that listens too; -1: none */
	uid_t uid;	  /* to become; (uid_t)-1: stay */
	gid_t gid;
	uint32_t clients;      /* connections handled at once */
	uint64_t memory_bytes; /* of all requests together */
	uint32_t drain_ms;
	enum cuv_sharing sharing;
	unsigned lint_servers;	/* ruffs that are kept */
	uint32_t runs_queue;	/* that wait, of each client */
	uint32_t runs_at_once;	/* of those that were accepted to be answered later */
	bool landlock_may_miss; /* --allow-degraded landlock */
	const char *api_key;	/* borrowed from the environment; NULL: none */
	const char *store;	/* folder, borrowed from argv; NULL: nothing is kept */
	const char *pages;	/* folder of the API's pages, borrowed from argv; NULL: there are none */
	bool shares;		/* is a binary cache for what is public */
	const char *jobe_env;	/* a digest, borrowed from argv; NULL: none */
	unsigned lock_kinds;	/* nixenv/pylock_kinds.h */
	const char *origins;	/* ALLOWED_ORIGINS, borrowed from argv; NULL: no page of another site */
	bool prewarm;		/* make the environment of dialect E at start */
	bool help;
};

/* 0, or -EINVAL with err set. */
int cuv_manager_settings_read(int argc, char **argv, struct cuv_manager_settings *ret, struct cuv_error *err);
/* Whether a service at this address may be open. 0, or -EINVAL with err set. */
int cuv_manager_settings_check_open(const struct cuv_manager_settings *s, struct cuv_error *err);
/* Whether the address can only be reached from this machine. */
bool cuv_manager_settings_is_loopback(const struct cuv_manager_settings *s);
/* The text of --help. */
const char *cuv_manager_settings_help(void);

#endif
