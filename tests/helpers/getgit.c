/* SPDX-License-Identifier: MIT */
/*
 * getgit: fetches a commit of a repository as the builder does, for tests and by hand.
 *
 *   getgit FOLDER URL [REF [SUBDIRECTORY [DEADLINE_MS]]]
 *
 * One line of JSON: {"commit":…,"sha256":…,"size":…,"path":…} or {"failure": {…}}. It
 * needs the right to make namespaces: start it as root, or below `unshare -Ur`.
 */
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/parse.h"
#include "nixenv/builder/git.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	struct cuv_settings settings = {0};
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_git_source source;
	struct cuv_git_ask ask = {.settings = &settings, .what = "the repository", .landlock = true, .cancel_fd = -1};
	char hex[CUV_SHA256_HEX_SIZE];
	uint64_t ms = 60000;
	json_t *answer;
	int r;

	if (argc > 1 && strcmp(argv[1], "--unpack-git") == 0)
		return cuv_git_unpack_main(argc, argv);
	cuv_log_setup("getgit", CUV_LOG_INFO);
	if (sodium_init() < 0 || argc < 3 || argc > 6 || (argc > 5 && cuv_parse_u64(argv[5], UINT32_MAX, &ms) < 0)) {
		fputs("usage: getgit FOLDER URL [REF [SUBDIRECTORY [DEADLINE_MS]]]\n", stderr);
		return 2;
	}
	if (cuv_settings_read(&settings) < 0)
		return 3;
	ask.work = argv[1];
	ask.url = argv[2];
	ask.ref = argc > 3 ? argv[3] : "";
	ask.subdirectory = argc > 4 && argv[4][0] ? argv[4] : NULL;
	ask.deadline_ns = cuv_deadline_ms((uint32_t)ms);
	r = cuv_git_fetch(&ask, &source, &err);
	if (r == 0) {
		cuv_hex(source.sha256.bytes, sizeof(source.sha256.bytes), hex);
		answer = json_pack("{s:s, s:s, s:I, s:s}", "commit", source.commit, "sha256", hex, "size",
				   (json_int_t)source.size_bytes, "path", source.path);
	} else {
		answer = json_pack("{s:{s:s, s:s}}", "failure", "code", cuv_error_name(err.code), "message",
				   err.message);
	}
	json_dumpf(answer, stdout, JSON_COMPACT);
	puts("");
	json_decref(answer);
	cuv_settings_done(&settings);
	return r < 0;
}
