/* SPDX-License-Identifier: MIT */
/*
 * The Unix socket that proxies on this machine reach the service by (--listen-unix). The
 * supervisor makes and keeps it, so that clients wait in it while a manager is started
 * again; the manager accepts.
 */
#ifndef CUV_FRONT_H
#define CUV_FRONT_H

#include "lib/base/error.h"

#include <sys/stat.h>
#include <sys/types.h>

struct cuv_front_settings {
	const char *path; /* as cuv_front_path takes it; borrowed; NULL: there is to be none */
	mode_t mode;
	uid_t uid; /* (uid_t)-1 and (gid_t)-1: ours */
	gid_t gid;
};

/* "0660", three or four octal digits. 0 or -EINVAL with err set. */
int cuv_front_mode(const char *text, mode_t *ret, struct cuv_error *err);
/* "USER", "USER:GROUP" or ":GROUP", names or numbers. As above. */
int cuv_front_owner(const char *text, uid_t *ret_uid, gid_t *ret_gid, struct cuv_error *err);
/* The socket is bound by its name in a folder that is open, "/proc/self/fd/FD/NAME", which
 * must fit into an address whatever number the folder has. */
#define CUV_FRONT_NAME_MAX 80
/* Whether it is an absolute path of a socket's length, and its last part is no longer than
 * CUV_FRONT_NAME_MAX bytes. As above. */
int cuv_front_path(const char *path, struct cuv_error *err);

struct cuv_front {
	int fd;	    /* listens; -1: there is none */
	int folder; /* where it is */
	char name[CUV_FRONT_NAME_MAX + 1];
	dev_t dev; /* of what we made there */
	ino_t ino;
};
#define CUV_FRONT_INIT ((struct cuv_front){.fd = -1, .folder = -1})

/* Makes it. What a service has left there that is gone is replaced; nothing else is, and no
 * link is followed. The folder must be one in which only root and we can put things. 0, or
 * negative with err set. */
int cuv_front_open(const struct cuv_front_settings *s, struct cuv_front *ret, struct cuv_error *err);
/* Closes it, and takes its name away unless it is another's by now. */
void cuv_front_close(struct cuv_front *f);
#define _cleanup_front_ _cleanup_(cuv_front_close)

#endif
