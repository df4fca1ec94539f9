/* SPDX-License-Identifier: MIT */
/*
 * Nix's own book of valid paths (its database), read only: what a binary cache says
 * about a path, without a Nix process. Nix writes it in WAL mode, so that nobody waits
 * for the other.
 */
#ifndef CUV_BUILDER_BOOK_H
#define CUV_BUILDER_BOOK_H

#include "nixenv/builder/builder.h"
#include "nixenv/narinfo.h"

/* The valid path whose name begins with these 32 characters: all but url, packing, file
 * size and signatures. 0; 1 when there is none; -EIO, -EBADMSG (the book says what no Nix
 * would), -ENOMEM. ret must be empty. */
int cuv_book_find(const struct cuv_builder *b, const char *hash_part, struct cuv_narinfo *ret);
/* The sizes of these store names (as archives) together. 0, -ENOENT when one is not
 * valid, -EIO. */
int cuv_book_bytes(const struct cuv_builder *b, const struct cuv_strv *names, uint64_t *ret);

#endif
