/* SPDX-License-Identifier: MIT */
/*
 * What a run brings into its box, put in place by the process that becomes the
 * program, with the run's own id and under its limits: the program's process of a
 * cold box, and the child of a zygote.
 */
#ifndef CUV_LAUNCHER_DELIVER_H
#define CUV_LAUNCHER_DELIVER_H

#include "lib/proto/messages.h"

/* Takes the RUN frame of the socket into *order, which must be empty, and *ret. The
 * frame's descriptors are stdin, then the files, as many as the run names, then their bundle. 0; 1
 * when the other side has closed; -EBADMSG or another -errno. */
int cuv_deliver_receive(int sock, struct cuv_frame *order, struct cuv_run *ret);
/* Goes to the work folder and writes the files there; what came in a bundle is added
 * to run->files by its first component. 0 or -errno. */
int cuv_deliver_files(struct cuv_run *run, const struct cuv_frame *order);
/* The order's stdin, out and err become 0 to 2; all above closes but the
 * descriptors of keep, which is sorted. 0 or -errno. */
int cuv_deliver_streams(const struct cuv_frame *order, int out, int err, int *keep, size_t n_keep);

#endif
