/* SPDX-License-Identifier: MIT */
#include "nixenv/derivation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX (4u << 20)

void cuv_derivation_done(struct cuv_derivation *d)
{
	free(d->name);
	free(d->system);
	free(d->builder);
	cuv_strv_done(&d->args);
	cuv_strv_done(&d->env);
	cuv_strv_done(&d->sources);
	free(d->inputs);
	*d = CUV_DERIVATION_INIT;
}

int cuv_derivation_init(struct cuv_derivation *d, const char *name, const char *system, const char *builder)
{
	int r = 0;

	d->name = strdup(name);
	d->system = strdup(system);
	d->builder = strdup(builder);
	if (!d->name || !d->system || !d->builder)
		return -ENOMEM;
	r = r ? r : cuv_strv_addf(&d->env, "name=%s", name);
	r = r ? r : cuv_strv_addf(&d->env, "system=%s", system);
	r = r ? r : cuv_strv_addf(&d->env, "builder=%s", builder);
	return r;
}

int cuv_derivation_fix(struct cuv_derivation *d, bool recursive, const struct cuv_sha256 *hash)
{
	char hex[CUV_SHA256_HEX_SIZE];
	int r = 0;

	d->output = recursive ? CUV_OUTPUT_RECURSIVE : CUV_OUTPUT_FLAT;
	d->output_hash = *hash;
	cuv_hex(hash->bytes, sizeof(hash->bytes), hex);
	r = r ? r : cuv_strv_addf(&d->env, "outputHash=%s", hex);
	r = r ? r : cuv_strv_add(&d->env, "outputHashAlgo=sha256");
	r = r ? r : cuv_strv_addf(&d->env, "outputHashMode=%s", recursive ? "recursive" : "flat");
	return r;
}

