/* SPDX-License-Identifier: MIT */
/*
 * A new folder that is filled file by file: what an archive may do to the disk.
 *
 * Every path is relative and clean (member.h). Folders are made as needed and
 * walked one by one without following links, nothing is ever overwritten, and
 * only plain files, folders and symbolic links come into being, with the modes
 * 0755 and 0644. Number and size of the files are bounded.
 */
#ifndef CUV_TREE_H
#define CUV_TREE_H

#include "lib/base/error.h"

struct cuv_tree {
	int root_fd; /* owned; -1 before cuv_tree_init */
	uint32_t n_files;
	uint64_t size_bytes;
};

#define CUV_TREE_INIT ((struct cuv_tree){.root_fd = -1})
#define CUV_TREE_FILES_MAX 100000u
#define CUV_TREE_BYTES_MAX (2048ull << 20)

/* Makes the folder, which must not exist yet, and holds it. All functions here:
 * 0, or a negative errno with err set. */
int cuv_tree_init(struct cuv_tree *t, const char *path, struct cuv_error *err);
void cuv_tree_done(struct cuv_tree *t);

int cuv_tree_add_folder(struct cuv_tree *t, const char *path, struct cuv_error *err);
/* A new, empty file to be filled with cuv_tree_write; the descriptor is the
 * caller's. */
int cuv_tree_add_file(struct cuv_tree *t, const char *path, bool executable, int *ret_fd, struct cuv_error *err);
int cuv_tree_write(struct cuv_tree *t, int fd, const void *data, size_t len, struct cuv_error *err);
/* The same for a short text in one go. */
int cuv_tree_add_text(struct cuv_tree *t, const char *path, const char *text, struct cuv_error *err);
int cuv_tree_add_link(struct cuv_tree *t, const char *path, const char *target, struct cuv_error *err);
/* A second name of a file that the tree already has. */
int cuv_tree_add_hardlink(struct cuv_tree *t, const char *path, const char *existing, struct cuv_error *err);

#endif
