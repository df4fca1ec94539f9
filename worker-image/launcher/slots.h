/* SPDX-License-Identifier: MIT */
/*
 * Slots: places for a run, each with host user ids, cgroups and a network
 * namespace of its own that serve one run at a time. A slot that can't be shown
 * to be empty after a run gets another identity (ids and cgroups); the old one is
 * never used again.
 */
#ifndef CUV_LAUNCHER_SLOTS_H
#define CUV_LAUNCHER_SLOTS_H

#include "lib/base/buf.h"
#include "worker-image/launcher/keeper.h"

struct cuv_slot {
	unsigned id;  /* of its user ids and cgroups */
	pid_t keeper; /* 0: free */
	struct cuv_slotns ns;
	int session; /* the run's, for when its keeper dies */
	char run_id[40];
};

struct cuv_slots {
	const struct cuv_host *host;	   /* borrowed */
	const struct cuv_cgroups *cgroups; /* borrowed */
	struct cuv_slot slot[CUV_BOXES_MAX];
	unsigned n; /* that may be busy at once */
	unsigned busy;
	unsigned next_id; /* never used yet */
	unsigned lost;	  /* identities thrown away */
	struct cuv_buf net_print;
	bool stopping; /* keepers die because we kill them */
};

void cuv_slots_init(struct cuv_slots *s, unsigned n, const struct cuv_host *host, const struct cuv_cgroups *cgroups);

static inline bool cuv_slots_full(const struct cuv_slots *s)
{
	return s->busy >= s->n;
}

/* Forks a keeper for the task on a free slot (there must be one). The task's
 * descriptors are taken over; on failure the client has been told. */
void cuv_slots_start(struct cuv_slots *s, struct cuv_task *task);
/* Reaps what keepers have ended, without waiting, and makes their slots ready. */
void cuv_slots_reap(struct cuv_slots *s);
/* Kills all keepers, and with them their boxes; waits at most wait_ms. */
void cuv_slots_stop(struct cuv_slots *s, uint64_t wait_ms);

#endif
