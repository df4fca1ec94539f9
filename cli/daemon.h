/* SPDX-License-Identifier: MIT */
/*
 * One long-lived child process of ours: launcher, builder or manager.
 *
 * It gets a control socket as descriptor 3, what is asked for from 4 on, and no
 * other; no terminal (a session of its own, so that Ctrl-C reaches us only and
 * we decide the order of ending); default signals; and dies with us (PDEATHSIG,
 * and the control socket's hang-up, which also works after a change of ids).
 */
#ifndef CUV_DAEMON_H
#define CUV_DAEMON_H

#include "lib/base/error.h"
#include "lib/base/strv.h"

#include <sys/types.h>

#define CUV_DAEMON_FDS_MAX 3
#define CUV_DAEMON_CGROUPS_MAX 2

/* All pointers are borrowed for the call. */
struct cuv_daemon_spec {
	const char *name;		     /* "launcher": for people; the program is cuvette-<name> */
	const struct cuv_strv *args;	     /* after argv[0] */
	char *const *env;		     /* NULL-terminated */
	int fds[CUV_DAEMON_FDS_MAX];	     /* become 4, 5, …; borrowed; -1: that number stays closed */
	int cgroups[CUV_DAEMON_CGROUPS_MAX]; /* cgroup.procs files to join before exec; -1: none */
	int log_fd;			     /* where its stderr goes; -1: kept in a pipe (see log) */
};
#define CUV_DAEMON_SPEC_INIT ((struct cuv_daemon_spec){.fds = {-1, -1, -1}, .cgroups = {-1, -1}, .log_fd = -1})

struct cuv_daemon {
	const char *name; /* borrowed, static; NULL: none was started */
	pid_t pid;	  /* 0 once it has been reaped */
	int pidfd;
	int control;   /* our end of its descriptor 3 */
	int log;       /* the pipe's end to read when log_fd was -1, else -1 */
	uint16_t port; /* as LISTENING told, 0: it did not */
};
#define CUV_DAEMON_INIT ((struct cuv_daemon){.pidfd = -1, .control = -1, .log = -1})

/* Starts the program that lies beside our own. 0, or -errno with err set. */
int cuv_daemon_start(const struct cuv_daemon_spec *spec, struct cuv_daemon *ret, struct cuv_error *err);

/* Waits for READY. Negative with err set when it says FAILURE (-EREMOTEIO; err
 * is its own message), ends (-ECHILD), or the deadline passes (-ETIMEDOUT), or
 * when cancel_fd becomes readable (-EINTR; -1: never). */
int cuv_daemon_wait_ready(struct cuv_daemon *d, uint64_t deadline_ns, int cancel_fd, struct cuv_error *err);

/* One frame of a daemon that is on its way to READY and whose control or pidfd is
 * readable: 1 ready, 0 go on waiting, negative with err set as above. */
int cuv_daemon_take(struct cuv_daemon *d, struct cuv_error *err);

/* Hangs up the control socket and sends SIGTERM: it should end by itself. */
void cuv_daemon_end(struct cuv_daemon *d);
/* Waits for its end until the deadline, or until hurry_fd is readable (-1: there
 * is none), then kills. Reaps; returns its wait status, -1 when there was none
 * to reap. Takes a daemon that never started. */
int cuv_daemon_reap(struct cuv_daemon *d, uint64_t deadline_ns, int hurry_fd);

/* "exit status 1", "signal 9 (Killed)" */
#define CUV_WAIT_TEXT_SIZE 64
void cuv_wait_text(int status, char ret[CUV_WAIT_TEXT_SIZE]);

#endif
