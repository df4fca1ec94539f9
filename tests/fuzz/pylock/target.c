/* SPDX-License-Identifier: MIT */
/*
 * Input: what the resolver wrote (pylock.toml), or a lock in JSON when it begins
 * with '{'. A lock that is accepted has a canonical form that is read back to
 * itself, names that can stand in store paths, and an environment's store path.
 */
#include "nixenv/envpath.h"
#include "nixenv/pylock.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct cuv_env_scripts scripts = {"install", 7, "farm", 4};

/* What travels between the processes: nothing of it is lost. */
static void check_complete(const struct cuv_lock *l)
{
	_cleanup_buf_ struct cuv_buf first = CUV_BUF_INIT(CUV_LOCK_COMPLETE_BYTES_MAX),
				     second = CUV_BUF_INIT(CUV_LOCK_COMPLETE_BYTES_MAX);
	_cleanup_lock_ struct cuv_lock back = CUV_LOCK_INIT;
	struct cuv_error err;

	if (cuv_lock_complete(l, &first) < 0)
		return;
	cuv_assert(cuv_lock_parse(first.data, first.len, &back, &err) == 0);
	cuv_assert(cuv_lock_complete(&back, &second) == 0);
	cuv_assert(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
}

static void check(const struct cuv_lock *l)
{
	_cleanup_buf_ struct cuv_buf first = CUV_BUF_INIT(CUV_LOCK_BYTES_MAX),
				     second = CUV_BUF_INIT(CUV_LOCK_BYTES_MAX);
	_cleanup_env_paths_ struct cuv_env_paths paths = CUV_ENV_PATHS_INIT;
	struct cuv_image image = {.name = "worker-image-python311"};
	struct cuv_lock back = CUV_LOCK_INIT;
	struct cuv_error err;

	cuv_assert(l->n <= CUV_PACKAGES_MAX);
	check_complete(l);
	if (cuv_lock_pending(l) > 0) {
		cuv_assert(cuv_lock_canonical(l, &first) == -EINVAL);
		return;
	}
	if (cuv_lock_canonical(l, &first) < 0)
		return; /* larger than a lock may be */
	cuv_assert(cuv_lock_parse(first.data, first.len, &back, &err) == 0);
	cuv_assert(cuv_lock_canonical(&back, &second) == 0);
	cuv_assert(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
	cuv_lock_done(&back);
	cuv_assert(cuv_image_locate(&image) == 0);
	cuv_assert(cuv_env_paths(l, &image, &scripts, &paths) == 0);
	cuv_assert(cuv_store_name_valid(paths.env));
	for (size_t i = 0; i < l->n; i++)
		cuv_assert(cuv_store_name_valid(paths.wheels.items[i]) &&
			   cuv_store_name_valid(paths.installs.items[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = size ? (const char *)data : "";
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_lock l = CUV_LOCK_INIT;
	char package[CUV_NAME_LEN_MAX + 1];
	int r;

	r = size && text[0] == '{' ? cuv_lock_parse(text, size, &l, &err)
				   : cuv_pylock_read(text, size, "3.11", NULL, &l, package, &err);
	cuv_assert((r == 0) == (err.code == CUV_E_NONE));
	if (r == 0)
		check(&l);
	cuv_lock_done(&l);
	return 0;
}
