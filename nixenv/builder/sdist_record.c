/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/sdist_record.h"

#include "lib/base/fd.h"
#include "nixenv/builder/build_box.h"
#include "nixenv/builder/recipes.h"
#include "nixenv/lock.h"
#include "nixenv/storepath.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define RECORD_BYTES_MAX (128u * 1024u)
#define KEY_VERSION "cuvette-sdist-1"

void cuv_sdist_key(const char *const *parts, struct cuv_sdist_key *ret)
{
	crypto_hash_sha256_state state;
	struct cuv_sha256 hash;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, (const uint8_t *)KEY_VERSION, sizeof(KEY_VERSION));
	for (const struct cuv_embedded *recipe = cuv_recipes; recipe->name; recipe++)
		if (strcmp(recipe->name, CUV_BUILD_DRIVER) == 0)
			crypto_hash_sha256_update(&state, recipe->data, recipe->len);
	/* With their ends, so that no two lists are one text. */
	for (; *parts; parts++)
		crypto_hash_sha256_update(&state, (const uint8_t *)*parts, strlen(*parts) + 1);
	crypto_hash_sha256_final(&state, hash.bytes);
	cuv_hex(hash.bytes, sizeof(hash.bytes), ret->hex);
}

static void record_path(const struct cuv_builder *b, const struct cuv_sdist_key *key, char ret[PATH_MAX])
{
	char name[CUV_SHA256_HEX_SIZE + 8];

	(void)snprintf(name, sizeof(name), "%s.json", key->hex);
	cuv_path_join(b->state.sdists, name, ret);
}

json_t *cuv_sdist_record_load(const struct cuv_builder *b, const struct cuv_sdist_key *key)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(RECORD_BYTES_MAX);
	char path[PATH_MAX];

	record_path(b, key, path);
	if (cuv_read_file(AT_FDCWD, path, &text) < 0)
		return NULL;
	return json_loadb(cuv_buf_str(&text), text.len, JSON_REJECT_DUPLICATES, NULL);
}

int cuv_sdist_record_keep(const struct cuv_builder *b, const struct cuv_sdist_key *key, const json_t *record)
{
	_cleanup_free_ char *text = json_dumps(record, JSON_COMPACT | JSON_SORT_KEYS);
	char path[PATH_MAX];

	if (!text)
		return -ENOMEM;
	record_path(b, key, path);
	return cuv_builder_write(&b->state, path, text, strlen(text));
}

static void address_key(const struct cuv_origin *o, struct cuv_sdist_key *ret)
{
	char hex[CUV_SHA256_HEX_SIZE];
	const char *parts[] = {"address", hex, o->url ? o->url : "wheelhouse", NULL};

	cuv_hex(o->sha256.bytes, sizeof(o->sha256.bytes), hex);
	cuv_sdist_key(parts, ret);
}

void cuv_sdist_note_address(const struct cuv_builder *b, const struct cuv_origin *o)
{
	json_auto_t *nothing = json_object();
	struct cuv_sdist_key key;

	address_key(o, &key);
	if (nothing)
		(void)cuv_sdist_record_keep(b, &key, nothing);
}

bool cuv_sdist_was_at_address(const struct cuv_builder *b, const struct cuv_origin *o)
{
	json_auto_t *found = NULL;
	struct cuv_sdist_key key;

	address_key(o, &key);
	found = cuv_sdist_record_load(b, &key);
	return found != NULL;
}

int cuv_sdist_wheel_locate(struct cuv_sdist_wheel *w)
{
	const struct cuv_locked p = {.file = w->file};
	char name[CUV_STORE_NAME_SIZE];
	int r = cuv_lock_wheel_name(&p, name);

	return r < 0 ? r : cuv_storepath_fixed(false, &w->sha256, name, w->store_name);
}

json_t *cuv_sdist_wheel_to_json(const struct cuv_sdist_wheel *w)
{
	char hex[CUV_SHA256_HEX_SIZE];

	cuv_hex(w->sha256.bytes, sizeof(w->sha256.bytes), hex);
	return json_pack("{s:s, s:s, s:I, s:s}", "file", w->file, "sha256", hex, "size", (json_int_t)w->size_bytes,
			 "rebuilt", cuv_rebuilt_name(w->rebuilt));
}

int cuv_sdist_wheel_from_json(json_t *j, struct cuv_sdist_wheel *ret)
{
	struct cuv_sdist_wheel w = {0};
	const char *file, *hex, *same;
	json_int_t size;

	if (json_unpack(j, "{s:s, s:s, s:I, s:s !}", "file", &file, "sha256", &hex, "size", &size, "rebuilt", &same) <
		    0 ||
	    strlen(file) > CUV_WHEEL_FILE_MAX || size < 0 || cuv_unhex(hex, sizeof(w.sha256.bytes), w.sha256.bytes) < 0)
		return -EINVAL;
	memcpy(w.file, file, strlen(file) + 1);
	w.size_bytes = (uint64_t)size;
	w.rebuilt = cuv_rebuilt_find(same);
	if (w.rebuilt == _CUV_REBUILT_MAX || cuv_sdist_wheel_locate(&w) < 0)
		return -EINVAL;
	*ret = w;
	return 0;
}
