/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/build_answer.h"

#include "lib/base/fd.h"

#include <errno.h>
#include <string.h>

void cuv_build_answer_init(struct cuv_build_answer *a, int wheel_fd, uint64_t wheel_max)
{
	*a = (struct cuv_build_answer){
		.wheel_fd = wheel_fd,
		.wheel_max = wheel_max,
		.project = CUV_BUF_INIT(CUV_BUILD_LIST_MAX),
		.requires = CUV_BUF_INIT(CUV_BUILD_LIST_MAX),
		.reason = CUV_BUF_INIT(CUV_BUILD_REASON_MAX),
		.name = CUV_BUF_INIT(CUV_WHEEL_FILE_MAX),
	};
}

void cuv_build_answer_done(struct cuv_build_answer *a)
{
	cuv_buf_done(&a->project);
	cuv_buf_done(&a->requires);
	cuv_buf_done(&a->reason);
	cuv_buf_done(&a->name);
}

static uint64_t header_length(const struct cuv_build_answer *a)
{
	uint64_t n = 0;

	for (size_t i = 1; i < CUV_BUILD_HEADER; i++)
		n = n << 8 | a->header[i];
	return n;
}

/* Which buffer a letter fills; NULL for the wheel. */
static struct cuv_buf *target(struct cuv_build_answer *a)
{
	switch (a->header[0]) {
	case 'R':
		return &a->project;
	case 'D':
		return &a->requires
		;
	case 'E':
		return &a->reason;
	case 'N':
		return &a->name;
	default:
		return NULL;
	}
}

static bool is_over(const struct cuv_build_answer *a)
{
	return a->has_project || a->has_requires || a->has_reason || a->has_wheel;
}

static int begin(struct cuv_build_answer *a)
{
	const struct cuv_buf *buf = target(a);

	a->left = header_length(a);
	if (is_over(a) || (!buf && a->header[0] != 'W') || (a->header[0] == 'W' && !a->file[0]) ||
	    (a->header[0] != 'W' && a->file[0]))
		return -EBADMSG;
	if (a->left > (buf ? buf->max : a->wheel_max))
		return -E2BIG;
	if (!buf)
		crypto_hash_sha256_init(&a->hash);
	return 0;
}

static int end_name(struct cuv_build_answer *a)
{
	struct cuv_wheel w;
	const char *name = cuv_buf_str(&a->name);

	if (strlen(name) != a->name.len || cuv_wheel_parse(name, &w) < 0)
		return -EBADMSG;
	memcpy(a->file, name, a->name.len + 1);
	return 0;
}

static int end(struct cuv_build_answer *a)
{
	const char letter = (char)a->header[0];

	a->n_header = 0;
	if (letter == 'N')
		return end_name(a);
	a->has_project = letter == 'R';
	a->has_requires = letter == 'D';
	a->has_reason = letter == 'E';
	a->has_wheel = letter == 'W';
	if (a->has_wheel)
		crypto_hash_sha256_final(&a->hash, a->sha256.bytes);
	return 0;
}

static int take(struct cuv_build_answer *a, const uint8_t *data, size_t len)
{
	struct cuv_buf *buf = target(a);

	a->left -= len;
	if (buf)
		return cuv_buf_add(buf, data, len);
	a->wheel_bytes += len;
	crypto_hash_sha256_update(&a->hash, data, len);
	return cuv_write_all(a->wheel_fd, data, len);
}

int cuv_build_answer_push(struct cuv_build_answer *a, const void *data, size_t len)
{
	const uint8_t *at = data;
	int r = 0;

	while (r == 0 && len > 0) {
		size_t n = 1;

		if (a->n_header < CUV_BUILD_HEADER) {
			a->header[a->n_header++] = *at;
			if (a->n_header == CUV_BUILD_HEADER)
				r = begin(a);
		} else {
			n = (size_t)CUV_MIN((uint64_t)len, a->left);
			r = take(a, at, n);
		}
		if (r == 0 && a->n_header == CUV_BUILD_HEADER && a->left == 0)
			r = end(a);
		at += n;
		len -= n;
	}
	return r;
}

bool cuv_build_answer_complete(const struct cuv_build_answer *a)
{
	return a->n_header == 0 && is_over(a);
}
