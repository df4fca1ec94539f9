/* SPDX-License-Identifier: MIT */
/*
 * A form's fields as bytes, to be kept until the request is run: for each that was sent
 * the lengths of its name (u16), file name (u16; 65535: it has none) and content (u32),
 * little endian, and then these three.
 */
#ifndef CUV_FORM_PACK_H
#define CUV_FORM_PACK_H

#include "manager/form.h"

/* What a form of so many bytes may have around them. */
#define CUV_FORM_PACK_OVERHEAD ((CUV_FIELDS_MAX + CUV_FORM_FILES_MAX) * 1024u)

/* Appends all fields; the buffer's error. */
int cuv_form_pack(const struct cuv_form *f, struct cuv_buf *out);
/* Fills an empty form, which checks the fields as it checks those of a client. 0, or
 * negative with err set: as the form's sink, and INTERNAL for what is not well-formed. */
int cuv_form_unpack(const void *data, size_t len, struct cuv_form *f, struct cuv_error *err);

#endif
