/* SPDX-License-Identifier: MIT */
/*
 * The service as a binary cache: what it says about its public paths, signed, and their
 * archives, packed. Narinfos are made in the main process of what Nix's book has; an
 * archive by a worker, once for all who wait for it, and then kept in $STATE/nix/nars, of
 * which the longest unused go when they pass a bound.
 *
 * The key is made at first use and lies in $STATE/nix, where only the builder reads it.
 */
#ifndef CUV_BUILDER_SHARE_H
#define CUV_BUILDER_SHARE_H

#include "lib/proto/share.h"
#include "nixenv/builder/worker.h"

#define CUV_SHARE_WORKERS 2
#define CUV_SHARE_WAITING_MAX 256 /* sessions that wait for archives */
#define CUV_SHARE_BYTES_MAX (4ull * CUV_GIB)

struct cuv_share;

/* NULL with err when there is no key and none can be made. */
struct cuv_share *cuv_share_new(const struct cuv_builder *b, struct cuv_error *err);
struct cuv_share *cuv_share_free(struct cuv_share *s);

/* Answers at once with a descriptor, the caller's; -EINPROGRESS: the owner waits now;
 * -EINVAL with err: NOT_FOUND, OVERLOADED or INTERNAL. */
int cuv_share_ask(struct cuv_share *s, void *owner, const struct cuv_share_ask *ask, struct cuv_error *err);
/* The owner is gone. */
void cuv_share_leave(struct cuv_share *s, void *owner);

/* The sockets to poll for input, -1 for none; i < CUV_SHARE_WORKERS. s may be NULL. */
int cuv_share_socket(const struct cuv_share *s, size_t i);
/* Takes a worker's message and tells each owner that waits for it: a descriptor (borrowed),
 * or err when it is -1. */
void cuv_share_input(struct cuv_share *s, size_t i, void (*answer)(void *owner, int fd, const struct cuv_error *err));

#endif
