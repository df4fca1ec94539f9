/* SPDX-License-Identifier: MIT */
/* A body that fills a form: multipart/form-data, or JSON (json_form.h). */
#ifndef CUV_HTTP_FORM_H
#define CUV_HTTP_FORM_H

#include "manager/form.h"
#include "manager/http.h"

/* Receives the body into a form that has been made; what is taken is charged to the
 * form's charge. 0, or negative with err set. */
int cuv_http_read_form(struct cuv_http *h, struct cuv_form *form, struct cuv_error *err);

#endif
