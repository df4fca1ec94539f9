/* SPDX-License-Identifier: MIT */
#include "nixenv/storepath.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DIGEST_SIZE 20
#define DERIVATION_TEXT_MAX (4u << 20)

void cuv_store_path(const char *store_name, char ret[CUV_STORE_PATH_SIZE])
{
	int n = snprintf(ret, CUV_STORE_PATH_SIZE, CUV_STORE_DIR "/%s", store_name);

	cuv_assert(n > 0 && (size_t)n < CUV_STORE_PATH_SIZE);
}

bool cuv_store_name_part_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > CUV_STORE_NAME_PART_MAX || name[0] == '.')
		return false;
	return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+._?=-") == len;
}

int cuv_storepath_make(const char *type, const struct cuv_sha256 *inner, const char *name,
		       char ret[CUV_STORE_NAME_SIZE])
{
	char hex[CUV_SHA256_HEX_SIZE], text[512], base32[40];
	uint8_t digest[DIGEST_SIZE] = {0};
	struct cuv_sha256 hash;
	int n;

	if (!cuv_store_name_part_valid(name))
		return -EINVAL;
	cuv_hex(inner->bytes, sizeof(inner->bytes), hex);
	n = snprintf(text, sizeof(text), "%s:sha256:%s:" CUV_STORE_DIR ":%s", type, hex, name);
	if (n < 0 || (size_t)n >= sizeof(text))
		return -EINVAL;
	cuv_sha256(text, (size_t)n, &hash);
	for (size_t i = 0; i < sizeof(hash.bytes); i++)
		digest[i % DIGEST_SIZE] ^= hash.bytes[i];
	cuv_nix32(digest, sizeof(digest), base32);
	n = snprintf(ret, CUV_STORE_NAME_SIZE, "%s-%s", base32, name);
	cuv_assert(n > 0 && n < CUV_STORE_NAME_SIZE);
	return 0;
}

int cuv_storepath_fixed(bool recursive, const struct cuv_sha256 *hash, const char *name, char ret[CUV_STORE_NAME_SIZE])
{
	char hex[CUV_SHA256_HEX_SIZE], text[128];
	struct cuv_sha256 inner;
	int n;

	if (recursive)
		return cuv_storepath_make("source", hash, name, ret);
	cuv_hex(hash->bytes, sizeof(hash->bytes), hex);
	n = snprintf(text, sizeof(text), "fixed:out:sha256:%s:", hex);
	cuv_sha256(text, (size_t)n, &inner);
	return cuv_storepath_make("output:out", &inner, name, ret);
}

int cuv_storepath_text(const void *text, size_t len, const char *name, char ret[CUV_STORE_NAME_SIZE])
{
	struct cuv_sha256 hash;

	cuv_sha256(text, len, &hash);
	return cuv_storepath_make("text", &hash, name, ret);
}

int cuv_modulo_fixed(bool recursive, const struct cuv_sha256 *hash, const char *name, struct cuv_sha256 *ret)
{
	char store_name[CUV_STORE_NAME_SIZE], path[CUV_STORE_PATH_SIZE], hex[CUV_SHA256_HEX_SIZE], text[512];
	int n, r = cuv_storepath_fixed(recursive, hash, name, store_name);

	if (r < 0)
		return r;
	cuv_store_path(store_name, path);
	cuv_hex(hash->bytes, sizeof(hash->bytes), hex);
	n = snprintf(text, sizeof(text), "fixed:out:%ssha256:%s:%s", recursive ? "r:" : "", hex, path);
	cuv_assert(n > 0 && (size_t)n < sizeof(text));
	cuv_sha256(text, (size_t)n, ret);
	return 0;
}

/* --- derivations --- */

void cuv_derivation_done(struct cuv_derivation *d)
{
	cuv_strv_done(&d->args);
	cuv_strv_done(&d->env);
	cuv_strv_done(&d->sources);
	free(d->inputs);
	*d = CUV_DERIVATION_INIT;
}

int cuv_derivation_add_input(struct cuv_derivation *d, const struct cuv_sha256 *modulo)
{
	struct cuv_sha256 *more = reallocarray(d->inputs, d->n_inputs + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	d->inputs = more;
	d->inputs[d->n_inputs++] = *modulo;
	return 0;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Variables by name: '=' must not take part in the order. */
static int compare_variables(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	size_t nx = strcspn(x, "="), ny = strcspn(y, "=");
	int r = memcmp(x, y, CUV_MIN(nx, ny));

	return r ? r : (nx > ny) - (nx < ny);
}

static int compare_hashes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct cuv_sha256));
}

