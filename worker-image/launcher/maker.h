/* SPDX-License-Identifier: MIT */
/*
 * The box maker: init of a zygote's box, pid 1 of its pid namespace, with rights
 * in the zygote's user namespace and in no other. Keepers ask it for boxes and
 * for runs in them; it makes the boxes (maker_box.c), has the zygote fork, looks
 * at what came of it before anybody sends it a program (maker_check.c), and is
 * the parent of all: it reaps, and says how a run ended.
 *
 * It alone reads what a zygote sends. Anything that does not hold ends it, and
 * with pid 1 the kernel ends zygote, boxes and runs.
 */
#ifndef CUV_LAUNCHER_MAKER_H
#define CUV_LAUNCHER_MAKER_H

#include "worker-image/launcher/box.h"
#include "worker-image/launcher/fdmsg.h"
#include "worker-image/launcher/slotns.h"

#include "worker-image/zygote/protocol.h"

/* Boxes at once in one zygote. */
#define CUV_MAKER_BOXES_MAX 128
/* From the order to fork until the run is sealed and waits. */
#define CUV_MAKER_FORK_MS 5000

/* --- what keepers ask --- */

/* What a run is forked with: the socket on which its RUN frame will come, its
 * stdout, its stderr. */
#define CUV_MAKER_STREAMS 3

/* A box for the slot. On status (the far end of the keeper's socket pair) comes
 * CUV_BOX_MADE, with the pidfd of the box's init, or CUV_BOX_FAILED; the box ends
 * when the keeper's end is closed. procs are the slot's cgroup.procs. With streams,
 * which may be NULL, the run is forked as soon as the box is made, as by
 * cuv_maker_ask_fork; then the pidfd comes with its CUV_BOX_WAITING. All descriptors are borrowed. 0, or -errno
 * (-EAGAIN: it has too much to do). */
int cuv_maker_ask_box(int boxes, unsigned slot, int status, const int *procs, size_t n_procs, const int *streams);
/* A run forked into the slot's box. Answered on the box's status socket by
 * CUV_BOX_WAITING or CUV_BOX_FAILED, and when the run has ended by CUV_BOX_ENDED. */
int cuv_maker_ask_fork(int boxes, unsigned slot, const int streams[CUV_MAKER_STREAMS]);
/* Asks for the mount namespace of the slot's box. */
int cuv_maker_ask_mounts(int boxes, unsigned slot);

/* --- the box maker's own side --- */

/* Init of the zygote's box goes on here when the zygote has been executed.
 * Never returns. */
_noreturn_ void cuv_maker_main(const struct cuv_box *box, pid_t zygote);

/* Namespaces of a box, in the order of enum cuv_zygote_fd. */
#define CUV_MAKER_NAMESPACES (CUV_ZYGOTE_FD_CGROUP + 1)

/* What a box of a zygote is made with; all borrowed. */
struct cuv_maker_order {
	int link;   /* to the box maker, when it is made: a byte, its pid and mount namespace */
	int status; /* to the keeper */
	int mounts; /* mount namespace to begin with; it has no /proc */
	int cgroup_ns;
	struct cuv_slotns pooled; /* to enter */
};
#define CUV_MAKER_OWN_NAMESPACES 2
/* Starts the init of such a box, in a new pid namespace. It shares the box maker's memory and
 * has its stack there, of CUV_MAKER_STACK_BYTES, which is the caller's again when init has been waited
 * for; the order is copied. Its pid, with a pidfd of it, or -errno. */
#define CUV_MAKER_STACK_BYTES (32u * 1024)
pid_t cuv_maker_box_start(const struct cuv_maker_order *o, char *stack, int *ret_pidfd);

/* --- maker_check.c: what /proc says, whatever the zygote says --- */

/* 0 when the process is a run as it should be: a child of the box maker in
 * exactly these namespaces, without capabilities, under both filters, with the
 * run's id and one thread. Otherwise -EPERM, and why; -ESRCH when it has died. */
int cuv_maker_check_run(int proc_fd, pid_t pid, const int ns[CUV_MAKER_NAMESPACES], size_t size, char *ret_why);
/* 0 when the zygote may be forked from: one thread, no shared writable mapping,
 * no descriptor but its own. Otherwise -EPERM, and why. */
int cuv_maker_check_zygote(int proc_fd, pid_t pid, size_t size, char *ret_why);
/* 0 when it has one thread. Otherwise -EPERM, and why. */
int cuv_maker_check_threads(int proc_fd, pid_t pid, size_t size, char *ret_why);
/* 0 when there is no process in the namespace but the box maker, the zygote, and
 * what is in boxes. Otherwise -EPERM, and why. */
int cuv_maker_check_strays(int proc_fd, pid_t zygote, size_t size, char *ret_why);
/* Its proportional share of memory; 0 when that can't be read. */
uint64_t cuv_maker_pss_bytes(int proc_fd, pid_t pid);

/* The pure parts. A line of /proc/PID/maps: true for a mapping that others could
 * see written to. */
bool cuv_maps_line_is_shared(const char *line);
/* The text of a status file: true for a process of the very namespace of that /proc. */
bool cuv_status_is_of_namespace(const char *status);
/* The value of `key:` in the text of a status file, as a number in the base given;
 * -ENOENT, or -EINVAL. */
int cuv_status_number(const char *text, const char *key, int base, uint64_t *ret);

#endif
