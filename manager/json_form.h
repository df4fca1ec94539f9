/* SPDX-License-Identifier: MIT */
/*
 * The request as one JSON object instead of a multipart form: each member becomes the
 * field of its name, and goes the same way from there (form.h), so that both forms have
 * the same limits and the same errors.
 *
 *   "text"                 a text, or a file's content, in UTF-8
 *   {"base64": "…"}        a file's content, any bytes
 *   {"NAME": content, …}   the files of a field that may be repeated
 *   [ … ]                  what a form has as JSON text: args, artifacts, cases
 *   12, 2.5                limits
 *   true, false            on and off
 */
#ifndef CUV_JSON_FORM_H
#define CUV_JSON_FORM_H

#include "manager/form.h"

/* Whether a Content-Type says that the body is JSON. */
bool cuv_json_form_is_meant(const char *content_type);

/* Fills the form by its sink. Before anything is kept of the text it is known to nest
 * at most CUV_JSON_DEPTH_MAX deep and to have at most CUV_JSON_VALUES_MAX values.
 * 0, or negative with err set. */
#define CUV_JSON_DEPTH_MAX 8
#define CUV_JSON_VALUES_MAX 10000
/* That alone; for JSON that comes as text in a field too. */
int cuv_json_check_size(const char *text, size_t len, struct cuv_error *err);
int cuv_json_form_read(const char *text, size_t len, struct cuv_form *form, struct cuv_error *err);

#endif
