/* SPDX-License-Identifier: MIT */
/*
 * The launcher's one loop: sessions come in over control sockets and the
 * listening socket, say what they want within a deadline, and wait in a queue
 * for a slot. Everything is bounded: the sessions that have not spoken yet, the
 * queue, the descriptors held for it, and the time anything may wait.
 */
#ifndef CUV_LAUNCHER_SERVER_H
#define CUV_LAUNCHER_SERVER_H

#include "worker-image/launcher/shortage.h"
#include "worker-image/launcher/slots.h"

#define CUV_CONTROLS_MAX 2
#define CUV_WAITING_MAX 256 /* sessions that have not spoken yet */
#define CUV_QUEUE_MAX 4096  /* runs that wait for a slot */
#define CUV_FIRST_FRAME_MS 10000
#define CUV_QUEUE_MS 600000

struct cuv_server {
	struct cuv_slots *slots;	 /* borrowed */
	const struct cuv_layers *layers; /* borrowed */
	struct cuv_shortage *shortage;	 /* borrowed */
	uid_t allowed_uid;
	int control[CUV_CONTROLS_MAX]; /* [0] is the supervisor's: its end is ours */
	int listener;		       /* -1: none */
	int signals;		       /* signalfd of SIGCHLD and SIGTERM */
	size_t fds_max;		       /* descriptors that queued runs may hold together */

	struct cuv_waiting {
		int fd;
		uint64_t deadline_ns;
	} waiting[CUV_WAITING_MAX];
	size_t n_waiting;
	struct cuv_task *queue[CUV_QUEUE_MAX]; /* oldest first; owned */
	size_t n_queue;
	size_t fds_held;
	uint64_t listen_again_ns; /* accept failed for want of something: not before */
	uint64_t zygotes_ns;	  /* when the zygotes are to be looked at */
	bool run_ended;		  /* a slot has become free in this round */
	bool stopping;
};

/* Serves until SIGTERM or until the supervisor's control socket closes; then
 * tells what waits that the service is stopping. Returns 0, or -errno when it
 * can't go on: -EUSERS when too many slots were lost, and nothing runs. */
int cuv_server_run(struct cuv_server *s);

#endif
