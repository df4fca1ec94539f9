/* SPDX-License-Identifier: MIT */
/*
 * What a run has left in its work folder, collected when every process of its box is
 * dead. The keeper only forks: the child enters the box's user and mount namespaces,
 * takes the run's own id, gives up every right, loads the run's filter, and reads with
 * no more power than the run had. So whatever the names, links, pipes and modes are
 * that foreign code has made, nothing can be reached by them that it could not reach
 * itself. Even so nothing is opened by a path that is not held below the folder.
 */
#ifndef CUV_LAUNCHER_COLLECT_H
#define CUV_LAUNCHER_COLLECT_H

#include "worker-image/launcher/keeper.h"

/* A sealed bundle (lib/proto/bundle.h) of the files that match k's task's patterns, in
 * the order of their names, within its limits, and of what was left out. Where nothing
 * could be collected the bundle says that. The caller's, or -errno. */
int cuv_collect(const struct cuv_keeper *k);

/* The child's part, in the folder that it has open: 0 or -errno. */
struct cuv_bundle_writer;
int cuv_collect_folder(int folder, const struct cuv_run *run, struct cuv_bundle_writer *out);

#endif
