/* SPDX-License-Identifier: MIT */
/*
 * Many files in one descriptor: what a run finds beside main.py, and what is
 * collected of what it wrote. A bundle is a sealed memfd with one entry after the
 * other, in the byte order of frames:
 *
 *   kind u8, detail u8, length of the name u16, size u64, the name, the content
 *
 * Who writes one has checked where its names come from; who reads one checks them
 * again. The reader works on bytes in memory and trusts none of them.
 */
#ifndef CUV_BUNDLE_H
#define CUV_BUNDLE_H

#include "lib/base/base.h"

#include <sys/types.h>

/* A name with its NUL, and the folders it may be below. */
#define CUV_BUNDLE_NAME_SIZE 512
#define CUV_BUNDLE_DEPTH_MAX 16
#define CUV_BUNDLE_ENTRIES_MAX 4096
/* All content of one, bytes. */
#define CUV_BUNDLE_BYTES_MAX (128ull * 1024 * 1024)

enum cuv_bundle_kind {
	CUV_BUNDLE_FILE = 1, /* detail: 1 when it may be executed */
	CUV_BUNDLE_FOLDER,   /* empty; folders of files need no entry */
	CUV_BUNDLE_LEFT,     /* left out; detail: why. Its size is said, its content is not there */
	_CUV_BUNDLE_KIND_MAX,
};

/* Why a file was not collected. X(enum suffix, "name", "what it means") */
#define CUV_LEFT_TABLE(X)                                                                                              \
	X(SIZE, "size", "larger than what was left of artifacts_size")                                                 \
	X(COUNT, "count", "there were artifacts_count files before it")                                                \
	X(KIND, "not-a-file", "a link, a pipe, a socket or a device")                                                  \
	X(FOLDER, "folder", "a folder; its files are asked for by folder/**")                                          \
	X(UNREADABLE, "unreadable", "it could not be read")                                                            \
	X(NAME, "name", "a name that is not UTF-8, or has control characters, or is too long")                         \
	X(MORE, "more", "there was more than can be listed or looked at")
enum cuv_left {
	_CUV_LEFT_NONE,
#define X(suffix, name, text) CUV_LEFT_##suffix,
	CUV_LEFT_TABLE(X)
#undef X
		_CUV_LEFT_MAX,
};
const char *cuv_left_name(enum cuv_left l);
const char *cuv_left_text(enum cuv_left l);

/* A relative path as people write it: UTF-8 without control characters and
 * backslashes; 1 to 16 components of 1 to 255 bytes, none of them "." or "..";
 * shorter than CUV_BUNDLE_NAME_SIZE. */
bool cuv_bundle_name_valid(const char *name, size_t len);

/* --- writing --- */
struct cuv_bundle_writer {
	int fd;		/* owned; -1 before it is open */
	off_t entry;	/* where the current one begins, */
	uint64_t size;	/* and what it has so far */
	uint64_t total; /* content of all, bytes */
	size_t n;
};
#define CUV_BUNDLE_WRITER_INIT ((struct cuv_bundle_writer){.fd = -1})

/* All: 0 or -errno; after a failure the bundle is of no use but to be closed. */
int cuv_bundle_open(struct cuv_bundle_writer *w, const char *label);
int cuv_bundle_begin(struct cuv_bundle_writer *w, enum cuv_bundle_kind kind, uint8_t detail, const char *name);
int cuv_bundle_data(struct cuv_bundle_writer *w, const void *data, size_t len);
int cuv_bundle_end(struct cuv_bundle_writer *w);
/* In place of end: as if the entry had not been begun. */
int cuv_bundle_drop(struct cuv_bundle_writer *w);
/* An entry that was left out, of this size. */
int cuv_bundle_left(struct cuv_bundle_writer *w, enum cuv_left why, uint64_t size, const char *name);
/* Nobody can change it any more. */
int cuv_bundle_seal(struct cuv_bundle_writer *w);
void cuv_bundle_close(struct cuv_bundle_writer *w);

/* --- reading --- */
struct cuv_bundle_reader {
	const uint8_t *at;
	size_t left;
	size_t n; /* entries read */
};
struct cuv_bundle_entry {
	enum cuv_bundle_kind kind;
	bool executable;		 /* of a file */
	enum cuv_left why;		 /* of what was left out */
	char name[CUV_BUNDLE_NAME_SIZE]; /* valid; of what was left out perhaps "" */
	const uint8_t *data;		 /* borrowed; NULL but for files */
	uint64_t size;
};
/* 1 with the next entry, 0 at the end, -EBADMSG when it is not well-formed. */
int cuv_bundle_next(struct cuv_bundle_reader *r, struct cuv_bundle_entry *ret);

#endif
