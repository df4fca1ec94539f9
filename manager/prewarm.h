/* SPDX-License-Identifier: MIT */
/* The environment of dialect E made at start, so that nobody waits for it. */
#ifndef CUV_PREWARM_H
#define CUV_PREWARM_H

#include "manager/server.h"

/* Makes the thread, which waits until the service is open. 0 or -errno. */
int cuv_prewarm_start(struct cuv_server *s);

#endif
