/* SPDX-License-Identifier: MIT */
/*
 * A streaming parser of multipart/form-data (RFC 7578 on RFC 2046): bytes are
 * pushed in as they arrive, parts come out by callbacks. It keeps no part's
 * content, only one header line and one name at a time, and the result does not
 * depend on how the bytes were cut into pushes.
 *
 * Strict where senders agree: the body begins with the first boundary (no
 * preamble), lines end in CRLF, nothing stands after a boundary on its line,
 * nothing but one CRLF after the last one, no NUL and no folding in headers,
 * each part has exactly one Content-Disposition: form-data with exactly one
 * name. What is refused is refused with a sentence that says where.
 *
 * Names and filenames are valid UTF-8 without control characters. Quoted
 * strings know \" and \\ (other backslashes stay, as browsers send them);
 * filename*=UTF-8''… wins over filename.
 */
#ifndef CUV_MULTIPART_H
#define CUV_MULTIPART_H

#include "lib/base/buf.h"
#include "lib/base/error.h"

#define CUV_BOUNDARY_MAX 70 /* RFC 2046 */
#define CUV_PART_NAME_SIZE 128
#define CUV_PART_FILENAME_SIZE 512
#define CUV_PART_LINE_MAX 2048	  /* one header line, bytes */
#define CUV_PART_HEADERS_MAX 8192 /* all header lines of a part, bytes */
#define CUV_PARTS_MAX 64

struct cuv_part {
	char name[CUV_PART_NAME_SIZE];
	char filename[CUV_PART_FILENAME_SIZE];
	bool has_filename; /* a file was sent, perhaps without a name */
};

/* Each returns 0, or negative with err set, which ends the parsing. */
struct cuv_multipart_sink {
	void *arg;
	int (*begin)(void *arg, const struct cuv_part *part, struct cuv_error *err);
	int (*data)(void *arg, const char *data, size_t len, struct cuv_error *err);
	int (*end)(void *arg, struct cuv_error *err);
};

enum cuv_multipart_state {
	CUV_MULTIPART_START,	/* the first boundary, from the first byte on */
	CUV_MULTIPART_AFTER,	/* the two bytes after a boundary */
	CUV_MULTIPART_HEADERS,	/* header lines of a part */
	CUV_MULTIPART_CONTENT,	/* a part's content */
	CUV_MULTIPART_EPILOGUE, /* after the last boundary */
	CUV_MULTIPART_FAILED,
};

struct cuv_multipart {
	struct cuv_multipart_sink sink; /* borrowed arg */
	enum cuv_multipart_state state;
	char delimiter[CUV_BOUNDARY_MAX + 5]; /* CR LF - - boundary */
	size_t delimiter_len;
	size_t matched;	 /* bytes of the delimiter seen */
	size_t borrowed; /* of these: how many belong to the header's end */
	char after[2];
	size_t after_len;
	struct cuv_buf line;
	size_t headers_bytes;
	struct cuv_part part;
	bool has_disposition;
	size_t n_parts;
	size_t epilogue_len;
};

/* Reads the boundary out of a Content-Type header. 0; -EINVAL with err set:
 * CUV_E_UNSUPPORTED_MEDIA_TYPE when it is not multipart/form-data,
 * CUV_E_BAD_MULTIPART when there is no usable boundary. */
int cuv_multipart_boundary(const char *content_type, char ret[CUV_BOUNDARY_MAX + 1], struct cuv_error *err);

/* boundary: as cuv_multipart_boundary gave it. */
void cuv_multipart_init(struct cuv_multipart *m, const char *boundary, const struct cuv_multipart_sink *sink);
void cuv_multipart_done(struct cuv_multipart *m);
#define _cleanup_multipart_ _cleanup_(cuv_multipart_done)

/* 0, or negative with err set; after a failure every further push fails. */
int cuv_multipart_push(struct cuv_multipart *m, const char *data, size_t len, struct cuv_error *err);
/* The body has ended: it must have ended with the last boundary. */
int cuv_multipart_finish(struct cuv_multipart *m, struct cuv_error *err);

#endif
