/* SPDX-License-Identifier: MIT */
/* SHA-256 (libsodium), hexadecimal, and Nix's base-32. */
#ifndef CUV_HASH_H
#define CUV_HASH_H

#include "lib/base/base.h"

#define CUV_SHA256_SIZE 32
#define CUV_SHA256_HEX_SIZE 65 /* with the NUL */

struct cuv_sha256 {
	uint8_t bytes[CUV_SHA256_SIZE];
};

void cuv_sha256(const void *data, size_t len, struct cuv_sha256 *ret);
/* Of a plain file; 0 or -errno. */
int cuv_sha256_file(const char *path, struct cuv_sha256 *ret);
/* Lower-case hexadecimal; ret holds 2 * len + 1 bytes. */
void cuv_hex(const void *data, size_t len, char *ret);
/* Exactly 2 * len hexadecimal digits (either case) and a NUL; 0 or -EINVAL. */
int cuv_unhex(const char *text, size_t len, void *ret);

/* Nix's base-32 (least significant digit last, no e o t u); ret holds
 * cuv_nix32_len(len) + 1 bytes. */
static inline size_t cuv_nix32_len(size_t len)
{
	return len ? (len * 8 - 1) / 5 + 1 : 0;
}
void cuv_nix32(const void *data, size_t len, char *ret);
/* The reverse, for exactly cuv_nix32_len(len) characters; 0 or -EINVAL. */
int cuv_unnix32(const char *text, size_t len, void *ret);
bool cuv_is_nix32_char(char c);

#define CUV_ID_HEX_SIZE 33 /* with the NUL */
/* 128 random bits in hexadecimal: run and request ids. */
void cuv_random_id(char ret[CUV_ID_HEX_SIZE]);

#endif
