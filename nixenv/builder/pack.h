/* SPDX-License-Identifier: MIT */
/*
 * Archives (NARs) in packed form: made of a store path for clients of the cache, and
 * unpacked from what another cache gave. Packing by libarchive, with its filters for raw
 * data.
 */
#ifndef CUV_BUILDER_PACK_H
#define CUV_BUILDER_PACK_H

#include "nixenv/builder/builder.h"
#include "nixenv/narinfo.h"

/* Writes the archive of info's path by zstd to fd. -EUCLEAN when it has not the hash or
 * the size that Nix noted; else 0 or -errno. */
int cuv_pack(const struct cuv_builder *b, const struct cuv_narinfo *info, int fd);

/* Unpacks fd, from where it stands, and gives the pieces to write, info->nar_bytes in all. 0;
 * -EBADMSG: no such packing, or another size; what write said; -errno. */
int cuv_unpack(int fd, const struct cuv_narinfo *info, int (*write)(void *arg, const void *data, size_t len),
	       void *arg);

#endif
