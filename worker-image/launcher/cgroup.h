/* SPDX-License-Identifier: MIT */
/*
 * Control groups of the boxes: for each slot one cgroup in each hierarchy that
 * holds a controller of ours, `<parent>/cuvette-<instance>/<slot>`.
 *
 * Version 1 has a hierarchy per controller, version 2 one for all; what differs
 * in file names stands behind cuv_cgroup_ops (cgroup_v1.c, cgroup_v2.c), the
 * rest is here.
 *
 * Whose they are: the launcher holds a flock on its instance's folder in each
 * hierarchy for as long as it or one of its keepers lives. A cuvette-… folder
 * whose lock can be had belongs to nobody alive and is cleared at start; one
 * that can't is never touched.
 */
#ifndef CUV_LAUNCHER_CGROUP_H
#define CUV_LAUNCHER_CGROUP_H

#include "lib/base/error.h"
#include "lib/proto/limits.h"
#include "worker-image/launcher/cgroup_mounts.h"

#define CUV_CGROUP_HIERARCHIES_MAX 4
#define CUV_INSTANCE_SIZE 64

struct cuv_cgroup_ops;

struct cuv_cgroup_hierarchy {
	unsigned controllers; /* set of CUV_CG_ */
	int parent_fd;	      /* the folder that holds the instances */
	int instance_fd;      /* ours, locked */
};

struct cuv_cgroups {
	const struct cuv_cgroup_ops *ops; /* NULL: the host gives us none */
	struct cuv_cgroup_hierarchy hierarchy[CUV_CGROUP_HIERARCHIES_MAX];
	size_t n;
	unsigned controllers; /* of all hierarchies */
	char instance[CUV_INSTANCE_SIZE];
	char why[160]; /* why a controller is missing; "" if none is */
};
#define CUV_CGROUPS_INIT ((struct cuv_cgroups){0})

/* A slot's folders, opened for one run or for several in turn. */
#define CUV_CGROUP_KEPT_MAX 10 /* a zygote's keeper has 9 with version 1 */
struct cuv_cgroup_slot {
	const struct cuv_cgroups *cgroups; /* borrowed */
	unsigned slot;
	int dir[CUV_CGROUP_HIERARCHIES_MAX];
	/* Files that are read or written for each run, open from the first time on: opening one
	 * takes several times as long as reading it. */
	struct cuv_cgroup_kept {
		const char *name; /* static; NULL: free */
		int dir;
		int mode; /* O_RDONLY or O_WRONLY */
		int fd;
	} kept[CUV_CGROUP_KEPT_MAX];
	uint64_t memory_limit_bytes; /* that was set last; 0: none */
};

struct cuv_cgroup_usage {
	uint64_t cpu_user_ns; /* of all that ever ran in it */
	uint64_t cpu_system_ns;
	uint64_t memory_peak_bytes;
	uint64_t oom_kills;
	uint64_t limit_hits; /* that its own memory limit stood in the way: 0, or how often it did, if that is known */
};

struct cuv_cgroup_ops {
	const char *name;
	/* The folder of this hierarchy can hold children with these controllers. */
	int (*prepare_instance)(int dir, unsigned controllers);
	/* Writes the limits, and starts the counters anew where they can be. */
	int (*set_limits)(struct cuv_cgroup_slot *s, const struct cuv_limits *l);
	/* The same for a slot that is fresh and keeps its limits: the peak only. */
	int (*restart)(struct cuv_cgroup_slot *s);
	/* Fits for a run as it is: nothing of an earlier run would be counted for it. */
	bool (*is_fresh)(struct cuv_cgroup_slot *s);
	/* A descriptor that poll(2) reports (ret_events) when memory ran out; -1 if
	 * there is no such thing. It is a hint: oom_kills decides. */
	int (*watch_oom)(struct cuv_cgroup_slot *s, short *ret_events);
	int (*read_usage)(struct cuv_cgroup_slot *s, struct cuv_cgroup_usage *ret);
};
extern const struct cuv_cgroup_ops cuv_cgroup_v1;
extern const struct cuv_cgroup_ops cuv_cgroup_v2;

/* [a-z0-9_-]{1,40}: what an instance may be called. */
bool cuv_cgroup_instance_valid(const char *name);

/* Finds the hierarchies, clears what dead instances left, makes and locks our
 * own folders. privileged: started by root (which says what to advise). What can't be had is missing in
 * ret->controllers, with the reason in why. 0; -EBUSY with err set when the instance name is in use. */
int cuv_cgroups_start(const char *instance, bool privileged, struct cuv_cgroups *ret, struct cuv_error *err);
/* Kills what is left in all slots, removes the folders, closes all. */
void cuv_cgroups_stop(struct cuv_cgroups *c);

/* Opens the slot's folders, making them where they are missing. */
int cuv_cgroup_slot_open(const struct cuv_cgroups *c, unsigned slot, struct cuv_cgroup_slot *ret);
void cuv_cgroup_slot_close(struct cuv_cgroup_slot *s);
/* Removes the slot's folders and makes new ones; they must be empty. */
int cuv_cgroup_slot_renew(struct cuv_cgroup_slot *s);
/* Descriptors on the cgroup.procs files: a process that writes "0" to each is
 * in the slot. Returns how many, or -errno. */
int cuv_cgroup_slot_open_procs(const struct cuv_cgroup_slot *s, int ret_fds[CUV_CGROUP_HIERARCHIES_MAX]);
/* 1 when no process is in it, 0 when there are some, or -errno. Whoever enters a
 * slot enters the first hierarchy first, and leaves all by its end. */
int cuv_cgroup_slot_is_empty(const struct cuv_cgroup_slot *s);
/* Kills until it is empty, at most wait_ms. 0, -ETIMEDOUT or -errno. */
int cuv_cgroup_slot_kill(const struct cuv_cgroup_slot *s, uint64_t wait_ms);

/* The folder in the first hierarchy that holds the controller, or -1. */
int cuv_cgroup_dir_of(const struct cuv_cgroup_slot *s, unsigned controller);

/* Processes and threads in it, and how many more it was refused, ever: by its own limit, or one
 * around it (not asked for with NULL). 0 or -errno. */
int cuv_cgroup_slot_processes(struct cuv_cgroup_slot *s, uint64_t *ret, uint64_t *ret_refused);

/* Reads a file of a slot, which is one of its folders', into ret as text; for files
 * of a line or a few that are read again and again (kept). How many bytes, or -errno. */
int cuv_cgroup_slot_read(struct cuv_cgroup_slot *s, int dir, const char *file, size_t size, char *ret);
int cuv_cgroup_slot_read_u64(struct cuv_cgroup_slot *s, int dir, const char *file, uint64_t *ret);
/* Writes such a file. 0 or -errno. */
int cuv_cgroup_slot_write(struct cuv_cgroup_slot *s, int dir, const char *file, const char *text);

/* Reads and writes numbers in files of a cgroup. */
int cuv_cgroup_read_u64(int dir, const char *file, uint64_t *ret);
/* The value after `key ` at the start of a line: memory.events, cpu.stat, … */
int cuv_cgroup_read_key(int dir, const char *file, const char *key, uint64_t *ret);
int cuv_cgroup_write_u64(int dir, const char *file, uint64_t value);
int cuv_cgroup_write(int dir, const char *file, const char *text);
/* The pure part of cuv_cgroup_read_key. */
int cuv_cgroup_find_key(const char *text, const char *key, uint64_t *ret);

#endif
