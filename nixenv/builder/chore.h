/* SPDX-License-Identifier: MIT */
/*
 * Chores (lib/proto/chore.h), each done in a worker of its own: what it needs may take
 * long, and nobody else waits for it. It sends CHORE_ANSWER or FAILURE.
 */
#ifndef CUV_BUILDER_CHORE_H
#define CUV_BUILDER_CHORE_H

#include "lib/proto/chore.h"
#include "nixenv/builder/worker.h"

/* fd is the ask's descriptor, borrowed, -1: none. */
int cuv_chore_start(const struct cuv_builder *b, const struct cuv_chore_ask *ask, int fd, struct cuv_worker *ret);

#endif
