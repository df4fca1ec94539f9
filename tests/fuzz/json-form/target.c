/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the JSON form of a request, and the request that comes of it. What is
 * refused is so for a reason in UTF-8; what is accepted stays within its bounds.
 */
#include "lib/base/utf8.h"
#include "manager/json_form.h"
#include "manager/run_request.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_request(const struct cuv_run_request *r)
{
	cuv_assert(r->spec.code_len > 0 && cuv_utf8_valid(r->spec.code, r->spec.code_len));
	cuv_assert(r->spec.stdin_len <= CUV_STDIN_BYTES_MAX && r->args.n <= CUV_ARGS_MAX);
	cuv_assert(r->cases.n <= CUV_CASES_MAX && r->files.out.n <= CUV_BUNDLE_ENTRIES_MAX);
	cuv_assert(cuv_limits_check(&r->spec.limits) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cuv_form *form = malloc(sizeof(*form));
	struct cuv_charge charge = CUV_CHARGE_INIT(NULL);
	struct cuv_run_request request;
	struct cuv_error err = CUV_ERROR_INIT;
	const struct cuv_field_info *fields;
	size_t n;
	int r;

	cuv_assert(form);
	fields = cuv_run_fields(&n);
	cuv_form_init(form, fields, n, CUV_UPLOAD_BYTES_MAX, &charge);
	r = cuv_json_form_read((const char *)data, size, form, &err);
	if (r == 0) {
		r = cuv_run_request_read(form, 1700000000, &request, &err);
		if (r == 0) {
			check_request(&request);
			cuv_run_request_done(&request);
		}
	}
	if (r < 0)
		cuv_assert(err.code != CUV_E_NONE && err.message[0] &&
			   cuv_utf8_valid(err.message, strlen(err.message)));
	cuv_form_done(form);
	free(form);
	return 0;
}
