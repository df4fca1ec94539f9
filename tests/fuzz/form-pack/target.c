/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a kept request. What is accepted is packed and read again to the same.
 */
#include "manager/form_pack.h"
#include "manager/run_request.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int unpack(const void *data, size_t size, struct cuv_buf *again)
{
	struct cuv_form *form = malloc(sizeof(*form));
	struct cuv_charge charge = CUV_CHARGE_INIT(NULL);
	struct cuv_error err = CUV_ERROR_INIT;
	const struct cuv_field_info *fields;
	size_t n;
	int r;

	cuv_assert(form);
	fields = cuv_run_fields(&n);
	cuv_form_init(form, fields, n, CUV_UPLOAD_BYTES_MAX, &charge);
	r = cuv_form_unpack(data, size, form, &err);
	if (r == 0)
		cuv_assert(cuv_form_pack(form, again) == 0);
	else
		cuv_assert(err.code != CUV_E_NONE && err.message[0]);
	cuv_form_done(form);
	free(form);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_buf_ struct cuv_buf once = CUV_BUF_INIT(size + CUV_FORM_PACK_OVERHEAD);
	_cleanup_buf_ struct cuv_buf twice = CUV_BUF_INIT(size + CUV_FORM_PACK_OVERHEAD);

	if (unpack(data, size, &once) < 0)
		return 0;
	cuv_assert(unpack(cuv_buf_str(&once), once.len, &twice) == 0);
	cuv_assert(once.len == twice.len && memcmp(cuv_buf_str(&once), cuv_buf_str(&twice), once.len) == 0);
	return 0;
}
