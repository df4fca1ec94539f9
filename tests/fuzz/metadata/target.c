/* SPDX-License-Identifier: MIT */
/* METADATA of a wheel: what comes out are well-formed requirements of what is locked. */
#include "nixenv/requires.h"
#include "tests/fuzz/text.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"a", "b", "long-name"};
	static const struct cuv_sha256 hash;
	_cleanup_strv_ struct cuv_strv found = CUV_STRV_INIT;
	_cleanup_lock_ struct cuv_lock l = {.python = "3.11"};
	_cleanup_free_ char *copy = fuzz_text((const char *)data, size);
	struct cuv_required p;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		cuv_assert(cuv_lock_add(&l, names[i], "1", "a-1-py3-none-any.whl", NULL, &hash, 0) == 0);
	r = cuv_requires_read((const char *)data, size, &l, &found);
	cuv_assert(r == 0 || r == -E2BIG);
	cuv_assert(found.n <= CUV_REQUIRES_MAX);
	for (size_t i = 0; i < found.n; i++) {
		bool locked = false;

		cuv_assert(cuv_requires_split(found.items[i], &p) == 0);
		for (size_t k = 0; k < ARRAY_SIZE(names); k++)
			locked =
				locked || (strlen(names[k]) == p.name_len && memcmp(names[k], p.name, p.name_len) == 0);
		cuv_assert(locked && (r != 0 || i == 0 || strcmp(found.items[i - 1], found.items[i]) < 0));
	}
	(void)cuv_requires_valid(copy);
	return 0;
}
