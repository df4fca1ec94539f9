/* SPDX-License-Identifier: MIT */
/*
 * The numeric ids that Cuvette's processes take when the service is started by
 * root. They need no entry in /etc/passwd and lie in a range that Debian,
 * systemd and the usual subordinate-id ranges leave alone, so nothing else on
 * the host runs under them.
 */
#ifndef CUV_IDS_H
#define CUV_IDS_H

#include <stdbool.h>
#include <stdint.h>

#define CUV_MANAGER_UID 1878900001u
#define CUV_BUILDER_UID 1878900002u
/* Box of slot n runs as CUV_BOX_UID_BASE + n; CUV_BOX_SLOTS_MAX ids are ours. */
#define CUV_BOX_UID_BASE 1878910000u
#define CUV_BOX_SLOTS_MAX 2048u
/* The last of all. */
#define CUV_IDS_LAST (CUV_BOX_UID_BASE + CUV_BOX_SLOTS_MAX - 1)

/* What a run sees inside its box, whatever the host id is. */
#define CUV_BOX_INNER_UID 1000u
#define CUV_BOX_USER "cuvette"
#define CUV_BOX_HOME "/home/cuvette"
#define CUV_BOX_WORK "/box"

/* Whether we are root and these ids exist. Root of a user namespace (a container,
 * unshare -r) mostly has not got them; it is then treated as an ordinary user is,
 * who makes a user namespace of their own. */
bool cuv_ids_are_root(void);
/* Whether a map, as the kernel writes /proc/PID/uid_map, has all of first to last. */
bool cuv_ids_map_has(const char *map, uint32_t first, uint32_t last);

#endif
