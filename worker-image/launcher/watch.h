/* SPDX-License-Identifier: MIT */
/*
 * Watching a run: one loop that moves output and looks at the clocks, the memory
 * events, the client and init; it decides once how the run ends, ends it, and
 * goes on until everything of the run is dead and the pipes are empty. Then the
 * result is made of what was seen (result.c).
 *
 *   RUNNING ──ended, or we end it──► DYING ──init dead, or nothing left──► DEAD ──output sent──► done
 */
#ifndef CUV_LAUNCHER_WATCH_H
#define CUV_LAUNCHER_WATCH_H

#include "worker-image/launcher/keeper.h"

/* Why a run came to its end. */
enum cuv_cause {
	CUV_CAUSE_NONE,
	CUV_CAUSE_ENDED, /* by itself; event.wait_status says how */
	CUV_CAUSE_WALL,
	CUV_CAUSE_CPU,
	CUV_CAUSE_OUTPUT,
	CUV_CAUSE_OOM,
	CUV_CAUSE_CANCELLED,
	CUV_CAUSE_FAILED, /* ours: err */
};

struct cuv_watch {
	struct cuv_keeper *k;
	enum cuv_cause cause; /* set once */
	bool dead;	      /* init is, and with it everything in the box */
	bool lost;	      /* init would not die */
	uint64_t end_ns;
	uint64_t deadline_ns; /* of the present state */
	uint64_t setup_deadline_ns;
	uint64_t read_ns; /* when what it writes is read, unless it has ended by then */
	uint64_t cpu_check_ns;
	uint64_t oom_check_ns;
	uint64_t say_ns; /* when the client is told that the run has begun, unless it has been told more by then */
	int oom_checks_left;
	struct cuv_box_event ended;
	struct rusage init_usage; /* of all that init reaped */
	struct cuv_error err;
};

/* Nothing has happened yet; k is borrowed. */
void cuv_watch_init(struct cuv_watch *w, struct cuv_keeper *k);
/* Starts the clocks: the run's wall time counts from its exec, and is looked at
 * when it may have passed at the earliest. */
void cuv_watch_start(struct cuv_watch *w);
/* Ends the run; the first cause counts. Whatever it is, the box dies. */
void cuv_watch_end(struct cuv_watch *w, enum cuv_cause cause);
/* Watches until all that the client is told is known: init is dead, or dies while
 * nothing else is left in the box. */
void cuv_watch_run(struct cuv_watch *w);
/* Waits until init is dead; sets lost where it does not die. */
void cuv_watch_bury(struct cuv_watch *w);

/* When the program executed, 0 when it has not. */
uint64_t cuv_watch_started_ns(const struct cuv_watch *w);
/* What the cgroup has counted for this run alone; -ENOENT without one. */
int cuv_watch_used(const struct cuv_watch *w, struct cuv_cgroup_usage *ret);

/* --- result.c --- */

/* What decides a run's status. */
struct cuv_outcome {
	enum cuv_cause cause;
	int wait_status; /* where it ended by itself */
	bool oom;	 /* the OOM killer struck in its cgroup */
	bool truncated;	 /* there was more output than may be */
	uint64_t cpu_ns;
	uint64_t cpu_limit_ns;
};
enum cuv_run_status cuv_outcome_status(const struct cuv_outcome *o, bool *ret_cpu_timeout);

/* Tells the client how it ended, waiting for it within bounds, and closes the
 * session for good; logs it. */
void cuv_report(struct cuv_watch *w);

#endif
