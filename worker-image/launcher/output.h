/* SPDX-License-Identifier: MIT */
/*
 * The way of a run's output: from its two pipes to the client, in order, up to a
 * limit each, one chunk of each in turn so that a flood on one never hides the
 * other. A client that is slow stops the reading: the pipes fill and the program
 * waits, until its time is over. One chunk at most is held.
 */
#ifndef CUV_LAUNCHER_OUTPUT_H
#define CUV_LAUNCHER_OUTPUT_H

#include "lib/proto/messages.h"

#define CUV_STREAMS 2

struct cuv_pump {
	int session; /* borrowed, non-blocking; -1: nobody listens any more */
	struct cuv_pump_stream {
		int fd; /* owned, non-blocking; -1 after its end */
		uint64_t limit;
		uint64_t sent;
		bool truncated; /* there was more than the limit */
	} stream[CUV_STREAMS];
	struct cuv_writer pending; /* a frame the client had no room for */
	int pending_fd;		   /* owned: what goes with it; -1: nothing */
	bool has_pending;
	int broken; /* -errno where a stream could not be read: output is missing */
};

/* Takes over the read ends of the pipes. */
void cuv_pump_init(struct cuv_pump *p, int session, int out, int err, const struct cuv_limits *l);
void cuv_pump_done(struct cuv_pump *p);

/* Tries to send what is held. */
void cuv_pump_flush(struct cuv_pump *p);
/* Reads a chunk of stream i and sends it; only without something held. */
void cuv_pump_step(struct cuv_pump *p, size_t i);
/* Stream i is over, whoever still holds its other end. */
void cuv_pump_end(struct cuv_pump *p, size_t i);
/* Sends a frame (taken over) behind everything else, with a descriptor (taken over)
 * unless that is -1. */
void cuv_pump_send(struct cuv_pump *p, struct cuv_writer *w, int fd);
/* The client is gone: output is read and dropped from now on. */
void cuv_pump_abandon(struct cuv_pump *p);

bool cuv_pump_truncated(const struct cuv_pump *p);
/* Both streams have ended and nothing is held. */
bool cuv_pump_finished(const struct cuv_pump *p);

#endif
