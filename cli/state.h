/* SPDX-License-Identifier: MIT */
/*
 * The state folder ($CUVETTE_STATE): where it is, that it is made with the right
 * owners and modes, and the locks that say who uses it.
 *
 *   STATE/            root: 0755, so that builder and manager can reach what is theirs
 *   STATE/run/        0700, ours: serve.lock, launcher.sock, builder.sock
 *   STATE/nix/        the store; started by root it belongs to the builder's uid
 *   STATE/api-docs/   what /docs and /redoc show themselves with (`make store`)
 */
#ifndef CUV_STATE_H
#define CUV_STATE_H

#include "lib/base/error.h"

#include <limits.h>
#include <sys/types.h>

/* The builder's bound, with the NUL; "/run/launcher.sock" behind it still fits a
 * socket's address. */
#define CUV_STATE_PATH_SIZE 81

struct cuv_state {
	char path[CUV_STATE_PATH_SIZE];	      /* absolute, no links in it */
	char store[CUV_STATE_PATH_SIZE + 16]; /* the physical store, for the launcher */
	char leases[CUV_STATE_PATH_SIZE + 16];
	char manager[CUV_STATE_PATH_SIZE + 16]; /* the manager's own folder */
	char pages[CUV_STATE_PATH_SIZE + 16];	/* scripts of the API's pages; perhaps not there */
	char launcher_sock[CUV_STATE_PATH_SIZE + 24];
	char builder_sock[CUV_STATE_PATH_SIZE + 24];
	int run_fd; /* STATE/run, -1 when not open */
	bool own;   /* the folder belongs to who we are */
	bool root;  /* we are root: the processes get ids of their own */
};
#define CUV_STATE_INIT ((struct cuv_state){.run_fd = -1})
void cuv_state_done(struct cuv_state *s);
#define _cleanup_state_ _cleanup_(cuv_state_done)

/* root: /var/lib/cuvette; else $XDG_STATE_HOME/cuvette or ~/.local/state/cuvette.
 * 0, or -ENOENT when no home is known; -ENAMETOOLONG. */
int cuv_state_default(char *ret, size_t size);

/* Makes what is missing of the folders (text NULL: at the default place) and
 * opens them. 0, or -errno with err set. */
int cuv_state_open(const char *text, struct cuv_state *ret, struct cuv_error *err);
/* The same for a look only: makes nothing, needs no right to write. -ENOENT
 * (err set) when there is no such folder. */
int cuv_state_look(const char *text, struct cuv_state *ret, struct cuv_error *err);

/* Takes the service's lock; the descriptor is the caller's and holds it. -EBUSY
 * when another service has it, with *err telling its process and URL. */
int cuv_state_lock_service(const struct cuv_state *s, struct cuv_error *err);
/* Notes in the lock file who we are; url NULL: not ready yet. 0 or -errno. */
int cuv_state_note_service(int lock_fd, const char *url);

struct cuv_service_note {
	pid_t pid;     /* as the service sees itself, 0: not noted */
	char url[128]; /* "" while it is not ready */
};
/* 1 when a service runs on the state (note filled in), 0 when none does, or
 * -errno (-EACCES: not ours to know). */
int cuv_state_service(const struct cuv_state *s, struct cuv_service_note *ret);

#endif
