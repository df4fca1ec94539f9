/* SPDX-License-Identifier: MIT */
#include "manager/keys.h"

#include <errno.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "cuv_"
#define SECRET_BYTES 32
#define SECRET_VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define SECRET_TEXT (sodium_base64_ENCODED_LEN(SECRET_BYTES, SECRET_VARIANT) - 1)
#define DAY_S 86400

static const struct {
	enum cuv_scope bit;
	const char *name;
} scopes[] = {
#define X(suffix, bit, name, text) {CUV_SCOPE_##suffix, name},
	CUV_SCOPE_TABLE(X)
#undef X
};

int cuv_scopes_read(const char *list)
{
	unsigned found = 0;

	while (*list) {
		size_t len = strcspn(list, ","), i;

		for (i = 0; i < ARRAY_SIZE(scopes); i++)
			if (strlen(scopes[i].name) == len && memcmp(scopes[i].name, list, len) == 0)
				break;
		if (i == ARRAY_SIZE(scopes))
			return -EINVAL;
		found |= scopes[i].bit;
		list += len + (list[len] != '\0');
	}
	return found ? (int)found : -EINVAL;
}

void cuv_scopes_text(unsigned bits, char ret[CUV_SCOPES_SIZE])
{
	size_t at = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(scopes); i++)
		if (bits & scopes[i].bit)
			at += (size_t)snprintf(ret + at, CUV_SCOPES_SIZE - at, "%s%s", at ? "," : "", scopes[i].name);
}

bool cuv_key_name_valid(const char *name)
{
	static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-@+";
	size_t len = strspn(name, safe);

	/* One that could be an id would name two keys. */
	if (len == CUV_KEY_ID_SIZE - 1 && strspn(name, "0123456789abcdef") == len)
		return false;
	return len > 0 && len < CUV_KEY_NAME_SIZE && name[len] == '\0';
}

int cuv_key_parse(const char *text, char ret_id[CUV_KEY_ID_SIZE], struct cuv_sha256 *ret)
{
	const size_t prefix = sizeof(PREFIX) - 1, id = CUV_KEY_ID_SIZE - 1;
	uint8_t bytes[(CUV_KEY_ID_SIZE - 1) / 2];
	char digits[CUV_KEY_ID_SIZE];

	if (strlen(text) != prefix + id + 1 + SECRET_TEXT || memcmp(text, PREFIX, prefix) != 0 ||
	    text[prefix + id] != '_')
		return -EINVAL;
	memcpy(digits, text + prefix, id);
	digits[id] = '\0';
	if (cuv_unhex(digits, sizeof(bytes), bytes) < 0)
		return -EINVAL;
	cuv_hex(bytes, sizeof(bytes), ret_id);
	cuv_sha256(text + prefix + id + 1, SECRET_TEXT, ret);
	return 0;
}

static void make_text(struct cuv_key_info *k, char ret[CUV_KEY_TEXT_SIZE])
{
	uint8_t id[(CUV_KEY_ID_SIZE - 1) / 2], secret[SECRET_BYTES];
	char text[SECRET_TEXT + 1];

	randombytes_buf(id, sizeof(id));
	randombytes_buf(secret, sizeof(secret));
	cuv_hex(id, sizeof(id), k->id);
	(void)sodium_bin2base64(text, sizeof(text), secret, sizeof(secret), SECRET_VARIANT);
	(void)snprintf(ret, CUV_KEY_TEXT_SIZE, PREFIX "%s_%s", k->id, text);
	cuv_sha256(text, SECRET_TEXT, &k->hash);
	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(text, sizeof(text));
}

