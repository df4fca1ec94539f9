/* SPDX-License-Identifier: MIT */
/*
 * Which network addresses a stranger may make us connect to: public unicast ones
 * only. Whoever dials asks with the very sockaddr that connect() gets, so that no
 * second look-up of a name can lead elsewhere.
 *
 * The tables follow the IANA registries of special-purpose addresses. Of IPv6
 * only 2000::/3 is given out at all, the rest is refused as a whole; addresses
 * that hold an IPv4 address are judged by it (NAT64's well-known prefix) or
 * refused (mapped, compatible, 6to4, Teredo).
 */
#ifndef CUV_ADDRESS_H
#define CUV_ADDRESS_H

#include "lib/base/base.h"

#include <sys/socket.h>

/* NULL when the address is public; else what it is, static: "a loopback address". */
const char *cuv_address_refused(const struct sockaddr *sa, socklen_t len);

/* The same for an address in text, without brackets. An empty string, never NULL,
 * for what is no address but a name. */
const char *cuv_address_text_refused(const char *text);

#endif
