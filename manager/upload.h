/* SPDX-License-Identifier: MIT */
/*
 * The files that a run finds beside main.py, gathered from `files` and `archive`
 * into one bundle (lib/proto/bundle.h) under limits: names that stay below the
 * folder, none of them twice, nothing that is a file and a folder.
 */
#ifndef CUV_UPLOAD_H
#define CUV_UPLOAD_H

#include "lib/base/error.h"
#include "lib/proto/bundle.h"
#include "lib/proto/limits.h"
#include "manager/budget.h"

struct cuv_upload_name;

struct cuv_upload {
	struct cuv_bundle_writer out;
	struct cuv_charge *charge; /* borrowed; NULL: nobody counts */
	const char *where;	   /* "the field `files`": what errors are about; borrowed */
	const char *program;	   /* the file's name that is taken; NULL: main.py; borrowed */
	struct cuv_upload_name *names;
	size_t n_names;
	uint64_t pages; /* of the work folder */
};
#define CUV_UPLOAD_INIT ((struct cuv_upload){.out = CUV_BUNDLE_WRITER_INIT})
void cuv_upload_done(struct cuv_upload *u);

/* All: 0, or negative with err set; then it is of no more use. */

/* The name need not end in a NUL, and may be anything. */
int cuv_upload_begin(struct cuv_upload *u, enum cuv_bundle_kind kind, bool executable, const char *name, size_t len,
		     struct cuv_error *err);
int cuv_upload_data(struct cuv_upload *u, const void *data, size_t len, struct cuv_error *err);
int cuv_upload_end(struct cuv_upload *u, struct cuv_error *err);
int cuv_upload_file(struct cuv_upload *u, const char *name, const void *data, size_t len, struct cuv_error *err);
/* Looks at all names together, and whether the limits of the work folder hold them
 * beside main.py; then u->out.fd, unless it is -1 for no files, is sealed. */
int cuv_upload_finish(struct cuv_upload *u, const struct cuv_limits *limits, struct cuv_error *err);

/* Unpacks a zip, or a tar that may be compressed by gzip, zstd or xz. Only files and
 * folders: what is a link, a device or a pipe, encrypted, or much larger than its
 * archive is refused. */
int cuv_upload_archive(struct cuv_upload *u, const void *data, size_t len, struct cuv_error *err);
/* Once, before the process is sealed: names are converted by a locale, which is a file. */
void cuv_upload_setup(void);

#endif
