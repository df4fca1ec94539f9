/* SPDX-License-Identifier: MIT */
/*
 * Input: a ref up to the first line end, then what a git server says. A commit that is
 * found has a name that can be asked for.
 */
#include "nixenv/git_wire.h"
#include "tests/fuzz/text.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_oid(const char *oid)
{
	cuv_assert(strlen(oid) == CUV_GIT_OID_SIZE - 1 && strspn(oid, "0123456789abcdef") == strlen(oid));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
	_cleanup_free_ char *ref = end ? fuzz_text(data, (size_t)(end - data)) : NULL;
	_cleanup_buf_ struct cuv_buf request = CUV_BUF_INIT(1024);
	struct cuv_git_offer offer;
	size_t len, offset;

	if (!ref)
		return 0;
	end++;
	len = size - (size_t)(end - data);
	if (cuv_git_find(end, len, ref, &offer) == CUV_GIT_OK) {
		check_oid(offer.want);
		check_oid(offer.commit);
		cuv_git_request(&offer, &request);
		cuv_assert(cuv_buf_err(&request) == 0 && request.len > 0);
	}
	if (cuv_git_pack_offset(end, len, &offset) == CUV_GIT_OK)
		cuv_assert(offset < len && memcmp(end + offset, "PACK", 4) == 0);
	return 0;
}
