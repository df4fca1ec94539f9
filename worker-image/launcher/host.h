/* SPDX-License-Identifier: MIT */
/*
 * What the launcher makes of the host when it starts, before any request: a
 * mount namespace that holds nothing but what boxes are made of, a network
 * namespace with nothing in it, and, when an ordinary user started it, a user
 * namespace in which it may do all that. Keepers inherit all of it by fork.
 *
 * The launcher's root afterwards (a read-only tmpfs):
 *   /store   the store, bound read-only, nosuid, nodev
 *   /dev     the template of every box's /dev
 *   /proc    only so that the kernel lets a box mount its own
 *   /mnt     nothing but a place for this root: what a box's namespace has as its root
 *            until there is an image, and below it then; /mnt/old is that place
 *   /probe   an empty root for the launcher's test of itself
 */
#ifndef CUV_LAUNCHER_HOST_H
#define CUV_LAUNCHER_HOST_H

#include "lib/base/error.h"
#include "worker-image/launcher/seccomp.h"

#include <sys/types.h>

struct cuv_host {
	bool privileged;	/* started by root */
	bool many_ids;		/* boxes have host ids of their own */
	bool proc_works;	/* a box can mount /proc */
	bool copies_loose;	/* what is mounted nowhere can be copied: Linux 6.15 */
	char many_ids_why[160]; /* why not; "" when they have */
	uid_t started_uid;	/* as this process sees it now: who else may connect */
	int proc_fd;		/* O_PATH of /proc */
	int leases_fd;		/* folder of leases (lib/base/lease.h); -1: none are taken */
	struct cuv_seccomp filter, zygote_filter;
};
#define CUV_HOST_INIT ((struct cuv_host){.proc_fd = -1, .leases_fd = -1})

/* First stage: drops supplementary groups or enters a user namespace. Nothing of
 * the host's files is given up yet. 0, or -errno with err saying what to do. */
int cuv_host_enter(struct cuv_host *h, struct cuv_error *err);
/* Opens the folder of leases, which lies outside the new root; NULL: there is none. */
int cuv_host_open_leases(struct cuv_host *h, const char *leases_dir, struct cuv_error *err);
/* Second stage: the new root, the empty network. Afterwards the host's files can
 * only be reached by descriptors that were opened before. */
int cuv_host_seal(struct cuv_host *h, const char *store_dir, struct cuv_error *err);
void cuv_host_done(struct cuv_host *h);

#endif
