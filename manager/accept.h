/* SPDX-License-Identifier: MIT */
/*
 * Connections that come by a Unix socket (--listen-fd), for proxies on this machine.
 *
 * civetweb as Debian builds it listens on TCP only, and tells neither the descriptor of a
 * connection nor, of a Unix socket, any address to know it by. So it is given a second port
 * on loopback, whose descriptor is then replaced by the Unix socket before a thread waits on
 * it; and accept(), which it calls in our process, is ours: what came by the Unix socket gets
 * as its peer's address 0.0.0.0, which no TCP connection has, and as its port the descriptor.
 */
#ifndef CUV_ACCEPT_H
#define CUV_ACCEPT_H

#include "lib/base/error.h"

#include <civetweb.h>

/* Puts the listening socket unix_fd, which stays the caller's, in the place of civetweb's
 * listener on this port of 127.0.0.1. fd_max: no descriptor of ours is this or above.
 * 0, or negative with err set. */
int cuv_accept_replace(uint16_t port, int unix_fd, int fd_max, struct cuv_error *err);

/* The descriptor of a request's connection that came by TCP, noted when it was accepted.
 * Negative: it is not known for sure (cuv_http_find_fd looks for it). */
int cuv_accept_find(const struct mg_request_info *info);

/* Whether a request came by the Unix socket; its descriptor then. */
bool cuv_accept_is_unix(const struct mg_request_info *info, int *ret_fd);

#endif
