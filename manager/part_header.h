/* SPDX-License-Identifier: MIT */
/* The header lines of a part, and `name; key=value` lists as they stand in
 * Content-Type and Content-Disposition. Used by multipart.c only. */
#ifndef CUV_PART_HEADER_H
#define CUV_PART_HEADER_H

#include "manager/multipart.h"

/* Reads one header line (without its CRLF) into *part; *has_disposition tells
 * and remembers whether Content-Disposition came. 0, or -EINVAL with err set. */
int cuv_part_header_line(const char *line, size_t len, struct cuv_part *part, bool *has_disposition,
			 struct cuv_error *err);

/* A walk over `; key=value` parameters. */
struct cuv_params {
	const char *at;
	const char *end;
};

/* The next parameter: its key in lower case, its value with quotes and
 * escapes resolved. 1; 0 at the end; -EINVAL when it is not well-formed or does
 * not fit. */
int cuv_params_next(struct cuv_params *p, char *key, size_t key_size, char *value, size_t value_size,
		    size_t *ret_value_len);

#endif
