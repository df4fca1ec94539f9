/* SPDX-License-Identifier: MIT */
/* A body that is read whole before it is looked at: JSON. */
#ifndef CUV_HTTP_TEXT_H
#define CUV_HTTP_TEXT_H

#include "lib/base/buf.h"
#include "manager/budget.h"
#include "manager/http.h"

/* Receives it into *ret, whose own limit bounds it; what it and a parser's copy of it
 * take is charged for. 0, or negative with err set: as cuv_http_read_body, and
 * OVERLOADED. */
int cuv_http_read_text(struct cuv_http *h, struct cuv_charge *charge, struct cuv_buf *ret, struct cuv_error *err);

#endif
