/* SPDX-License-Identifier: MIT */
#include "manager/http_text.h"

/* A buffer doubles when it grows, and the parser makes strings of it. */
#define PARSED_FACTOR 3

struct intake {
	struct cuv_buf *text;
	struct cuv_charge *charge;
};

static int take(void *arg, const char *data, size_t len, struct cuv_error *err)
{
	struct intake *in = arg;

	if (cuv_charge_add(in->charge, PARSED_FACTOR * len) && cuv_buf_add(in->text, data, len) == 0)
		return 0;
	return cuv_charge_refused(in->charge, err, "request");
}

int cuv_http_read_text(struct cuv_http *h, struct cuv_charge *charge, struct cuv_buf *ret, struct cuv_error *err)
{
	struct intake in = {ret, charge};

	return cuv_http_read_body(h, ret->max, take, &in, err);
}