static int insert(struct cuv_store *s, sqlite3 *db, const struct cuv_key_info *k, struct cuv_error *err)
{
	static const char sql[] = "INSERT INTO key (id, name, hash, scopes, rate, concurrency, quota, made_s) SELECT "
				  "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE (SELECT count(*) FROM key) < ?9";
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int step;

	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
		return cuv_store_failed(s, err);
	(void)sqlite3_bind_text(q, 1, k->id, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(q, 2, k->name, -1, SQLITE_STATIC);
	(void)sqlite3_bind_blob(q, 3, k->hash.bytes, sizeof(k->hash.bytes), SQLITE_STATIC);
	(void)sqlite3_bind_int64(q, 4, k->scopes);
	(void)sqlite3_bind_int64(q, 5, k->rate);
	(void)sqlite3_bind_int64(q, 6, k->concurrency);
	(void)sqlite3_bind_int64(q, 7, k->quota);
	(void)sqlite3_bind_int64(q, 8, k->made_s);
	(void)sqlite3_bind_int64(q, 9, CUV_KEYS_MAX);
	step = sqlite3_step(q);
	if (step == SQLITE_CONSTRAINT)
		return cuv_error_set(err, CUV_E_FIELD_INVALID,
				     "there is a key of the name `%s` already, good or revoked; choose another name",
				     k->name);
	if (step != SQLITE_DONE)
		return cuv_store_failed(s, err);
	if (sqlite3_changes(db) == 0)
		return cuv_error_set(err, CUV_E_LIMIT_EXCEEDED, "there are %u keys already, and may be no more",
				     CUV_KEYS_MAX);
	return 0;
}

int cuv_keys_make(struct cuv_store *s, int64_t now_s, struct cuv_key_info *k, char ret_text[CUV_KEY_TEXT_SIZE],
		  struct cuv_error *err)
{
	int r;

	if (!cuv_key_name_valid(k->name))
		return cuv_error_set(err, CUV_E_FIELD_INVALID,
				     "a key's name is 1 to %d of the characters A-Z a-z 0-9 . _ - @ +",
				     CUV_KEY_NAME_SIZE - 1);
	k->made_s = now_s;
	k->revoked_s = 0;
	make_text(k, ret_text);
	r = insert(s, cuv_store_take(s), k, err);
	cuv_store_give(s);
	if (r < 0)
		sodium_memzero(ret_text, CUV_KEY_TEXT_SIZE);
	return r;
}

static int revoke_one(struct cuv_store *s, sqlite3 *db, const char *which, int64_t now_s, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(db, "UPDATE key SET revoked_s = ?2 WHERE (id = ?1 OR name = ?1) AND revoked_s = 0", -1,
			       &q, NULL) != SQLITE_OK)
		return cuv_store_failed(s, err);
	(void)sqlite3_bind_text(q, 1, which, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(q, 2, now_s);
	if (sqlite3_step(q) != SQLITE_DONE)
		return cuv_store_failed(s, err);
	if (sqlite3_changes(db) > 0)
		return 0;
	cuv_error_set(err, CUV_E_NOT_FOUND, "there is no good key with this id or name");
	return -ENOENT;
}

int cuv_keys_revoke(struct cuv_store *s, const char *which, int64_t now_s, struct cuv_error *err)
{
	int r = revoke_one(s, cuv_store_take(s), which, now_s, err);

	cuv_store_give(s);
	return r;
}

static const char *text_of(sqlite3_stmt *q, int column)
{
	const char *text = (const char *)sqlite3_column_text(q, column);

	return text ? text : "";
}

static void read_row(sqlite3_stmt *q, struct cuv_key_info *ret)
{
	*ret = (struct cuv_key_info){.scopes = (unsigned)sqlite3_column_int64(q, 3) & CUV_SCOPE_ALL,
				     .rate = (uint32_t)sqlite3_column_int64(q, 4),
				     .concurrency = (uint32_t)sqlite3_column_int64(q, 5),
				     .quota = (uint32_t)sqlite3_column_int64(q, 6),
				     .made_s = sqlite3_column_int64(q, 7),
				     .revoked_s = sqlite3_column_int64(q, 8)};
	(void)snprintf(ret->id, sizeof(ret->id), "%s", text_of(q, 0));
	(void)snprintf(ret->name, sizeof(ret->name), "%s", text_of(q, 1));
	if (sqlite3_column_bytes(q, 2) == sizeof(ret->hash.bytes))
		memcpy(ret->hash.bytes, sqlite3_column_blob(q, 2), sizeof(ret->hash.bytes));
	else
		ret->scopes = 0; /* damaged: it opens nothing */
}

static int each_row(struct cuv_store *s, sqlite3 *db, int (*each)(void *arg, const struct cuv_key_info *k), void *arg,
		    struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int step = SQLITE_DONE, r = 0;

	if (sqlite3_prepare_v2(db,
			       "SELECT id, name, hash, scopes, rate, concurrency, quota, made_s, revoked_s FROM key "
			       "ORDER BY made_s, id",
			       -1, &q, NULL) != SQLITE_OK)
		return cuv_store_failed(s, err);
	while (r == 0 && (step = sqlite3_step(q)) == SQLITE_ROW) {
		struct cuv_key_info k;

		read_row(q, &k);
		r = each(arg, &k);
	}
	return r == 0 && step != SQLITE_DONE ? cuv_store_failed(s, err) : r;
}

int cuv_keys_each(struct cuv_store *s, int (*each)(void *arg, const struct cuv_key_info *k), void *arg,
		  struct cuv_error *err)
{
	int r = each_row(s, cuv_store_take(s), each, arg, err);

	cuv_store_give(s);
	return r;
}

static int use(struct cuv_store *s, sqlite3 *db, const char *id, int64_t day, uint32_t quota, struct cuv_error *err)
{
	static const char sql[] =
		"INSERT INTO use (key, day, runs) VALUES (?1, ?2, 1) ON CONFLICT (key, day) DO UPDATE "
		"SET runs = runs + 1 WHERE runs < ?3";
	_cleanup_stmt_ sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
		return cuv_store_failed(s, err);
	(void)sqlite3_bind_text(q, 1, id, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(q, 2, day);
	(void)sqlite3_bind_int64(q, 3, quota);
	return sqlite3_step(q) == SQLITE_DONE ? sqlite3_changes(db) > 0 : cuv_store_failed(s, err);
}

int cuv_keys_use(struct cuv_store *s, const char *id, int64_t now_s, uint32_t quota, struct cuv_error *err)
{
	int r = use(s, cuv_store_take(s), id, now_s / DAY_S, quota, err);

	cuv_store_give(s);
	return r;
}
