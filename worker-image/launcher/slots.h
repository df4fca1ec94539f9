/* SPDX-License-Identifier: MIT */
/*
 * Slots: places for a run, each with host user ids, cgroups and a network
 * namespace of its own that serve one run at a time. Where a keeper has died, or
 * could not look, the slot is cleared by the launcher's loop, a look at a time. One
 * that can't be shown to be empty gets another identity (ids and cgroups); the old
 * one is never used again by this launcher.
 *
 * On a few free slots a keeper stands by with a box half made, so that a run finds
 * it ready; some in a zygote, for runs of its environment. One is made when another
 * run has ended, not while one starts.
 */
#ifndef CUV_LAUNCHER_SLOTS_H
#define CUV_LAUNCHER_SLOTS_H

#include "lib/base/buf.h"
#include "worker-image/launcher/zygotes.h"

struct cuv_slot {
	unsigned id;  /* of its user ids and cgroups */
	pid_t keeper; /* 0: none */
	int orders;   /* to a keeper that stands by; -1: there is none, or it has its task */
	struct cuv_slotns ns;
	int session;		   /* the run's, for when its keeper dies */
	struct cuv_task *task;	   /* owned, its session apart; for when it is given back */
	int lease;		   /* on the environment of a run in a box of its own; -1: none */
	struct cuv_zygote *zygote; /* that the keeper's box is in; NULL: a box of its own */
	uint64_t born_ns;	   /* the keeper */
	bool undelivered;	   /* the keeper did not get the task */
	uint64_t clear_by_ns;	   /* what its keeper left must be gone by then; 0: nothing was */
	unsigned doubts;	   /* keepers in a row that could not look */
};

/* Places for runs with a stream, beside the others': two kept ruffs, and one source
 * distribution that is built for each of the builder's flights. */
#define CUV_STREAM_RUNS_MAX 4u
/* More than may be busy at once, for those that stand by. */
#define CUV_SLOTS_SPARE 32u
#define CUV_SLOTS_MAX (CUV_BOXES_MAX + CUV_STREAM_RUNS_MAX + CUV_SLOTS_SPARE)

struct cuv_slots {
	const struct cuv_host *host;	   /* borrowed */
	const struct cuv_cgroups *cgroups; /* borrowed */
	struct cuv_slot slot[CUV_SLOTS_MAX];
	struct cuv_zygotes zygotes;
	unsigned n;	  /* slots */
	unsigned max;	  /* that may be busy at once */
	unsigned busy;	  /* with a run */
	unsigned streams; /* with a run that has a stream */
	unsigned standby; /* without one, and with a box of its own */
	unsigned standby_max;
	unsigned next_id;  /* never used yet */
	unsigned lost;	   /* identities thrown away */
	uint64_t faults;   /* runs that had no end of their own, and were told so */
	unsigned n_made;   /* slots in the beginning */
	uint64_t clear_ns; /* when to look again at those that are being cleared; CUV_NEVER: there are none */
	struct cuv_buf net_print;
	bool stopping; /* keepers die because we kill them */
};

void cuv_slots_init(struct cuv_slots *s, unsigned max, unsigned standby_max, const struct cuv_zygotes_settings *zygotes,
		    const struct cuv_host *host, const struct cuv_cgroups *cgroups);

/* As many are busy as may be, or those that stand by have all the rest. */
bool cuv_slots_full(const struct cuv_slots *s);
/* For so many runs that wait for a slot, some that stand by in zygotes are let go. */
void cuv_slots_make_room(struct cuv_slots *s, size_t runs);

/* Puts the task (taken over) into a free slot; there must be one. On failure the
 * client has been told. */
void cuv_slots_start(struct cuv_slots *s, struct cuv_task *task);
/* Makes keepers stand by, as many as there should be. */
void cuv_slots_stand_by(struct cuv_slots *s);
/* Lets those go that stand by for nothing; to be called now and then. */
void cuv_slots_trim(struct cuv_slots *s);
/* A keeper in a zygote says that its run is over and that it stands by again; to be
 * called when its orders are readable. True when it has said so. */
bool cuv_slots_on_done(struct cuv_slots *s, struct cuv_slot *slot);
/* Reaps what keepers have ended, without waiting, and makes their slots ready.
 * True when one of them had a task. */
bool cuv_slots_reap(struct cuv_slots *s);
/* Looks again at what dead keepers and zygotes left, when it is time for it
 * (cuv_slots_clear_ns). True when a slot has become free. */
uint64_t cuv_slots_clear_ns(const struct cuv_slots *s);
bool cuv_slots_clear(struct cuv_slots *s);
/* No identity is left for a slot that was lost, and nothing runs: a new launcher, which
 * clears what this one could not, would have all of them. */
bool cuv_slots_worn_out(const struct cuv_slots *s);
/* Kills all keepers, and with them their boxes; waits at most wait_ms. */
void cuv_slots_stop(struct cuv_slots *s, uint64_t wait_ms);

#endif
