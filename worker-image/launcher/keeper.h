/* SPDX-License-Identifier: MIT */
/*
 * The keeper of one box: a process forked by the launcher that begins a box
 * (prepare.c), waits for a run to put into it, watches it and reports
 * (keeper.c), and leaves the slot as it found it. It holds the only ties to the
 * box, so that its death is the box's too.
 */
#ifndef CUV_LAUNCHER_KEEPER_H
#define CUV_LAUNCHER_KEEPER_H

#include "worker-image/launcher/box.h"
#include "worker-image/launcher/output.h"
#include "worker-image/launcher/slotns.h"
#include "worker-image/launcher/task.h"

/* What a keeper is made with, before it has a task. */
struct cuv_seat {
	const struct cuv_host *host;	   /* borrowed */
	const struct cuv_cgroups *cgroups; /* borrowed */
	unsigned slot;
	struct cuv_slotns ns;  /* the slot's */
	const char *net_print; /* what a new network looks like; borrowed */
	int orders;	       /* where the task comes from; its end is the keeper's */
	bool probe;	       /* the task runs no program: the launcher's test of itself */
};

/* A keeper's exit status: what may be done with the slot. Any other end is a
 * keeper that died: kill and clear the slot, tell the client. */
enum cuv_keeper_exit {
	CUV_KEEPER_CLEAN = 0,	      /* as new */
	CUV_KEEPER_NET_USED = 1,      /* needs another network namespace */
	CUV_KEEPER_SLOT_LOST = 2,     /* could not be shown to be empty */
	CUV_KEEPER_PROBE_FAILED = 64, /* + the number of the layer */
};

/* The forked child's whole life. launcher is the pid that must be its parent. */
_noreturn_ void cuv_keeper_main(const struct cuv_seat *seat, pid_t launcher);

/* --- between prepare.c and keeper.c --- */

/* A box with its processes, and what the keeper watches it by. */
struct cuv_keeper {
	const struct cuv_seat *seat;
	struct cuv_task task;
	struct cuv_box box;
	struct cuv_cgroup_slot cgroup;
	bool has_cgroup;
	struct cuv_cgroup_usage before; /* what the cgroup had counted before the run */
	int oom_fd;
	short oom_events;
	pid_t init;
	int init_fd;  /* pidfd */
	int mount_ns; /* held so that its dismantling waits until the answer is out */
	int status;   /* our ends of the socket pairs */
	int order;
	int out, err; /* read ends of the program's streams, until the pump has them */
	struct cuv_pump pump;
};

/* Begins a box: all that needs no run. 0, or -errno with err set: what a client
 * is told in the end. */
int cuv_keeper_begin(struct cuv_keeper *k, struct cuv_error *err);
/* Gives k->task to the box and sets its limits, after which the program executes.
 * 0, or -errno with err set. */
int cuv_keeper_order(struct cuv_keeper *k, struct cuv_error *err);

#endif
