/* SPDX-License-Identifier: MIT */
/*
 * The words of Nix's daemon protocol: numbers of eight bytes, little end first, and
 * strings padded to eight. Before each answer the daemon sends messages: what a build
 * printed, what it works at, or an error in the answer's place.
 */
#ifndef CUV_BUILDER_NIX_WIRE_H
#define CUV_BUILDER_NIX_WIRE_H

#include "lib/base/clock.h"
#include "nixenv/builder/nix_log.h"

#define CUV_NIX_STRING_MAX (64u << 20) /* a longer one is no protocol */

/* fd is borrowed; reads block until the deadline, which need not be one. */
struct cuv_nix_wire {
	int fd;
	uint64_t deadline_ns;
	size_t at, end; /* of what was read and not used */
	char in[8192];
};
#define CUV_NIX_WIRE_INIT(socket) ((struct cuv_nix_wire){.fd = (socket), .deadline_ns = CUV_NEVER})

/* All that read: 0, -EPIPE at the end of the stream, -ETIMEDOUT, -EPROTO or -errno. */
int cuv_nix_wire_u64(struct cuv_nix_wire *w, uint64_t *ret);
/* Replaces out's content; what does not fit is left out. */
int cuv_nix_wire_string(struct cuv_nix_wire *w, struct cuv_buf *out);
/* Reads messages to their end. -EREMOTEIO when there was an error, in log then. */
int cuv_nix_wire_messages(struct cuv_nix_wire *w, struct cuv_nix_log *log);

/* For requests: appended to a buffer, whose error is sticky. */
void cuv_nix_put_u64(struct cuv_buf *b, uint64_t value);
void cuv_nix_put_string(struct cuv_buf *b, const char *s, size_t len);

#endif
