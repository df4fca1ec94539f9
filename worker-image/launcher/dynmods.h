/* SPDX-License-Identifier: MIT */
/*
 * How long a process needs to enter a control group. As kernels come, it waits for a
 * grace period when that has not been done lately: 6 to 12 ms for each hierarchy.
 * With `favordynmods` (cgroups(7), from Linux 6.0 on) it takes 30 to 100 µs instead,
 * at the price of one more uncontended lock when a process forks or ends.
 */
#ifndef CUV_LAUNCHER_DYNMODS_H
#define CUV_LAUNCHER_DYNMODS_H

/* Asks the kernel for it: a descriptor to be kept open, or -errno, which does no
 * harm. It holds for the whole machine for as long as the descriptor is open; from
 * Linux 6.18 on until the next boot. */
int cuv_dynmods_favor(void);

#endif
