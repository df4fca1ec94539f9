/* SPDX-License-Identifier: MIT */
/* The environment of a run: built, never inherited. */
#ifndef CUV_LAUNCHER_ENVIRON_H
#define CUV_LAUNCHER_ENVIRON_H

#include "lib/proto/messages.h"

/* How many threads libraries should start: the CPU quota, rounded up. */
unsigned cuv_environ_threads(const struct cuv_limits *l);
/* Appends NAME=value strings. 0 or -ENOMEM. */
int cuv_environ_build(const struct cuv_run *run, struct cuv_strv *ret);

#endif
