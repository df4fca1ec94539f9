/* SPDX-License-Identifier: MIT */
/*
 * Opening sessions from the client's side, by either way, and the listening
 * side's counterpart. All descriptors returned are the caller's, CLOEXEC and
 * blocking.
 */
#ifndef CUV_SESSION_H
#define CUV_SESSION_H

#include "lib/proto/frame.h"

/* Over a control socket that the other process reads: makes a socket pair and
 * sends one end (SESSION_OPEN). The session's descriptor, or -errno. */
int cuv_session_open(int control);
/* The same with the session's first message, which is there when the other process is told of the
 * session: it is woken once. As cuv_writer_send: -E2BIG when it is too large. */
int cuv_session_open_with(int control, struct cuv_writer *first, const int *fds, size_t n_fds);
/* To a listening socket's path. The session's descriptor, or -errno. */
int cuv_session_connect(const char *path);

/* A SEQPACKET socket listening at path (replaced if it is a left-over socket),
 * mode 0600. The descriptor, or -errno (-ENAMETOOLONG: over 107 bytes). */
int cuv_session_listen(const char *path);
/* Accepts one connection whose peer is root or allowed_uid; others are closed
 * and give -EPERM. -EAGAIN when a non-blocking listener has none. */
int cuv_session_accept(int listener, unsigned allowed_uid);

#endif
