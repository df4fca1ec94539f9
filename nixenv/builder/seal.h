/* SPDX-License-Identifier: MIT */
/*
 * A root of its own for one child: a small tmpfs with read-only binds of what it
 * may see, the rest of the host gone; then Landlock, and no capability left. The
 * network stays: the resolver is for that.
 *
 * Used as a child's before_exec hook by a process that has a user namespace of
 * its own (the flight's worker); the child gets a mount namespace of its own.
 */
#ifndef CUV_BUILDER_SEAL_H
#define CUV_BUILDER_SEAL_H

#include "lib/base/base.h"

/* A path of the host as it appears inside; rights are CUV_LANDLOCK_*. It is
 * read-only unless they have WRITE. */
struct cuv_seal_bind {
	const char *source;
	const char *target; /* absolute */
	unsigned rights;
	bool optional; /* left out where there is no such path */
};

/* A file written into the new root. */
struct cuv_seal_file {
	const char *target;
	const void *data;
	size_t len;
};

/* A symbolic link in the new root. */
struct cuv_seal_link {
	const char *path;
	const char *target;
};

/* All borrowed. */
struct cuv_seal {
	const char *root; /* an empty folder to mount the new root on */
	const struct cuv_seal_bind *binds;
	size_t n_binds;
	const struct cuv_seal_file *files;
	size_t n_files;
	const struct cuv_seal_link *links;
	size_t n_links;
	const char *scratch;  /* a folder of a bind, covered by an empty tmpfs as large as the root's; NULL: none */
	const char *loader;   /* a file of a bind that may be executed though the bind may not; NULL: none */
	const char *listable; /* a folder above targets that may be read, too; NULL: none */
	const char *cwd;      /* a folder made inside, writable, on the tmpfs */
	uint64_t size_bytes;  /* of the tmpfs */
	bool landlock;
};

/* In the child; 0 or -errno. */
int cuv_seal_enter(const struct cuv_seal *s);

#endif
