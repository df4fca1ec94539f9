/* SPDX-License-Identifier: MIT */
/*
 * envask: asks a running builder for an environment, N times over, and prints
 * the median and the least time of an answer in microseconds.
 *
 *   envask SOCKET REQUIREMENTS-FILE EXCLUDE-NEWER N
 *
 * The file must be in canonical form, as the manager sends it. Exit status 1
 * when an answer is a failure, 3 when one was not from the cache.
 */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/proto/messages.h"
#include "lib/proto/session.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MS 700000
#define N_MAX 100000

/* 0 cached, 3 not cached, 1 failed. */
static int ask(const char *path, const struct cuv_buf *text, int64_t exclude_s, uint64_t *ret_ns)
{
	struct cuv_env_ask m = {.python = "3.11", .exclude_s = exclude_s, .resolve_ms = 60000, .build_ms = 600000};
	_cleanup_close_ int fd = cuv_memfd("requirements", text->data, text->len);
	_cleanup_writer_ struct cuv_writer w;
	uint64_t begun = cuv_now_ns();
	_cleanup_close_ int session = cuv_session_connect(path);

	cuv_writer_init(&w, CUV_MSG_ENV_ASK);
	cuv_env_ask_put(&w, &m);
	if (session < 0 || cuv_writer_send(&w, session, &fd, 1) < 0)
		return 1;
	for (;;) {
		_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
		_cleanup_environment_ struct cuv_environment e = CUV_ENVIRONMENT_INIT;
		struct cuv_error err;

		if (cuv_frame_recv_until(session, cuv_deadline_ms(ANSWER_MS), &f) != 0)
			return 1;
		if (f.type == CUV_MSG_FAILURE && cuv_failure_get(&f.body, &err) == 0)
			fprintf(stderr, "envask: %s\n", err.message);
		if (f.type == CUV_MSG_FAILURE)
			return 1;
		if (f.type != CUV_MSG_ENV_READY)
			continue;
		*ret_ns = cuv_now_ns() - begun;
		return cuv_environment_get(&f.body, &e) < 0 ? 1 : e.cached ? 0 : 3;
	}
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_MIB);
	_cleanup_free_ uint64_t *ns = NULL;
	unsigned long n = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;
	int64_t exclude_s;
	unsigned long i;
	int r;

	if (n < 1 || n > N_MAX || cuv_parse_rfc3339(argv[3], &exclude_s) < 0) {
		fprintf(stderr, "usage: envask SOCKET REQUIREMENTS-FILE EXCLUDE-NEWER N\n");
		return 2;
	}
	if (cuv_read_file(AT_FDCWD, argv[2], &text) < 0)
		return 2;
	ns = calloc(n, sizeof(*ns));
	for (i = 0; ns && i < n; i++) {
		r = ask(argv[1], &text, exclude_s, &ns[i]);
		if (r)
			return r;
	}
	if (!ns)
		return 2;
	qsort(ns, n, sizeof(*ns), by_size);
	printf("%.1f %.1f\n", (double)ns[n / 2] / 1e3, (double)ns[0] / 1e3);
	return 0;
}
