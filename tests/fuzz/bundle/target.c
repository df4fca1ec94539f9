/* SPDX-License-Identifier: MIT */
/* Any bytes as a bundle. What is read lies within them, under names that are relative. */
#include "lib/base/utf8.h"
#include "lib/proto/bundle.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cuv_bundle_reader b = {.at = data, .left = size};
	struct cuv_bundle_entry e;
	int r;

	while ((r = cuv_bundle_next(&b, &e)) > 0) {
		const size_t len = strlen(e.name);

		cuv_assert(cuv_bundle_name_valid(e.name, len) || (e.kind == CUV_BUNDLE_LEFT && len == 0));
		cuv_assert(e.name[0] != '/' && !strstr(e.name, "//") && cuv_utf8_valid(e.name, len));
		if (e.kind == CUV_BUNDLE_FILE)
			cuv_assert(e.data >= data && e.size <= size && e.data + e.size <= data + size);
		else if (e.kind == CUV_BUNDLE_LEFT)
			cuv_assert(cuv_left_name(e.why)[0] && cuv_left_text(e.why)[0]);
	}
	cuv_assert(r == -EBADMSG || b.left == 0);
	return 0;
}
