/* SPDX-License-Identifier: MIT */
/*
 * cuvette-unpack: the builder of the worker image and of the tools beside it.
 *
 * Theory of operation. Nix runs this program, alone in an empty sandbox, as the
 * builder of a derivation whose output is fixed by its hash (rootfs.nix). So it
 * is static, takes everything from its arguments, and its own bytes can't reach
 * the output: an unpacker that another compiler made gives the same image, or
 * Nix refuses the result. It holds no privilege and needs none; its inputs were
 * checked against their pinned hashes before it started.
 *
 *   root:  packages -> archive.c (names: member.c, disk: tree.c) -> rootfs.c
 *          adds what installing would -> the new root's interpreter compiles
 *          its own standard library.
 *   tool:  a wheel's program and licences.
 *
 * Any error ends it with one line on stderr and status 1; what it had written
 * is thrown away by Nix.
 */
#include "worker-image/image/archive.h"
#include "worker-image/image/rootfs.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

static const char usage[] = "usage: cuvette-unpack root OUT PYTHON DEB...\n"
			    "       cuvette-unpack tool OUT NAME WHEEL\n"
			    "OUT is a new folder's absolute path; PYTHON is as 3.11, or '-' for a root without one.\n";

static bool is_version(const char *s)
{
	return strspn(s, "0123456789.") == strlen(s) && strlen(s) >= 3 && strlen(s) <= 8;
}

static bool is_program_name(const char *s)
{
	return *s && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(s) && strlen(s) <= 32;
}

static int make_root(struct cuv_tree *t, const char *out, const char *python, char *const *debs, struct cuv_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && debs[i]; i++)
		r = cuv_archive_unpack_deb(t, debs[i], err);
	if (r == 0)
		r = cuv_rootfs_finish(t, python, err);
	if (r == 0 && strcmp(python, "-") != 0)
		r = cuv_rootfs_compile(out, python, err);
	return r;
}

int main(int argc, char **argv)
{
	_cleanup_(cuv_tree_done) struct cuv_tree tree = CUV_TREE_INIT;
	struct cuv_error err = CUV_ERROR_INIT;
	bool root = argc > 4 && strcmp(argv[1], "root") == 0;
	bool tool = argc == 5 && strcmp(argv[1], "tool") == 0;

	if ((!root && !tool) || argv[2][0] != '/' || strlen(argv[2]) > 1024 ||
	    (root && strcmp(argv[3], "-") != 0 && !is_version(argv[3])) || (tool && !is_program_name(argv[3]))) {
		(void)fputs(usage, stderr);
		return 2;
	}
	/* A nix that is killed leaves its builders alive, and the next nix then
	 * trips over what they still write. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)umask(022);
	int r = cuv_tree_init(&tree, argv[2], &err);
	if (r == 0)
		r = root ? make_root(&tree, argv[2], argv[3], argv + 4, &err)
			 : cuv_archive_unpack_tool(&tree, argv[4], argv[3], &err);
	if (r < 0) {
		(void)fprintf(stderr, "cuvette-unpack: %s\n", err.message);
		return 1;
	}
	return 0;
}
