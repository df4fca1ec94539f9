/* SPDX-License-Identifier: MIT */
/*
 * Input: a .narinfo as a cache may send it. What is accepted is written and read again to
 * the same, with the same fingerprint; its address stays below the cache's own.
 */
#include "nixenv/cachekey.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_narinfo_ struct cuv_narinfo n = CUV_NARINFO_INIT, again = CUV_NARINFO_INIT;
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(4 * CUV_NARINFO_BYTES_MAX);
	_cleanup_buf_ struct cuv_buf a = CUV_BUF_INIT(4 * CUV_NARINFO_BYTES_MAX);
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(4 * CUV_NARINFO_BYTES_MAX);
	static const struct cuv_cache_key key = {.name = "k"};
	uint32_t line = 0;
	int r = cuv_narinfo_parse((const char *)data, size, &n, &line);

	cuv_assert(r == 0 || r == -EBADMSG || r == -ENOMEM);
	if (r < 0)
		return 0;
	cuv_assert(cuv_store_name_valid(n.store_name) && n.url[0] != '/' && !strstr(n.url, "..") &&
		   !strchr(n.url, ':') && n.nar_bytes > 0 && n.nar_bytes <= CUV_NAR_BYTES_MAX);
	(void)cuv_narinfo_verify(&n, &key, 1, NULL);
	cuv_assert(cuv_narinfo_write(&n, &text) == 0);
	if (text.len > CUV_NARINFO_BYTES_MAX)
		return 0;
	cuv_assert(cuv_narinfo_parse(cuv_buf_str(&text), text.len, &again, &line) == 0);
	cuv_assert(cuv_narinfo_fingerprint(&n, &a) == 0 && cuv_narinfo_fingerprint(&again, &b) == 0);
	cuv_assert(a.len == b.len && memcmp(a.data, b.data, a.len) == 0);
	return 0;
}