static void add_string(struct cuv_buf *b, const char *s, size_t len)
{
	cuv_buf_add_char(b, '"');
	for (size_t i = 0; i < len; i++) {
		switch (s[i]) {
		case '"':
			cuv_buf_add_str(b, "\\\"");
			break;
		case '\\':
			cuv_buf_add_str(b, "\\\\");
			break;
		case '\n':
			cuv_buf_add_str(b, "\\n");
			break;
		case '\r':
			cuv_buf_add_str(b, "\\r");
			break;
		case '\t':
			cuv_buf_add_str(b, "\\t");
			break;
		default:
			cuv_buf_add_char(b, s[i]);
		}
	}
	cuv_buf_add_char(b, '"');
}

static void add_inputs(struct cuv_buf *b, const struct cuv_derivation *d)
{
	for (size_t i = 0; i < d->n_inputs; i++) {
		char hex[CUV_SHA256_HEX_SIZE];

		/* Two inputs with one modulo are one. */
		if (i > 0 && compare_hashes(&d->inputs[i - 1], &d->inputs[i]) == 0)
			continue;
		cuv_hex(d->inputs[i].bytes, sizeof(d->inputs[i].bytes), hex);
		cuv_buf_addf(b, "%s(\"%s\",[\"out\"])", i ? "," : "", hex);
	}
}

static void add_sources(struct cuv_buf *b, const struct cuv_derivation *d)
{
	for (size_t i = 0; i < d->sources.n; i++)
		cuv_buf_addf(b, "%s\"" CUV_STORE_DIR "/%s\"", i ? "," : "", d->sources.items[i]);
}

static void add_env(struct cuv_buf *b, const struct cuv_derivation *d)
{
	for (size_t i = 0; i < d->env.n; i++) {
		const char *var = d->env.items[i];
		size_t name_len = strcspn(var, "=");

		cuv_buf_add_str(b, i ? ",(" : "(");
		add_string(b, var, name_len);
		cuv_buf_add_char(b, ',');
		add_string(b, var + name_len + 1, strlen(var + name_len + 1));
		cuv_buf_add_char(b, ')');
	}
}

/* The ATerm's hash; out is the output's path, "" while it is not known. */
static int hash_text(const struct cuv_derivation *d, const char *out, struct cuv_sha256 *ret)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(DERIVATION_TEXT_MAX);

	cuv_buf_addf(&b, "Derive([(\"out\",\"%s\",\"\",\"\")],[", out);
	add_inputs(&b, d);
	cuv_buf_add_str(&b, "],[");
	add_sources(&b, d);
	cuv_buf_add_str(&b, "],");
	add_string(&b, d->system, strlen(d->system));
	cuv_buf_add_char(&b, ',');
	add_string(&b, d->builder, strlen(d->builder));
	cuv_buf_add_str(&b, ",[");
	for (size_t i = 0; i < d->args.n; i++) {
		if (i)
			cuv_buf_add_char(&b, ',');
		add_string(&b, d->args.items[i], strlen(d->args.items[i]));
	}
	cuv_buf_add_str(&b, "],[");
	add_env(&b, d);
	cuv_buf_add_str(&b, "])");
	if (cuv_buf_err(&b))
		return cuv_buf_err(&b);
	cuv_sha256(b.data, b.len, ret);
	return 0;
}

static void sort_strings(struct cuv_strv *v, int (*compare)(const void *, const void *))
{
	if (v->n > 1)
		qsort(v->items, v->n, sizeof(v->items[0]), compare);
}

int cuv_derivation_output(struct cuv_derivation *d, char ret_name[CUV_STORE_NAME_SIZE], struct cuv_sha256 *ret_modulo)
{
	char name[CUV_STORE_NAME_SIZE], path[CUV_STORE_PATH_SIZE], *out_variable;
	struct cuv_sha256 hash;
	size_t at = 0;
	int r = cuv_strv_add(&d->env, "out=");

	if (r < 0)
		return r;
	sort_strings(&d->env, compare_variables);
	sort_strings(&d->sources, compare_strings);
	if (d->n_inputs > 1)
		qsort(d->inputs, d->n_inputs, sizeof(d->inputs[0]), compare_hashes);
	if ((r = hash_text(d, "", &hash)) < 0 || (r = cuv_storepath_make("output:out", &hash, d->name, name)) < 0)
		return r;
	while (strcmp(d->env.items[at], "out=") != 0)
		at++;
	cuv_store_path(name, path);
	if (asprintf(&out_variable, "out=%s", path) < 0)
		return -ENOMEM;
	free(d->env.items[at]);
	d->env.items[at] = out_variable;
	r = hash_text(d, path, &hash);
	if (r < 0)
		return r;
	memcpy(ret_name, name, sizeof(name));
	*ret_modulo = hash;
	return 0;
}
