/* SPDX-License-Identifier: MIT */
/*
 * The zygotes that are alive, one for each environment and tenant that have been
 * asked for lately, and what is known of those that did not come to life.
 *
 *   NONE ──first run──► STARTING ──warm──► WARM ──too old, unused, no room──► ENDING ──► NONE
 *                           └──────died, misbehaved, too late──────┴──► FAILED (cold until a time)
 *
 * A zygote whose packages can't be imported in one is tried once more without
 * importing any; if that fails too the environment stays cold for a while, 5 s the
 * first time and 10 min in the end.
 *
 * The launcher reads nothing of a zygote's: all news come from its keeper.
 */
#ifndef CUV_LAUNCHER_ZYGOTES_H
#define CUV_LAUNCHER_ZYGOTES_H

#include "worker-image/launcher/keeper.h"

#define CUV_ZYGOTES_MAX 64

enum cuv_zygote_state {
	CUV_ZYGOTE_NONE,
	CUV_ZYGOTE_STARTING,
	CUV_ZYGOTE_WARM,
	CUV_ZYGOTE_ENDING, /* lives while runs are in it; there are no new ones */
	CUV_ZYGOTE_FAILED,
};

struct cuv_zygote {
	enum cuv_zygote_state state;
	struct cuv_run run; /* owned: what it is a zygote of, and how it is executed */
	struct cuv_slotns ns;
	pid_t keeper;		/* 0: none */
	int lease;		/* on its environment, as long as it has that mounted; -1: none */
	int news;		/* from it; closing it ends it */
	int boxes;		/* to its box maker */
	bool bare;		/* it imports nothing */
	bool warmed;		/* the present one has been warm */
	bool replaced;		/* another one is being made to take its place */
	unsigned failures;	/* until it was warm */
	unsigned deaths;	/* of warm ones of this entry */
	unsigned keepers;	/* of boxes in it */
	unsigned waiting;	/* of these, without a task */
	unsigned leaving;	/* of these, told to go */
	unsigned refusals;	/* of boxes and forks, one after the other */
	unsigned busy_peak;	/* with a task, at once, in the present period */
	uint64_t period_end_ns; /* of the peak */
	uint64_t runs;
	uint64_t pss_bytes;
	uint64_t started_ns;
	uint64_t used_ns;     /* last */
	uint64_t clear_by_ns; /* what it left must be gone by then; 0: nothing was */
	uint64_t deadline_ns; /* STARTING: when it must be warm; FAILED: when it may be tried again */
	char why[CUV_WHY_COLD_SIZE];
};

struct cuv_zygotes_settings {
	unsigned max;	       /* alive at once; 0: none, every run is cold */
	uint64_t memory_bytes; /* their share of memory together */
	uint64_t runs;	       /* after so many a zygote is replaced */
	uint64_t age_ns;       /* or after so long */
	unsigned pool;	       /* runs that wait in each */
};

struct cuv_zygotes {
	const struct cuv_host *host;	   /* borrowed */
	const struct cuv_cgroups *cgroups; /* borrowed */
	struct cuv_zygotes_settings set;
	struct cuv_zygote zygote[CUV_ZYGOTES_MAX];
	uint64_t clear_ns; /* when to look again at what is being cleared; CUV_NEVER: there is nothing */
	uint64_t warmed;   /* so many have become warm, */
	uint64_t failed;   /* and so many failed */
	bool stopping;
};

void cuv_zygotes_init(struct cuv_zygotes *z, const struct cuv_zygotes_settings *set, const struct cuv_host *host,
		      const struct cuv_cgroups *cgroups);

/* The warm zygote for this run, or NULL with the reason in ret_why; starts one
 * where there should be one. */
struct cuv_zygote *cuv_zygotes_find(struct cuv_zygotes *z, const struct cuv_run *run, char ret_why[CUV_WHY_COLD_SIZE]);
/* A run goes into it. */
void cuv_zygotes_used(struct cuv_zygotes *z, struct cuv_zygote *g);
/* A keeper in it has ended: with a run, or with nothing to be had. One that can only
 * be asked in vain is no use, however well it feels. */
void cuv_zygotes_left(struct cuv_zygotes *z, struct cuv_zygote *g, bool refused);
/* How many keepers should wait in it now. */
unsigned cuv_zygotes_standby(const struct cuv_zygotes *z, const struct cuv_zygote *g);

/* The news of it; call it when its descriptor is readable. */
void cuv_zygotes_on_news(struct cuv_zygotes *z, struct cuv_zygote *g);
/* A child has ended: true when it was the keeper of a zygote. */
bool cuv_zygotes_reaped(struct cuv_zygotes *z, pid_t pid);
/* Looks again at what those that have ended left. */
void cuv_zygotes_clear(struct cuv_zygotes *z);
/* Ends what is too old, too many, too late. Returns when to look again. */
uint64_t cuv_zygotes_tick(struct cuv_zygotes *z);
/* Ends all of them now. */
void cuv_zygotes_stop(struct cuv_zygotes *z);

#endif
