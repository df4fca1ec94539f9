/* SPDX-License-Identifier: MIT */
/* Reading the two kinds of archive that images and tools are made of. */
#ifndef CUV_ARCHIVE_H
#define CUV_ARCHIVE_H

#include "worker-image/image/tree.h"

/* Unpacks the files of a Debian package (ar, in it data.tar.{gz,xz,zst}) that
 * belong into an image. Refused: devices, pipes and sockets, names and links
 * that leave the tree, a file that another package brought. 0, or a negative
 * errno with err set; the tree is then incomplete and of no use. */
int cuv_archive_unpack_deb(struct cuv_tree *t, const char *deb_path, struct cuv_error *err);

/* Takes the program `name` out of a wheel (zip) to bin/<name>, and the wheel's
 * licences to share/licenses/<name>/. The same errors. */
int cuv_archive_unpack_tool(struct cuv_tree *t, const char *wheel_path, const char *name, struct cuv_error *err);

#endif
