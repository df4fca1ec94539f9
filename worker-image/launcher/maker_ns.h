/* SPDX-License-Identifier: MIT */
/*
 * The namespaces of a zygote's boxes that serve more than one box, because making
 * them is dear: network, System V IPC and host name, which belong to nobody between
 * two boxes, and one cgroup namespace for each slot.
 */
#ifndef CUV_LAUNCHER_MAKER_NS_H
#define CUV_LAUNCHER_MAKER_NS_H

#include "worker-image/launcher/slotns.h"

#include <sys/types.h>

#define CUV_MAKER_NS_POOLED 16
#define CUV_MAKER_NS_SLOTS 128

struct cuv_maker_pooled {
	struct cuv_slotns ns;
	struct cuv_net_files files; /* of the network: what shows that nothing is left in it */
};
#define CUV_MAKER_POOLED_INIT ((struct cuv_maker_pooled){CUV_SLOTNS_INIT, CUV_NET_FILES_INIT})

struct cuv_maker_ns {
	int proc; /* borrowed: O_PATH of the box maker's /proc */
	/* The box maker's own. It never stays in a box's: a socket counts where it is made, and then the
	 * box's network would not be as new when the box has ended. */
	struct cuv_slotns home;
	struct cuv_maker_pooled pool[CUV_MAKER_NS_POOLED];
	size_t n_pool;
	struct cuv_maker_cgroup_ns {
		int fd; /* -1: free */
		unsigned slot;
		ino_t inode; /* of the cgroup: a slot's is made anew at times */
	} cgroup[CUV_MAKER_NS_SLOTS];
	struct cuv_buf net_print; /* a new network's; empty until the first is made */
};

/* Moves the calling process into namespaces of its own. 0 or -errno. */
int cuv_maker_ns_init(struct cuv_maker_ns *m, int proc);
/* Namespaces for the next box, pooled or new, for its init to enter; ret holds them until
 * they are given back. 0 or -errno. */
int cuv_maker_ns_next(struct cuv_maker_ns *m, struct cuv_maker_pooled *ret);
/* Takes them back when nothing is left in them, else closes them. */
void cuv_maker_ns_keep(struct cuv_maker_ns *m, struct cuv_maker_pooled *p);
/* A cgroup namespace whose root is the slot's cgroups, whose cgroup.procs these are:
 * a descriptor that stays ours, or -errno. */
int cuv_maker_ns_cgroup(struct cuv_maker_ns *m, unsigned slot, const int *procs, size_t n_procs);

#endif
