/* SPDX-License-Identifier: MIT */
/*
 * The keeper of one run: a process forked by the launcher that makes the box
 * (prepare.c), watches it and reports (keeper.c), and leaves the slot as it found
 * it. It holds the only ties to the box, so that its death is the box's too.
 */
#ifndef CUV_LAUNCHER_KEEPER_H
#define CUV_LAUNCHER_KEEPER_H

#include "worker-image/launcher/box.h"
#include "worker-image/launcher/output.h"
#include "worker-image/launcher/slotns.h"

/* What the launcher hands to a keeper. */
struct cuv_task {
	const struct cuv_host *host;	   /* borrowed */
	const struct cuv_cgroups *cgroups; /* borrowed */
	unsigned slot;
	struct cuv_slotns ns;  /* the slot's */
	const char *net_print; /* what a new network looks like; borrowed */
	struct cuv_run run;
	int session;
	int fds[1 + CUV_FILES_MAX]; /* stdin, files */
	size_t n_fds;
	uint64_t came_ns; /* when the request was read */
	bool probe;	  /* no program: the launcher's test of itself */
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
_noreturn_ void cuv_keeper_main(struct cuv_task *task, pid_t launcher);

/* --- between prepare.c and keeper.c --- */

/* A box with its process, and what the keeper watches it by. */
struct cuv_keeper {
	struct cuv_task *task;
	struct cuv_box box;
	struct cuv_strv env;
	struct cuv_cgroup_slot cgroup;
	bool has_cgroup;
	struct cuv_cgroup_usage before; /* what the cgroup had counted already */
	int oom_fd;
	short oom_events;
	pid_t init;
	int init_fd;  /* pidfd */
	int mount_ns; /* held so that its dismantling waits until the answer is out */
	int status;   /* our end */
	struct cuv_pump pump;
};

/* Makes the box up to the point where init works by itself. 0, or -errno with
 * err set: what the client is told. Whatever happened, cuv_keeper_kill and
 * cuv_keeper_clean are to be called. */
int cuv_keeper_prepare(struct cuv_keeper *k, struct cuv_error *err);

#endif
