/* SPDX-License-Identifier: MIT */
/*
 * Environment markers (PEP 508): `python_version < "3.12" and os_name == "posix"`.
 *
 * The whole boolean grammar is read. The normal form has one blank between
 * words, double quotes, the variable on the left where the operator can be
 * turned round, no needless parentheses, and the operands of `and` and `or`
 * sorted without repetitions.
 *
 * A comparison that the resolver would not understand is refused here, because
 * the resolver drops such a one and installs the package unconditionally: a
 * version variable against a text that is no version, two strings or two
 * variables against each other, `~=` on text, `===`, `extra` with another
 * operator than == and !=.
 */
#ifndef CUV_MARKER_H
#define CUV_MARKER_H

#include "lib/base/buf.h"
#include "nixenv/pep508_scan.h"

/* Deepest nesting of parentheses. */
#define CUV_MARKER_DEPTH_MAX 16
/* Most comparisons in one marker. */
#define CUV_MARKER_TERMS_MAX 64
/* Longest quoted string. */
#define CUV_MARKER_STRING_MAX 256

/* Reads a marker from the cursor (behind the `;`) up to where it ends, and
 * appends the normal form. 0, -EINVAL with the failure in s, or -ENOMEM. */
int cuv_marker_parse(struct cuv_scan *s, struct cuv_buf *out);

#endif
