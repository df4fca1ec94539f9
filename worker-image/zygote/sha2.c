/* SPDX-License-Identifier: MIT */
/*
 * Debian's libpython3.13.a has the module _sha2 (random seeds itself from text by it),
 * but not the functions below it, which its build takes from a library that is in no
 * package. So they are here, by nettle. A digest of 224 or 384 bits is the beginning of
 * one that was started with other words, and _sha2 cuts it itself.
 */
#include <Python.h>

#if PY_VERSION_HEX >= 0x030c0000

#include <nettle/sha2.h>
#include <stdint.h>
#include <stdlib.h>

/* The names are _sha2's to choose; a state is its caller's until free. */
#define FUNCTION(name) python_hashlib_Hacl_Hash_SHA2_##name

#define START(bits, words)                                                                                             \
	struct sha##words##_ctx *FUNCTION(malloc_##bits)(void);                                                        \
	struct sha##words##_ctx *FUNCTION(malloc_##bits)(void)                                                         \
	{                                                                                                              \
		struct sha##words##_ctx *state = malloc(sizeof(*state));                                               \
                                                                                                                       \
		if (state)                                                                                             \
			sha##bits##_init(state);                                                                       \
		return state;                                                                                          \
	}

#define REST(words)                                                                                                    \
	struct sha##words##_ctx *FUNCTION(copy_##words)(const struct sha##words##_ctx *state);                         \
	struct sha##words##_ctx *FUNCTION(copy_##words)(const struct sha##words##_ctx *state)                          \
	{                                                                                                              \
		struct sha##words##_ctx *copy = malloc(sizeof(*copy));                                                 \
                                                                                                                       \
		if (copy)                                                                                              \
			*copy = *state;                                                                                \
		return copy;                                                                                           \
	}                                                                                                              \
	uint8_t FUNCTION(update_##words)(struct sha##words##_ctx * state, const uint8_t *data, uint32_t len);          \
	uint8_t FUNCTION(update_##words)(struct sha##words##_ctx * state, const uint8_t *data, uint32_t len)           \
	{                                                                                                              \
		sha##words##_update(state, len, data);                                                                 \
		return 0;                                                                                              \
	}                                                                                                              \
	/* The state goes on after it. */                                                                              \
	void FUNCTION(digest_##words)(const struct sha##words##_ctx *state, uint8_t *ret);                             \
	void FUNCTION(digest_##words)(const struct sha##words##_ctx *state, uint8_t *ret)                              \
	{                                                                                                              \
		struct sha##words##_ctx copy = *state;                                                                 \
                                                                                                                       \
		sha##words##_digest(&copy, words / 8, ret);                                                            \
	}                                                                                                              \
	void FUNCTION(free_##words)(struct sha##words##_ctx * state);                                                  \
	void FUNCTION(free_##words)(struct sha##words##_ctx * state)                                                   \
	{                                                                                                              \
		free(state);                                                                                           \
	}

START(224, 256)
START(256, 256)
START(384, 512)
START(512, 512)
REST(256)
REST(512)

#endif
