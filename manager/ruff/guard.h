/* SPDX-License-Identifier: MIT */
/*
 * Which documents a kept ruff may be given. Its parser and its checks recurse
 * and some are quadratic: what takes it down or holds it up is left to a ruff in
 * a box of its own, which only its sender waits for. The look is a quick and
 * rough one and may be wrong both ways: what gets through is caught by the
 * server's deadline and its end.
 */
#ifndef CUV_RUFF_GUARD_H
#define CUV_RUFF_GUARD_H

#include "lib/base/base.h"

#define CUV_RUFF_DOCUMENT_MAX (128u << 10)

/* True for one that may. */
bool cuv_ruff_guard(const char *code, size_t len);

#endif
