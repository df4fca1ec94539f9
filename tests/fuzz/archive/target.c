/* SPDX-License-Identifier: MIT */
/* Any bytes as an archive. What is accepted is a bundle that can be read again, with
 * every name once; what is refused is so for a reason. */
#include "lib/base/fd.h"
#include "lib/base/utf8.h"
#include "manager/upload.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_bundle(const struct cuv_upload *u)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(CUV_BUNDLE_BYTES_MAX);
	struct cuv_bundle_reader r = {0};
	struct cuv_bundle_entry e;
	size_t n = 0;
	int last;

	if (u->out.fd < 0)
		return;
	cuv_assert(cuv_pread_all(u->out.fd, &b) == 0);
	r.at = (const uint8_t *)b.data;
	r.left = b.len;
	while ((last = cuv_bundle_next(&r, &e)) > 0) {
		cuv_assert(e.kind != CUV_BUNDLE_LEFT);
		n++;
	}
	cuv_assert(last == 0 && n == u->out.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cuv_upload u = CUV_UPLOAD_INIT;
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_limits limits;
	int r;

	cuv_upload_setup();
	cuv_limits_default(&limits);
	u.where = "the archive";
	r = cuv_upload_archive(&u, data, size, &err);
	if (r == 0)
		r = cuv_upload_finish(&u, &limits, &err);
	if (r == 0) {
		check_bundle(&u);
	} else {
		cuv_assert(err.code == CUV_E_ARCHIVE_INVALID || err.code == CUV_E_FILE_REFUSED ||
			   err.code == CUV_E_TOO_LARGE || err.code == CUV_E_LIMIT_EXCEEDED);
		cuv_assert(err.message[0] && cuv_utf8_valid(err.message, strlen(err.message)));
	}
	cuv_upload_done(&u);
	return 0;
}
