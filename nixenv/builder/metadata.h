/* SPDX-License-Identifier: MIT */
/* Who requires whom, from what was installed. */
#ifndef CUV_BUILDER_METADATA_H
#define CUV_BUILDER_METADATA_H

#include "nixenv/builder/state.h"
#include "nixenv/lock.h"

/* Reads the METADATA of each package's installation (store names, in the lock's
 * order) and notes what it requires of the others. What can't be read, or is too
 * much, is left unknown: nothing hangs on it but what users are told. */
void cuv_metadata_note(const struct cuv_builder_state *s, const struct cuv_strv *installs, struct cuv_lock *l);

#endif
