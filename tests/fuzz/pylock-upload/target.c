/* SPDX-License-Identifier: MIT */
/*
 * Input: a lock that a user sends; its first byte says what is allowed. One that is
 * accepted can travel to the builder, and its text is read back to the same lock.
 */
#include "nixenv/pylock_upload.h"
#include "nixenv/pylock_write.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_built(const struct cuv_lock *l, const struct cuv_buf *text)
{
	_cleanup_strv_ struct cuv_strv built = CUV_STRV_INIT;
	size_t n = 0;

	cuv_assert(cuv_pylock_built(cuv_buf_str(text), text->len, &built) == 0);
	for (size_t i = 0; i < l->n; i++)
		if (l->packages[i].file && l->packages[i].origin.kind == CUV_ORIGIN_BUILT)
			cuv_assert(n < built.n && strcmp(built.items[n++], l->packages[i].name) == 0);
	cuv_assert(n == built.n);
}

static void same_text(const struct cuv_lock *l, const struct cuv_pylock_options *o)
{
	_cleanup_buf_ struct cuv_buf first = CUV_BUF_INIT(CUV_PYLOCK_BYTES_MAX),
				     second = CUV_BUF_INIT(CUV_PYLOCK_BYTES_MAX);
	_cleanup_lock_ struct cuv_lock back = CUV_LOCK_INIT;
	struct cuv_error err;

	if (cuv_pylock_write(l, &first) < 0)
		return;
	cuv_assert(cuv_pylock_upload(cuv_buf_str(&first), first.len, o, &back, &err) == 0);
	cuv_assert(cuv_pylock_write(&back, &second) == 0);
	cuv_assert(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
	check_built(l, &first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cuv_pylock_options o = {.python = cuv_python_find("3.11"),
					     .sdist = size && (data[0] & 1),
					     .kinds = size ? data[0] >> 1 & CUV_LOCK_ALL : 0};
	_cleanup_buf_ struct cuv_buf json = CUV_BUF_INIT(CUV_LOCK_COMPLETE_BYTES_MAX);
	_cleanup_lock_ struct cuv_lock l = CUV_LOCK_INIT, back = CUV_LOCK_INIT;
	struct cuv_error err = CUV_ERROR_INIT;
	int r;

	_cleanup_strv_ struct cuv_strv any = CUV_STRV_INIT;

	if (size == 0)
		return 0;
	cuv_assert(cuv_pylock_built((const char *)data + 1, size - 1, &any) == 0);
	r = cuv_pylock_upload((const char *)data + 1, size - 1, &o, &l, &err);
	cuv_assert((r == 0) == (err.code == CUV_E_NONE));
	if (r < 0 || cuv_lock_complete(&l, &json) < 0)
		return 0;
	cuv_assert(cuv_lock_parse(json.data, json.len, &back, &err) == 0);
	same_text(&l, &o);
	return 0;
}
