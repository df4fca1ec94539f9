/* SPDX-License-Identifier: MIT */
/*
 * API keys that the store keeps. A key's text is shown once, when it is made:
 * "cuv_" + its id + "_" + 256 random bits; of those the store has a hash, which is
 * as good as the key for comparing and for nothing else. (They are random, so a
 * quick hash is enough: there is nothing to guess.)
 */
#ifndef CUV_KEYS_H
#define CUV_KEYS_H

#include "lib/base/hash.h"
#include "manager/store.h"

/* X(enum suffix, bit, "name", "what it may do") */
#define CUV_SCOPE_TABLE(X)                                                                                             \
	X(RUN, 1u, "run", "run programs, and ask for one's own runs")                                                  \
	X(ENVIRONMENTS, 2u, "environments", "build environments, and ask for them")                                    \
	X(ADMIN, 4u, "admin", "ask how the service is doing")

enum cuv_scope {
#define X(suffix, bit, name, text) CUV_SCOPE_##suffix = (bit),
	CUV_SCOPE_TABLE(X)
#undef X
		CUV_SCOPE_ALL = 7u,
};
/* "run,environments": their bits, or -EINVAL. */
int cuv_scopes_read(const char *list);
/* The reverse. */
#define CUV_SCOPES_SIZE 32
void cuv_scopes_text(unsigned scopes, char ret[CUV_SCOPES_SIZE]);

#define CUV_KEY_ID_SIZE 17 /* 16 hexadecimal digits and the NUL */
#define CUV_KEY_NAME_SIZE 65
#define CUV_KEY_TEXT_SIZE 128
#define CUV_KEYS_MAX 10000u

struct cuv_key_info {
	char id[CUV_KEY_ID_SIZE];
	char name[CUV_KEY_NAME_SIZE];
	struct cuv_sha256 hash;
	unsigned scopes;
	/* No bound where they are 0. */
	uint32_t rate;	      /* runs a minute */
	uint32_t concurrency; /* runs at once */
	uint32_t quota;	      /* runs a day (UTC) */
	int64_t made_s;
	int64_t revoked_s; /* 0: it is good */
};

/* Letters, digits and ._-@+, at most 64, and not of an id's form. */
bool cuv_key_name_valid(const char *name);

/* Makes a key of name, scopes and bounds; fills in the rest, and writes its text.
 * 0, or negative with err set (FIELD_INVALID: the name is taken or no name). */
int cuv_keys_make(struct cuv_store *s, int64_t now_s, struct cuv_key_info *k, char ret_text[CUV_KEY_TEXT_SIZE],
		  struct cuv_error *err);
/* By id or name. 0, or negative with err set (NOT_FOUND: there is none that is good). */
int cuv_keys_revoke(struct cuv_store *s, const char *which, int64_t now_s, struct cuv_error *err);
/* Calls each with every key, the revoked ones too, the oldest first, until it returns
 * something other than 0. 0, what each returned, or negative with err set. */
int cuv_keys_each(struct cuv_store *s, int (*each)(void *arg, const struct cuv_key_info *k), void *arg,
		  struct cuv_error *err);
/* Counts one more run of this key today, unless quota runs were counted. 1: counted, 0:
 * no more today, negative with err set. */
int cuv_keys_use(struct cuv_store *s, const char *id, int64_t now_s, uint32_t quota, struct cuv_error *err);

/* Takes a key's text apart: its id, and the hash to compare. 0, or -EINVAL when it is
 * none that we made. */
int cuv_key_parse(const char *text, char ret_id[CUV_KEY_ID_SIZE], struct cuv_sha256 *ret);

#endif
