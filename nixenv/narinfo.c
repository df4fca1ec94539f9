/* SPDX-License-Identifier: MIT */
#include "nixenv/narinfo.h"

#include "lib/base/parse.h"
#include "nixenv/storepath.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SIG_BYTES_MAX 256

static const char *const packings[_CUV_PACKING_MAX] = {
#define X(suffix, name) [CUV_PACKING_##suffix] = name,
	CUV_PACKING_TABLE(X)
#undef X
};

void cuv_narinfo_done(struct cuv_narinfo *n)
{
	cuv_strv_done(&n->refs);
	cuv_strv_done(&n->sigs);
	*n = CUV_NARINFO_INIT;
}

/* --- hashes --- */

int cuv_nar_hash_parse(const char *text, struct cuv_sha256 *ret)
{
	size_t len;

	if (strncmp(text, "sha256:", 7) != 0)
		return -EINVAL;
	text += 7;
	len = strlen(text);
	if (len == cuv_nix32_len(CUV_SHA256_SIZE))
		return cuv_unnix32(text, CUV_SHA256_SIZE, ret->bytes);
	return len == CUV_SHA256_HEX_SIZE - 1 ? cuv_unhex(text, CUV_SHA256_SIZE, ret->bytes) : -EINVAL;
}

void cuv_nar_hash_text(const struct cuv_sha256 *hash, char ret[CUV_NAR_HASH_SIZE])
{
	memcpy(ret, "sha256:", 7);
	cuv_nix32(hash->bytes, sizeof(hash->bytes), ret + 7);
}

/* --- references --- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void cuv_narinfo_sort_refs(struct cuv_narinfo *n)
{
	struct cuv_strv *v = &n->refs;
	size_t kept = 0;

	if (v->n < 2)
		return;
	qsort(v->items, v->n, sizeof(v->items[0]), by_name);
	for (size_t i = 0; i < v->n; i++) {
		if (kept > 0 && strcmp(v->items[kept - 1], v->items[i]) == 0)
			free(v->items[i]);
		else
			v->items[kept++] = v->items[i];
	}
	v->n = kept;
	v->items[kept] = NULL;
}

/* --- reading --- */

enum field { STORE_PATH, URL, COMPRESSION, FILE_SIZE, NAR_HASH, NAR_SIZE, REFERENCES, DERIVER, SIG, CA, _FIELD_MAX };
static const char *const fields[_FIELD_MAX] = {
	[STORE_PATH] = "StorePath",
	[URL] = "URL",
	[COMPRESSION] = "Compression",
	[FILE_SIZE] = "FileSize",
	[NAR_HASH] = "NarHash",
	[NAR_SIZE] = "NarSize",
	[REFERENCES] = "References",
	[DERIVER] = "Deriver",
	[SIG] = "Sig",
	[CA] = "CA",
};

static int copy(const char *value, char *ret, size_t size)
{
	size_t len = strlen(value);

	if (len == 0 || len >= size)
		return -EBADMSG;
	memcpy(ret, value, len + 1);
	return 0;
}

static int read_store_path(const char *value, char ret[CUV_STORE_NAME_SIZE])
{
	static const char prefix[] = CUV_STORE_DIR "/";

	if (strncmp(value, prefix, strlen(prefix)) != 0 || !cuv_store_name_valid(value + strlen(prefix)))
		return -EBADMSG;
	return copy(value + strlen(prefix), ret, CUV_STORE_NAME_SIZE);
}

