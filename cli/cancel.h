/* SPDX-License-Identifier: MIT */
/*
 * One descriptor that becomes readable when the user wants an end: Ctrl-C,
 * SIGTERM or SIGHUP came (blocked, kept for us), or cuv_cancel_now was called.
 * It stays readable, so everything that polls it stops.
 */
#ifndef CUV_CANCEL_H
#define CUV_CANCEL_H

#include "lib/base/base.h"

struct cuv_cancel {
	int fd; /* to poll */
	int signals;
	int event;
};
#define CUV_CANCEL_INIT ((struct cuv_cancel){.fd = -1, .signals = -1, .event = -1})

/* Blocks the three signals (ignored ones stay ignored) and ignores SIGPIPE. */
int cuv_cancel_init(struct cuv_cancel *c);
void cuv_cancel_done(struct cuv_cancel *c);
#define _cleanup_cancel_ _cleanup_(cuv_cancel_done)

void cuv_cancel_now(struct cuv_cancel *c);
/* The signal that came, 0 if none. */
int cuv_cancel_signal(struct cuv_cancel *c);
/* Ends this process by the signal, so that our parent sees how; called last. */
_noreturn_ void cuv_cancel_die(int signal);

/* Waits until fd is ready for events or the end is wanted; 0, -ECANCELED or
 * -errno. */
int cuv_cancel_wait(const struct cuv_cancel *c, int fd, short events);

#endif
