/* SPDX-License-Identifier: MIT */
/*
 * One commit of a git repository at an address of a user's, as an archive.
 *
 *   GET …/info/refs ─► which commit ─► POST …/git-upload-pack ─► pack, capped
 *        (dial.h: by the rules for users' addresses, without credentials)  │
 *                                                                         ▼
 *             source.tar ◄── cuvette-builder --unpack-git, sealed: no network,
 *                            no files but these two, limits of time and memory
 *
 * The two requests are ours and not libgit2's: so what is dialled is what was
 * checked, there is a cap on every byte, and the history stays where it is (libgit2
 * 1.5 knows no shallow fetch). libgit2 reads the pack, which it does not trust. There
 * is no repository, no configuration, no hook and no other transport; submodules are
 * left out, and so are the contents of git-lfs.
 */
#ifndef CUV_BUILDER_GIT_H
#define CUV_BUILDER_GIT_H

#include "lib/base/hash.h"
#include "nixenv/builder/dial.h"
#include "nixenv/git_wire.h"

#include <limits.h>

#define CUV_GIT_PACK_BYTES_MAX (256ull * 1024 * 1024)
#define CUV_GIT_TREE_BYTES_MAX (512ull * 1024 * 1024) /* of all files together */
#define CUV_GIT_FILES_MAX 20000u

/* All borrowed. */
struct cuv_git_ask {
	const struct cuv_settings *settings;
	const char *url;	  /* https://host/path, without git+ and ref */
	const char *ref;	  /* "": the default branch */
	const char *subdirectory; /* a folder of the commit, which becomes the top; NULL: all of it */
	const char *what;	  /* "the repository of foo", for messages */
	const char *work;	  /* a folder; git/ is made in it */
	bool landlock;
	uint64_t deadline_ns;
	int cancel_fd;
	void (*on_progress)(void *arg, uint64_t bytes_done, uint64_t bytes_total); /* may be NULL */
	void *arg;
};

/* A tar archive with the commit's files below one folder, "source/": entries sorted,
 * owners, times and modes levelled, so that it depends on the commit alone. */
struct cuv_git_source {
	char commit[CUV_GIT_OID_SIZE];
	char path[PATH_MAX]; /* <work>/git/source.tar; the caller's to remove */
	struct cuv_sha256 sha256;
	uint64_t size_bytes;
};

/* 0; -EINVAL with err: ADDRESS_REFUSED, URL_UNAVAILABLE (no repository, no such ref,
 * not what a git server says), ENVIRONMENT_TOO_LARGE, BUILD_FAILED (a commit that is
 * no tree of plain files), BUILD_TIMEOUT, CANCELLED, NO_SPACE or INTERNAL. */
int cuv_git_fetch(const struct cuv_git_ask *ask, struct cuv_git_source *ret, struct cuv_error *err);

/* The child: argv is "cuvette-builder --unpack-git OFFSET COMMIT [SUBDIRECTORY]", in
 * a folder with `pack`; writes source.tar. Exit status 0; 1 with a reason on stderr; 3
 * when a limit was passed. */
int cuv_git_unpack_main(int argc, char **argv);

#endif
