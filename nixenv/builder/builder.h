/* SPDX-License-Identifier: MIT */
/* What every part of the builder process works with; made once at start, then
 * read only, also by the workers that are forked from it. */
#ifndef CUV_BUILDER_H
#define CUV_BUILDER_H

#include "nixenv/builder/caches.h"
#include "nixenv/builder/pins.h"
#include "nixenv/builder/settings.h"
#include "nixenv/builder/state.h"

#include <stdatomic.h>

/* What the environments may take together; 0: no bound. */
struct cuv_budget {
	uint64_t bytes; /* of the store without image and tools, as Nix counts them */
	uint64_t count; /* environments */
};

struct cuv_builder {
	struct cuv_builder_state state;
	struct cuv_pins pins;
	struct cuv_settings settings;
	struct cuv_budget budget;
	bool no_sdists;
	unsigned lock_kinds;		/* what locks may have, CUV_LOCK_… (nixenv/pylock_kinds.h) */
	const char *wheelhouse;		/* where their files at paths are (wheelhouse.h); NULL: nowhere */
	int launcher;			/* control socket of the launcher; -1: none */
	struct cuv_caches caches;	/* of others, asked before anything is built */
	bool shares;			/* clients may have what is public */
	bool sealed;			/* the resolver runs under Landlock */
	atomic_uint_least64_t *evicted; /* environments; shared with workers, who evict; NULL: not counted */
};

#endif
