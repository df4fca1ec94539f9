/* SPDX-License-Identifier: MIT */
/* Input: a parcel. No more files and bytes come out than may be; a description that can be read can be written again.
 */
#include "nixenv/builder/parcel.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	struct cuv_buf description;
	unsigned files;
	uint64_t promised, got;
};

static int begin(void *arg, unsigned number, uint64_t size_bytes)
{
	struct seen *s = arg;

	cuv_assert(number == s->files && number < CUV_PARCEL_FILES_MAX && s->got == s->promised);
	s->files++;
	s->promised += size_bytes;
	cuv_assert(s->promised <= CUV_PARCEL_BYTES_MAX);
	return 0;
}

static int more(void *arg, const void *data, size_t len)
{
	struct seen *s = arg;

	s->got += len;
	cuv_assert(s->files > 0 && s->got <= s->promised);
	return s->files == 1 ? cuv_buf_add(&s->description, data, len) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen s = {.description = CUV_BUF_INIT(CUV_PARCEL_DESCRIPTION_MAX)};
	const struct cuv_parcel_sink sink = {.begin = begin, .data = more, .arg = &s};
	_cleanup_parcel_ struct cuv_parcel b = CUV_PARCEL_INIT;
	_cleanup_buf_ struct cuv_buf again = CUV_BUF_INIT(CUV_PARCEL_DESCRIPTION_MAX);
	struct cuv_error err = CUV_ERROR_INIT;
	const char *why = NULL;
	int r = cuv_parcel_read(-1, data, size, &sink, &why);

	cuv_assert(r <= 0 && why && (r == 0 || why[0]));
	cuv_assert(r != 0 || (s.files > 0 && s.got == s.promised));
	if (cuv_parcel_parse(cuv_buf_str(&s.description), s.description.len, &b, &err) == 0)
		cuv_assert(cuv_parcel_describe(&b, &again) == 0);
	else
		cuv_assert(err.code == CUV_E_LOCK_INVALID);
	cuv_buf_done(&s.description);
	return 0;
}
