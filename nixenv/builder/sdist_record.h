/* SPDX-License-Identifier: MIT */
/*
 * What came of source distributions before, in $STATE/nix/sdists/<hash>.json: what a
 * project asks for, and the wheel that was made of it. A record only ever says what
 * happened here; the wheel itself is in the store, by its hash, or is lost and then
 * made anew.
 */
#ifndef CUV_SDIST_RECORD_H
#define CUV_SDIST_RECORD_H

#include "nixenv/builder/builder.h"
#include "nixenv/lock.h"
#include "nixenv/wheel.h"

#include <jansson.h>

struct cuv_sdist_key {
	char hex[CUV_SHA256_HEX_SIZE];
};
/* The parts are hashed in order; the program that builds is one more of them. The list
 * ends with NULL. */
void cuv_sdist_key(const char *const *parts, struct cuv_sdist_key *ret);

/* A new reference, or NULL when nothing is known. */
json_t *cuv_sdist_record_load(const struct cuv_builder *b, const struct cuv_sdist_key *key);
/* 0 or -errno. */
int cuv_sdist_record_keep(const struct cuv_builder *b, const struct cuv_sdist_key *key, const json_t *record);

/* Notes that a source (file and sha256) was fetched from its origin's address; a failure leaves
 * that unknown. Whether it ever was. */
void cuv_sdist_note_address(const struct cuv_builder *b, const struct cuv_origin *o);
bool cuv_sdist_was_at_address(const struct cuv_builder *b, const struct cuv_origin *o);

/* A wheel that was made here. */
struct cuv_sdist_wheel {
	char file[CUV_WHEEL_FILE_MAX + 1];
	struct cuv_sha256 sha256;
	uint64_t size_bytes;
	enum cuv_rebuilt rebuilt;
	char store_name[CUV_STORE_NAME_SIZE]; /* follows from file and hash */
};
/* Fills in the store name; -EINVAL when the file's name can stand in none. */
int cuv_sdist_wheel_locate(struct cuv_sdist_wheel *w);
json_t *cuv_sdist_wheel_to_json(const struct cuv_sdist_wheel *w);
int cuv_sdist_wheel_from_json(json_t *j, struct cuv_sdist_wheel *ret);

#endif
