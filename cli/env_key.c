/* SPDX-License-Identifier: MIT */
/* cuvette env key: the public key that a service signs for its binary cache with. */
#include "cli/command.h"
#include "cli/env.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define KEY_BYTES_MAX 512

enum { STATE };
static const struct cuv_option options[] = {
	[STATE] = {"state", 's', "DIR", "CUVETTE_STATE", NULL, "the state folder"},
};
static const struct cuv_usage usage = {
	.command = "env key",
	.operands = "",
	.about = "Prints the public key of this state folder's binary cache, NAME:BASE64, for the "
		 "`trusted-public-keys`\n"
		 "of Nix and for another service's CUVETTE_CACHES.",
	.more = "Exit status: 0; 1 there is none: a service with CACHE_SHARE=1 makes it when it starts.",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.dotenv = true,
	.mixed = true,
};

int cuv_env_key(int argc, char **argv)
{
	_cleanup_values_ struct cuv_values v = CUV_VALUES_INIT;
	_cleanup_state_ struct cuv_state state = CUV_STATE_INIT;
	_cleanup_buf_ struct cuv_buf key = CUV_BUF_INIT(KEY_BYTES_MAX);
	enum cuv_parsed parsed = cuv_options_parse(&usage, argc, argv, &v);
	char path[sizeof(state.path) + 32];
	struct cuv_error err = CUV_ERROR_INIT;
	int r;

	if (parsed != CUV_PARSED_GO)
		return parsed == CUV_PARSED_HELP ? CUV_EXIT_OK : CUV_EXIT_USAGE;
	if (!cuv_env_digests("env key", &v, 0, 0))
		return CUV_EXIT_USAGE;
	if (cuv_state_look(v.value[STATE].text, &state, &err) < 0) {
		cuv_say("%s", err.message);
		return CUV_EXIT_FAILED;
	}
	snprintf(path, sizeof(path), "%s/nix/cache.public", state.path);
	r = cuv_read_file(AT_FDCWD, path, &key);
	if (r < 0) {
		cuv_say("env key: %s: %s; start the service with CACHE_SHARE=1 once", path, strerror(-r));
		return CUV_EXIT_FAILED;
	}
	fputs(cuv_buf_str(&key), stdout);
	return CUV_EXIT_OK;
}
