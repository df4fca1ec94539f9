/* SPDX-License-Identifier: MIT */
#ifndef CUV_MEDIA_TYPE_H
#define CUV_MEDIA_TYPE_H

#include <stddef.h>

/* What kind of content this is, by its bytes; among kinds of text, which look alike, by
 * the name's ending. "application/octet-stream" for what is not known. Static. */
const char *cuv_media_type(const char *name, const void *data, size_t len);

#endif
