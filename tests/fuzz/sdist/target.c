/* SPDX-License-Identifier: MIT */
/*
 * What is foreign on the way of a source distribution. Input: after 'A' what comes out
 * of a build box, whole and in pieces, which must be told alike; after 'P' what the
 * resolver wrote for a plan; after 'E' what the resolver said of what lacks wheels.
 */
#include "nixenv/builder/build_answer.h"
#include "nixenv/builder/resolve_error.h"
#include "nixenv/builder/sdist_plan.h"
#include "tests/fuzz/text.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define WHEEL_MAX 1000
#define NAMES_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int sink(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	return fd;
}

static int feed(struct cuv_build_answer *a, const uint8_t *data, size_t size, size_t step)
{
	int r = 0;

	cuv_build_answer_init(a, sink(), WHEEL_MAX);
	for (size_t at = 0; r == 0 && at < size; at += step)
		r = cuv_build_answer_push(a, data + at, CUV_MIN(step, size - at));
	return r;
}

static void check_answer(const uint8_t *data, size_t size)
{
	_cleanup_build_answer_ struct cuv_build_answer a, b;
	int r = feed(&a, data, size, CUV_MAX(size, (size_t)1)), s = feed(&b, data, size, 3);
	struct cuv_wheel w;

	cuv_assert(r == s);
	if (r < 0)
		return;
	cuv_assert(cuv_build_answer_complete(&a) == cuv_build_answer_complete(&b));
	cuv_assert(a.has_project + a.has_requires + a.has_reason + a.has_wheel <= 1);
	cuv_assert(a.wheel_bytes <= WHEEL_MAX && a.wheel_bytes == b.wheel_bytes);
	cuv_assert(!a.has_wheel || memcmp(&a.sha256, &b.sha256, sizeof(a.sha256)) == 0);
	cuv_assert(!a.file[0] || cuv_wheel_parse(a.file, &w) == 0);
}

static void check_plan(const char *text, size_t size)
{
	_cleanup_strv_ struct cuv_strv projects = CUV_STRV_INIT;
	_cleanup_lock_ struct cuv_lock l = CUV_LOCK_INIT;
	struct cuv_error err = CUV_ERROR_INIT;
	int r;

	(void)cuv_strv_add(&projects, "docopt");
	(void)cuv_strv_add(&projects, "other");
	r = cuv_sdist_plan_read(text, size, "3.11", &projects, &l, &err);
	cuv_assert((r == 0) == (err.code == CUV_E_NONE));
	if (r < 0)
		return;
	cuv_assert(cuv_lock_pending(&l) == l.n && l.n <= projects.n);
	for (size_t i = 0; i < l.n; i++)
		cuv_assert(l.packages[i].origin.url && l.packages[i].origin.file);
}

static void check_names(const char *text, size_t size)
{
	_cleanup_strv_ struct cuv_strv names = CUV_STRV_INIT;
	_cleanup_buf_ struct cuv_buf clean = CUV_BUF_INIT(1 << 20);
	_cleanup_free_ char *copy = fuzz_text(text, size);
	struct cuv_wanted wanted;

	cuv_assert(copy && cuv_resolve_lacking(copy, NAMES_MAX, &names) == 0 && names.n <= NAMES_MAX);
	/* They become arguments and text of a configuration. */
	for (size_t i = 0; i < names.n; i++)
		cuv_assert(names.items[i][0] && names.items[i][0] != '-' &&
			   strspn(names.items[i], "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(names.items[i]));
	if (cuv_resolve_wanted(copy, &wanted))
		cuv_assert(wanted.name[0] && wanted.name[0] != '-' && wanted.version[0] &&
			   !strpbrk(wanted.version, " \n;#@\\"));
	cuv_clean_text(&clean, copy, strlen(copy));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] == 'A')
		check_answer(data + 1, size - 1);
	else if (data[0] == 'P')
		check_plan((const char *)data + 1, size - 1);
	else if (data[0] == 'E')
		check_names((const char *)data + 1, size - 1);
	return 0;
}
