/* SPDX-License-Identifier: MIT */
/*
 * What happens to one run, as events that clients can follow while it does and read
 * again for a while (server-sent events). Each has a number, from 1; only the latest are
 * kept, within a bound, so who comes late may miss the first ones. Output is gathered
 * into larger events while nobody asks, and never cut within a character.
 *
 * Not safe from several threads: the caller has a lock.
 */
#ifndef CUV_RUNS_EVENTS_H
#define CUV_RUNS_EVENTS_H

#include "lib/base/buf.h"
#include "lib/proto/messages.h"

#include <jansson.h>

/* What the events of one run take at most, and what an event takes besides its text. */
#define CUV_RUN_EVENTS_BYTES_MAX (1u << 20)
#define CUV_RUN_EVENT_COST 64u
/* Output is an event of its own when there is so much of it. */
#define CUV_RUN_EVENT_OUTPUT 16384u

struct cuv_run_event;

struct cuv_run_events {
	struct cuv_run_event *first, *last; /* owned */
	uint64_t next;			    /* number of the next one */
	size_t bytes;
	bool base64; /* how output is told */
	bool ended;
	/* Output that is no event yet: of this stream and case, and the beginning of a
	 * character for each stream. */
	enum cuv_stream stream;
	int64_t number; /* of the case; negative: there are none */
	struct cuv_buf pending;
	char part[2][4];
	size_t part_len[2];
};

void cuv_run_events_init(struct cuv_run_events *e);
void cuv_run_events_done(struct cuv_run_events *e);

/* An event of this name; takes over data, NULL is as if there had been no memory. What
 * can't be kept is left out, with its number. */
void cuv_run_events_add(struct cuv_run_events *e, const char *name, json_t *data);
/* The last one. */
void cuv_run_events_end(struct cuv_run_events *e, json_t *data);
/* Bytes of one case (negative: there are none). */
void cuv_run_events_output(struct cuv_run_events *e, enum cuv_stream stream, int64_t number, const void *data,
			   size_t len);
/* Drops the oldest until they take no more than this. */
void cuv_run_events_trim(struct cuv_run_events *e, size_t max_bytes);

/* Makes an event of what is pending, and appends events after number `after` as text, as
 * long as out has room; a comment says how many are missing. The number of the last one,
 * or `after` when there is none. epoch: which process numbered them. */
uint64_t cuv_run_events_read(struct cuv_run_events *e, uint64_t after, uint32_t epoch, struct cuv_buf *out);
/* Room that read needs at least. */
#define CUV_RUN_EVENTS_ROOM (8 * CUV_RUN_EVENT_OUTPUT)

/* Whether there are any after this number. */
bool cuv_run_events_has_after(const struct cuv_run_events *e, uint64_t after);

/* Reads Last-Event-ID: the number to go on after; 0, the beginning, when it is NULL, of
 * another epoch or none of ours. */
uint64_t cuv_run_events_after(const char *id, uint32_t epoch);

#endif
