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
	/* A box in a zygote: the socket of its box maker; -1: a box of its own. */
	int boxes;
	bool prefork; /* have the run forked before there is a task: the first one, */
	bool pool;    /* and those after it */
	/* The box of a zygote: the ends that its init and program get; -1 otherwise. */
	int maker_boxes, maker_control, zygote;
};
#define CUV_SEAT_INIT                                                                                                  \
	((struct cuv_seat){.orders = -1,                                                                               \
			   .boxes = -1,                                                                                \
			   .maker_boxes = -1,                                                                          \
			   .maker_control = -1,                                                                        \
			   .zygote = -1,                                                                               \
			   .ns = CUV_SLOTNS_INIT})

/* A keeper's exit status: what may be done with the slot. Any other end is a
 * keeper that died: kill and clear the slot, tell the client. */
enum cuv_keeper_exit {
	CUV_KEEPER_CLEAN = 0,	      /* as new */
	CUV_KEEPER_NET_USED = 1,      /* needs another network namespace */
	CUV_KEEPER_SLOT_LOST = 2,     /* could not be shown to be empty */
	CUV_KEEPER_GIVEN_BACK = 3,    /* as new, and the task was not begun: it can have another box */
	CUV_KEEPER_SLOT_UNSURE = 4,   /* a call failed that would have shown it to be empty */
	CUV_KEEPER_PROBE_FAILED = 64, /* + the number of the layer */
};

/* The forked child's whole life. launcher is the pid that must be its parent. */
_noreturn_ void cuv_keeper_main(const struct cuv_seat *seat, pid_t launcher);

/* What the keeper of a zygote tells the launcher, over orders. */
struct cuv_zygote_news {
	bool warm; /* it can be forked; otherwise it is over, and why says what for */
	uint64_t pss_bytes;
	uint32_t imported;
	uint32_t failed;
	char why[CUV_WHY_COLD_SIZE];
};

/* The keeper of a zygote: the forked child's whole life. The run, which has no
 * files, executes the zygote; orders is where the news go, and its end is ours. */
_noreturn_ void cuv_zygote_keeper_main(const struct cuv_seat *seat, pid_t launcher, const struct cuv_run *run);

/* --- between prepare.c, joined.c, zygote_keeper.c and keeper.c --- */

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
	int mount_ns; /* held so that its dismantling waits until the answer is out; of a box in a
		       * zygote only where artifacts are wanted */
	int status;   /* our ends of the socket pairs */
	int order;
	int out, err; /* read ends of the program's streams, until the pump has them */
	struct cuv_pump pump;
	struct cuv_limits limits; /* that the cgroup has */
	bool counted;		  /* before is */
	bool asked;		  /* in a zygote: the run was asked for */
	bool waiting;		  /* and it is there */
	enum cuv_run_path path;
};

static inline bool cuv_keeper_is_joined(const struct cuv_keeper *k)
{
	return k->seat->boxes >= 0;
}

void cuv_keeper_init(struct cuv_keeper *k, const struct cuv_seat *seat);
/* The first thing a keeper does. 0 or -errno. */
int cuv_keeper_start(const struct cuv_seat *seat, pid_t launcher);

/* Begins a box: all that needs no run. 0, or -errno with err set: what a client
 * is told in the end. */
int cuv_keeper_begin(struct cuv_keeper *k, struct cuv_error *err);
/* Gives k->task to the box and sets its limits, after which the program executes.
 * 0, or -errno with err set. */
int cuv_keeper_order(struct cuv_keeper *k, struct cuv_error *err);
/* Parts of them. */
int cuv_keeper_enter_slot(struct cuv_keeper *k);
/* The same for the next run in a slot that was entered before and is as new. */
int cuv_keeper_use_again(struct cuv_keeper *k);
int cuv_keeper_open_streams(struct cuv_keeper *k);
int cuv_keeper_send_order(struct cuv_keeper *k);
int cuv_keeper_limit_slot(struct cuv_keeper *k);
/* Reads what the cgroup has counted so far, unless that was done. */
int cuv_keeper_count(struct cuv_keeper *k);

/* The same two for a box in a zygote (joined.c). A failure leaves the task as it
 * was: it can be given back. 0 or -errno. */
int cuv_joined_begin(struct cuv_keeper *k, bool prefork);
int cuv_joined_order(struct cuv_keeper *k);
/* Waits until the box's init is known. 0, or -errno when there will be none, or not in time. */
int cuv_joined_until_made(struct cuv_keeper *k, uint64_t ms);
/* Takes an event while there is no run yet. 0, or -errno when there will be none. */
int cuv_joined_on_status(struct cuv_keeper *k);

#endif
