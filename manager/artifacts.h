/* SPDX-License-Identifier: MIT */
/* A bundle of what a run left behind (lib/proto/bundle.h), as the answer has it. */
#ifndef CUV_ARTIFACTS_H
#define CUV_ARTIFACTS_H

#include "lib/base/buf.h"

#include <jansson.h>

/* NULL without memory. */
json_t *cuv_base64(const void *data, size_t len);
/* Sets `artifacts` and `artifacts_left_out`, two arrays. What a bundle has after a
 * broken entry is not there. A member that there is no memory for is not set. */
void cuv_artifacts_add(json_t *answer, const struct cuv_buf *bundle);

#endif