/* A file below the cache's own address, and no other place. */
static bool url_is_relative(const char *url)
{
	if (url[0] == '/' ||
	    strspn(url, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._+=%~-") != strlen(url))
		return false;
	return !strstr(url, "..") && !strstr(url, "//");
}

static int read_url(const char *value, char ret[CUV_NARINFO_URL_SIZE])
{
	return url_is_relative(value) ? copy(value, ret, CUV_NARINFO_URL_SIZE) : -EBADMSG;
}

static int read_packing(const char *value, enum cuv_packing *ret)
{
	for (int i = 0; i < _CUV_PACKING_MAX; i++)
		if (strcmp(value, packings[i]) == 0) {
			*ret = (enum cuv_packing)i;
			return 0;
		}
	return -EBADMSG;
}

static int read_refs(const char *value, struct cuv_narinfo *n)
{
	while (*(value += strspn(value, " "))) {
		size_t len = strcspn(value, " ");
		int r = len < CUV_STORE_NAME_SIZE && n->refs.n < CUV_NARINFO_REFS_MAX
				? cuv_strv_add_len(&n->refs, value, len)
				: -EBADMSG;

		if (r < 0)
			return r;
		if (!cuv_store_name_valid(n->refs.items[n->refs.n - 1]))
			return -EBADMSG;
		value += len;
	}
	cuv_narinfo_sort_refs(n);
	return 0;
}

static int read_sig(const char *value, struct cuv_narinfo *n)
{
	if (n->sigs.n >= CUV_NARINFO_SIGS_MAX || strlen(value) > SIG_BYTES_MAX || !strchr(value, ':'))
		return -EBADMSG;
	return cuv_strv_add(&n->sigs, value);
}

/* Printable, of the kind that it is handed on as. */
static int read_plain(const char *value, char *ret, size_t size)
{
	for (const char *c = value; *c; c++)
		if (*c <= ' ' || *c > '~')
			return -EBADMSG;
	return copy(value, ret, size);
}

static int read_size(const char *value, uint64_t *ret)
{
	return cuv_parse_u64(value, CUV_NAR_BYTES_MAX, ret) < 0 || *ret == 0 ? -EBADMSG : 0;
}

static int read_field(enum field f, const char *value, struct cuv_narinfo *n)
{
	switch (f) {
	case STORE_PATH:
		return read_store_path(value, n->store_name);
	case URL:
		return read_url(value, n->url);
	case COMPRESSION:
		return read_packing(value, &n->packing);
	case FILE_SIZE:
		return read_size(value, &n->file_bytes);
	case NAR_HASH:
		return cuv_nar_hash_parse(value, &n->nar_hash) < 0 ? -EBADMSG : 0;
	case NAR_SIZE:
		return read_size(value, &n->nar_bytes);
	case REFERENCES:
		return read_refs(value, n);
	case DERIVER:
		/* It says nothing that is signed, and Nix writes this where it knows none. */
		if (strcmp(value, "unknown-deriver") == 0)
			return 0;
		return cuv_store_name_valid(value) ? copy(value, n->deriver, sizeof(n->deriver)) : -EBADMSG;
	case SIG:
		return read_sig(value, n);
	case CA:
		return read_plain(value, n->ca, sizeof(n->ca));
	case _FIELD_MAX:
	default:
		return 0;
	}
}

/* One line, without its end. */
static int read_line(char *line, struct cuv_narinfo *n, unsigned *seen)
{
	char *colon = strchr(line, ':');

	if (!colon || colon == line || (colon[1] != ' ' && colon[1] != '\0'))
		return -EBADMSG;
	*colon = '\0';
	for (int f = 0; f < _FIELD_MAX; f++) {
		if (strcmp(line, fields[f]) != 0)
			continue;
		if (f != SIG && (*seen & 1u << f))
			return -EBADMSG;
		*seen |= 1u << f;
		return read_field((enum field)f, colon[1] ? colon + 2 : colon + 1, n);
	}
	return 0;
}

static int read_lines(const char *text, size_t len, struct cuv_narinfo *n, unsigned *seen, uint32_t *line)
{
	size_t at = 0;

	while (at < len) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t n_bytes = end ? (size_t)(end - text) - at : len - at;
		_cleanup_free_ char *copied = NULL;
		int r;

		++*line;
		if (memchr(text + at, '\0', n_bytes))
			return -EBADMSG;
		copied = malloc(n_bytes + 1);
		if (!copied)
			return -ENOMEM;
		memcpy(copied, text + at, n_bytes);
		copied[n_bytes] = '\0';
		r = read_line(copied, n, seen);
		if (r < 0)
			return r;
		at += n_bytes + 1;
	}
	return 0;
}

int cuv_narinfo_parse(const char *text, size_t len, struct cuv_narinfo *ret, uint32_t *ret_line)
{
	static const unsigned needed =
		1u << STORE_PATH | 1u << URL | 1u << COMPRESSION | 1u << NAR_HASH | 1u << NAR_SIZE | 1u << REFERENCES;
	_cleanup_narinfo_ struct cuv_narinfo n = CUV_NARINFO_INIT;
	unsigned seen = 0;
	int r;

	*ret_line = 0;
	if (len > CUV_NARINFO_BYTES_MAX)
		return -EBADMSG;
	r = read_lines(text, len, &n, &seen, ret_line);
	if (r < 0)
		return r;
	*ret_line = 0;
	if ((seen & needed) != needed)
		return -EBADMSG;
	*ret = n;
	n = CUV_NARINFO_INIT;
	return 0;
}

/* --- writing --- */

int cuv_narinfo_write(const struct cuv_narinfo *n, struct cuv_buf *out)
{
	char hash[CUV_NAR_HASH_SIZE];

	cuv_nar_hash_text(&n->nar_hash, hash);
	cuv_buf_addf(out, "StorePath: " CUV_STORE_DIR "/%s\nURL: %s\nCompression: %s\n", n->store_name, n->url,
		     packings[n->packing]);
	if (n->file_bytes)
		cuv_buf_addf(out, "FileSize: %" PRIu64 "\n", n->file_bytes);
	cuv_buf_addf(out, "NarHash: %s\nNarSize: %" PRIu64 "\nReferences:", hash, n->nar_bytes);
	for (size_t i = 0; i < n->refs.n; i++)
		cuv_buf_addf(out, " %s", n->refs.items[i]);
	/* Nix's own reader wants the blank. */
	cuv_buf_add_str(out, n->refs.n ? "\n" : " \n");
	if (n->deriver[0])
		cuv_buf_addf(out, "Deriver: %s\n", n->deriver);
	for (size_t i = 0; i < n->sigs.n; i++)
		cuv_buf_addf(out, "Sig: %s\n", n->sigs.items[i]);
	if (n->ca[0])
		cuv_buf_addf(out, "CA: %s\n", n->ca);
	return cuv_buf_err(out);
}

int cuv_narinfo_fingerprint(const struct cuv_narinfo *n, struct cuv_buf *out)
{
	char hash[CUV_NAR_HASH_SIZE];

	cuv_nar_hash_text(&n->nar_hash, hash);
	cuv_buf_addf(out, "1;" CUV_STORE_DIR "/%s;%s;%" PRIu64 ";", n->store_name, hash, n->nar_bytes);
	for (size_t i = 0; i < n->refs.n; i++)
		cuv_buf_addf(out, "%s" CUV_STORE_DIR "/%s", i ? "," : "", n->refs.items[i]);
	return cuv_buf_err(out);
}
