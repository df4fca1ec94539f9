/* SPDX-License-Identifier: MIT */
/*
 * Path templates of the table of routes: "/api/v1/runs/{id}/events". At most one part
 * stands in braces; it takes one whole segment, which is never empty, "." or "..". With a plus,
 * "/status/{+task}", it stands last and takes all that follows, slashes too, for what is a name
 * and no path.
 */
#ifndef CUV_PATH_TEMPLATE_H
#define CUV_PATH_TEMPLATE_H

#include "lib/base/base.h"

#include <stddef.h>

#define CUV_PATH_PARAM_SIZE 640

/* Does the decoded path fit? Then ret has what stands in the braces' place, "" where
 * there are none. Parts of CUV_PATH_PARAM_SIZE bytes and more never fit. */
bool cuv_path_match(const char *pattern, const char *path, char ret[CUV_PATH_PARAM_SIZE]);
/* Does the path begin as one that fits does, up to the braces? Without braces it must be all of it. */
bool cuv_path_begins(const char *pattern, const char *path);

#endif
