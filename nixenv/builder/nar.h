/* SPDX-License-Identifier: MIT */
/*
 * Nix's archive of a store path (a NAR): names, contents, links and whether a file may
 * be executed, and nothing else. What lies in a store path came from wheels: no link is
 * followed, and nothing but folders, files and links is taken.
 */
#ifndef CUV_BUILDER_NAR_H
#define CUV_BUILDER_NAR_H

#include "lib/base/base.h"

#define CUV_NAR_DEPTH_MAX 128
#define CUV_NAR_ENTRIES_MAX 1000000u /* of one folder */

/* Writes the archive of `name` in the folder, piece by piece; a negative value of write
 * ends it and is returned. 0 or -errno; -ELOOP: too deep; -EBADMSG: neither file, folder
 * nor link; -EIO: a file became shorter meanwhile. */
int cuv_nar_write(int folder, const char *name, int (*write)(void *arg, const void *data, size_t len), void *arg);

#endif