int cuv_derivation_add_input(struct cuv_derivation *d, const struct cuv_derivation_ref *input)
{
	struct cuv_derivation_ref *more = reallocarray(d->inputs, d->n_inputs + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	d->inputs = more;
	d->inputs[d->n_inputs++] = *input;
	return 0;
}

/* --- orders --- */

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

static int compare_modulos(const void *a, const void *b)
{
	const struct cuv_derivation_ref *x = a, *y = b;

	return memcmp(&x->modulo, &y->modulo, sizeof(x->modulo));
}

static int compare_drvs(const void *a, const void *b)
{
	const struct cuv_derivation_ref *x = a, *y = b;

	return strcmp(x->drv, y->drv);
}

static void sort_strings(struct cuv_strv *v, int (*compare)(const void *, const void *))
{
	if (v->n > 1)
		qsort(v->items, v->n, sizeof(v->items[0]), compare);
}

static void sort_inputs(struct cuv_derivation *d, int (*compare)(const void *, const void *))
{
	if (d->n_inputs > 1)
		qsort(d->inputs, d->n_inputs, sizeof(d->inputs[0]), compare);
}

/* An input that is there twice is one. */
static bool is_repeated(const struct cuv_derivation *d, size_t i, int (*compare)(const void *, const void *))
{
	return i > 0 && compare(&d->inputs[i - 1], &d->inputs[i]) == 0;
}

/* --- the text --- */

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

static void add_output(struct cuv_buf *b, const struct cuv_derivation *d, const char *out)
{
	char hex[CUV_SHA256_HEX_SIZE] = "";

	if (d->output != CUV_OUTPUT_FREE)
		cuv_hex(d->output_hash.bytes, sizeof(d->output_hash.bytes), hex);
	cuv_buf_addf(b, "[(\"out\",\"%s\",\"%s\",\"%s\")]", out,
		     d->output == CUV_OUTPUT_FREE   ? ""
		     : d->output == CUV_OUTPUT_FLAT ? "sha256"
						    : "r:sha256",
		     hex);
}

static void add_modulos(struct cuv_buf *b, const struct cuv_derivation *d)
{
	for (size_t i = 0; i < d->n_inputs; i++) {
		char hex[CUV_SHA256_HEX_SIZE];

		if (is_repeated(d, i, compare_modulos))
			continue;
		cuv_hex(d->inputs[i].modulo.bytes, sizeof(d->inputs[i].modulo.bytes), hex);
		cuv_buf_addf(b, "%s(\"%s\",[\"out\"])", i ? "," : "", hex);
	}
}

static void add_drvs(struct cuv_buf *b, const struct cuv_derivation *d)
{
	for (size_t i = 0; i < d->n_inputs; i++)
		if (!is_repeated(d, i, compare_drvs))
			cuv_buf_addf(b, "%s(\"" CUV_STORE_DIR "/%s\",[\"out\"])", i ? "," : "", d->inputs[i].drv);
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

/* out is the output's path, "" while it is not known; the inputs are named as
 * add_inputs does it. */
static int add_text(struct cuv_buf *b, const struct cuv_derivation *d, const char *out,
		    void (*add_inputs)(struct cuv_buf *, const struct cuv_derivation *))
{
	cuv_buf_add_str(b, "Derive(");
	add_output(b, d, out);
	cuv_buf_add_str(b, ",[");
	add_inputs(b, d);
	cuv_buf_add_str(b, "],[");
	for (size_t i = 0; i < d->sources.n; i++)
		cuv_buf_addf(b, "%s\"" CUV_STORE_DIR "/%s\"", i ? "," : "", d->sources.items[i]);
	cuv_buf_add_str(b, "],");
	add_string(b, d->system, strlen(d->system));
	cuv_buf_add_char(b, ',');
	add_string(b, d->builder, strlen(d->builder));
	cuv_buf_add_str(b, ",[");
	for (size_t i = 0; i < d->args.n; i++) {
		if (i)
			cuv_buf_add_char(b, ',');
		add_string(b, d->args.items[i], strlen(d->args.items[i]));
	}
	cuv_buf_add_str(b, "],[");
	add_env(b, d);
	cuv_buf_add_str(b, "])");
	return cuv_buf_err(b);
}

int cuv_derivation_text(const struct cuv_derivation *d, struct cuv_buf *out)
{
	char path[CUV_STORE_PATH_SIZE];

	cuv_store_path(d->self.out, path);
	return add_text(out, d, path, add_drvs);
}

/* --- what follows from it --- */

static int modulo(const struct cuv_derivation *d, const char *out, struct cuv_sha256 *ret)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(TEXT_MAX);
	int r = add_text(&b, d, out, add_modulos);

	if (r < 0)
		return r;
	cuv_sha256(b.data, b.len, ret);
	return 0;
}

/* Inputs are sorted by their modulos. */
static int find_output(struct cuv_derivation *d)
{
	char path[CUV_STORE_PATH_SIZE];
	struct cuv_sha256 hash;
	int r;

	if (d->output != CUV_OUTPUT_FREE) {
		bool recursive = d->output == CUV_OUTPUT_RECURSIVE;

		if ((r = cuv_storepath_fixed(recursive, &d->output_hash, d->name, d->self.out)) < 0 ||
		    (r = cuv_modulo_fixed(recursive, &d->output_hash, d->name, &d->self.modulo)) < 0)
			return r;
		cuv_store_path(d->self.out, path);
		return cuv_strv_addf(&d->env, "out=%s", path);
	}
	if ((r = cuv_strv_add(&d->env, "out=")) < 0)
		return r;
	sort_strings(&d->env, compare_variables);
	if ((r = modulo(d, "", &hash)) < 0 || (r = cuv_storepath_make("output:out", &hash, d->name, d->self.out)) < 0)
		return r;
	cuv_store_path(d->self.out, path);
	for (size_t i = 0; i < d->env.n; i++) {
		char *variable;

		if (strcmp(d->env.items[i], "out=") != 0)
			continue;
		if (asprintf(&variable, "out=%s", path) < 0)
			return -ENOMEM;
		free(d->env.items[i]);
		d->env.items[i] = variable;
	}
	return modulo(d, path, &d->self.modulo);
}

/* The .drv file is a text that refers to its sources and to its inputs' .drv files. */
static int find_drv(struct cuv_derivation *d)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(TEXT_MAX);
	_cleanup_strv_ struct cuv_strv refs = CUV_STRV_INIT;
	char name[CUV_STORE_NAME_SIZE];
	int r = cuv_derivation_text(d, &text);

	for (size_t i = 0; r == 0 && i < d->sources.n; i++)
		r = cuv_strv_add(&refs, d->sources.items[i]);
	for (size_t i = 0; r == 0 && i < d->n_inputs; i++)
		if (!is_repeated(d, i, compare_drvs))
			r = cuv_strv_add(&refs, d->inputs[i].drv);
	if (r < 0)
		return r;
	sort_strings(&refs, compare_strings);
	if ((size_t)snprintf(name, sizeof(name), "%s.drv", d->name) >= sizeof(name))
		return -EINVAL;
	return cuv_storepath_text(text.data, text.len, name, &refs, d->self.drv);
}

int cuv_derivation_finish(struct cuv_derivation *d)
{
	int r;

	sort_strings(&d->sources, compare_strings);
	sort_inputs(d, compare_modulos);
	if ((r = find_output(d)) < 0)
		return r;
	sort_strings(&d->env, compare_variables);
	sort_inputs(d, compare_drvs);
	return find_drv(d);
}
