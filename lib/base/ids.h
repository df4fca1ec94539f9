/* SPDX-License-Identifier: MIT */
/*
 * The numeric ids that Cuvette's processes take when the service is started by
 * root. They need no entry in /etc/passwd and lie in a range that Debian,
 * systemd and the usual subordinate-id ranges leave alone, so nothing else on
 * the host runs under them.
 */
#ifndef CUV_IDS_H
#define CUV_IDS_H

#define CUV_MANAGER_UID 1878900001u
#define CUV_BUILDER_UID 1878900002u
/* Box of slot n runs as CUV_BOX_UID_BASE + n; CUV_BOX_SLOTS_MAX ids are ours. */
#define CUV_BOX_UID_BASE 1878910000u
#define CUV_BOX_SLOTS_MAX 2048u

/* What a run sees inside its box, whatever the host id is. */
#define CUV_BOX_INNER_UID 1000u
#define CUV_BOX_USER "cuvette"
#define CUV_BOX_HOME "/home/cuvette"
#define CUV_BOX_WORK "/box"

#endif
