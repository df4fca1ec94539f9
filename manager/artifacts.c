/* SPDX-License-Identifier: MIT */
#include "manager/artifacts.h"

#include "lib/base/hash.h"
#include "lib/proto/bundle.h"
#include "manager/media_type.h"

#include <sodium.h>
#include <stdlib.h>

json_t *cuv_base64(const void *data, size_t len)
{
	const size_t size = sodium_base64_encoded_len(len, sodium_base64_VARIANT_ORIGINAL);
	char *text = malloc(size);
	json_t *ret;

	if (!text)
		return NULL;
	sodium_bin2base64(text, size, data, len, sodium_base64_VARIANT_ORIGINAL);
	ret = json_stringn_nocheck(text, size - 1);
	free(text);
	return ret;
}

static json_t *file(const struct cuv_bundle_entry *e)
{
	char digest[2 * crypto_hash_sha256_BYTES + 1];
	unsigned char hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, e->data, e->size);
	sodium_bin2hex(digest, sizeof(digest), hash, sizeof(hash));
	return json_pack("{s:s, s:I, s:s, s:s, s:o}", "name", e->name, "size", (json_int_t)e->size, "sha256", digest,
			 "media_type", cuv_media_type(e->name, e->data, (size_t)e->size), "content",
			 cuv_base64(e->data, (size_t)e->size));
}

static json_t *left_out(const struct cuv_bundle_entry *e)
{
	return json_pack("{s:o, s:I, s:s, s:s}", "name", e->name[0] ? json_string(e->name) : json_null(), "size",
			 (json_int_t)e->size, "reason", cuv_left_name(e->why), "message", cuv_left_text(e->why));
}

void cuv_artifacts_add(json_t *answer, const struct cuv_buf *bundle)
{
	struct cuv_bundle_reader r = {.at = (const uint8_t *)bundle->data, .left = bundle->len};
	json_t *files = json_array(), *left = json_array();
	struct cuv_bundle_entry e;
	bool complete = true;

	while (complete && cuv_bundle_next(&r, &e) > 0) {
		if (e.kind == CUV_BUNDLE_FILE)
			complete = json_array_append_new(files, file(&e)) == 0;
		else if (e.kind == CUV_BUNDLE_LEFT)
			complete = json_array_append_new(left, left_out(&e)) == 0;
	}
	if (complete) {
		json_object_set_new(answer, "artifacts", files);
		json_object_set_new(answer, "artifacts_left_out", left);
	} else {
		json_decref(files);
		json_decref(left);
	}
}
