/* SPDX-License-Identifier: MIT */
#include "nixenv/requirements_option.h"

#include "nixenv/pep508.h"

#include <errno.h>
#include <string.h>

enum handling {
	IGNORED,
	IGNORED_WITH_VALUE,
	INCLUDE,
	CONSTRAIN,
	INDEX,
	EXTRA_INDEX,
	REFUSED,
};

static const char editable_advice[] = "local projects are not built; name a version from the index, as in name==1.2.3";
static const char index_advice[] = "packages come from the service's own index; remove this line";
static const char wheel_advice[] =
	"a wheel is taken wherever one fits, and built from source where none does; remove this line";
static const char hash_advice[] = "hashes are checked wherever a line has --hash; remove this line";
static const char build_advice[] = "source distributions are built with their own settings only; remove it";

static const struct option {
	const char *name;
	char letter; /* of the short form, NUL for none */
	enum handling handling;
	const char *text; /* why nothing is lost, or what to do instead */
} options[] = {
	{"--pre", 0, IGNORED, "pre-releases are taken where a specifier names one, as in name>=2.0rc1"},
	{"--prefer-binary", 0, IGNORED, "a wheel is taken wherever one fits anyway"},
	{"--trusted-host", 0, IGNORED_WITH_VALUE, "packages come from the service's own index"},
	{"--use-feature", 0, IGNORED_WITH_VALUE, "it is about pip, which is not used"},
	{"--requirement", 'r', INCLUDE, NULL},
	{"--constraint", 'c', CONSTRAIN, NULL},
	{"--editable", 'e', REFUSED, editable_advice},
	{"--index-url", 'i', INDEX, NULL},
	{"--extra-index-url", 0, EXTRA_INDEX, NULL},
	{"--find-links", 'f', REFUSED, index_advice},
	{"--no-index", 0, REFUSED, index_advice},
	{"--no-binary", 0, REFUSED, wheel_advice},
	{"--only-binary", 0, REFUSED, wheel_advice},
	{"--require-hashes", 0, REFUSED, hash_advice},
	{"--config-settings", 0, REFUSED, build_advice},
	{"--config-setting", 0, REFUSED, build_advice},
	{"--global-option", 0, REFUSED, build_advice},
	{"--install-option", 0, REFUSED, build_advice},
	{"--build-option", 0, REFUSED, build_advice},
};

static const struct algorithm {
	const char *name;
	size_t hex_len;
} algorithms[] = {{"sha256", 64}, {"sha384", 96}, {"sha512", 128}};

static bool is_value_char(char c)
{
	return c && !cuv_is_blank(c);
}

/* The option's word up to a blank or `=`; the cursor moves behind it. */
static size_t read_word(struct cuv_scan *s)
{
	size_t start = s->pos;

	while (is_value_char(cuv_scan_peek(s)) && cuv_scan_peek(s) != '=')
		s->pos++;
	return s->pos - start;
}

static const struct option *find_option(const char *word, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const struct option *o = &options[i];

		if (strlen(o->name) == len && memcmp(o->name, word, len) == 0)
			return o;
		/* A short form may have its value attached: -rother.txt. */
		if (o->letter && len >= 2 && word[1] == o->letter)
			return o;
	}
	return NULL;
}

/* The value after `=` or blanks; *ret_len is 0 when there is none. */
static size_t read_value(struct cuv_scan *s, size_t *ret_len)
{
	size_t start;

	if (!cuv_scan_eat(s, "="))
		cuv_scan_skip_blanks(s);
	start = s->pos;
	while (is_value_char(cuv_scan_peek(s)))
		s->pos++;
	*ret_len = s->pos - start;
	return start;
}

static int no_option(struct cuv_scan *s, size_t start, size_t len)
{
	if (len == strlen("--hash") && memcmp(s->text + start, "--hash", len) == 0)
		return cuv_scan_fail(
			s, start, CUV_E_REQUIREMENT_INVALID,
			"--hash follows a requirement on the same line, as in name==1.2.3 --hash=sha256:…");
	return cuv_scan_fail(s, start, CUV_E_REQUIREMENT_UNSUPPORTED,
			     "the option `%.*s` is not served; a line holds one requirement, like name==1.2.3, and "
			     "--hash is the only option it may have",
			     CUV_SCAN_SHOWN(len), s->text + start);
}

int cuv_option_parse(struct cuv_scan *s, struct cuv_requirements_option *ret)
{
	static const enum cuv_option_kind kinds[] = {
		[IGNORED_WITH_VALUE] = CUV_OPTION_IGNORED, [INCLUDE] = CUV_OPTION_REQUIREMENT,
		[CONSTRAIN] = CUV_OPTION_CONSTRAINT,	   [INDEX] = CUV_OPTION_INDEX,
		[EXTRA_INDEX] = CUV_OPTION_EXTRA_INDEX,
	};
	size_t start = s->pos, len = read_word(s);
	const struct option *o = find_option(s->text + start, len);
	bool is_short = len < 2 || s->text[start + 1] != '-';

	if (!o)
		return no_option(s, start, len);
	/* What is attached to a short form is not repeated: it may hold a password. */
	if (o->handling == REFUSED)
		return cuv_scan_fail(s, start, CUV_E_REQUIREMENT_UNSUPPORTED, "the option `%.*s` is not served: %s",
				     is_short ? 2 : (int)strlen(o->name), s->text + start, o->text);
	if (o->handling == IGNORED && cuv_scan_peek(s) == '=')
		return cuv_scan_fail(s, s->pos, CUV_E_REQUIREMENT_INVALID, "`%s` takes no value", o->name);
	*ret = (struct cuv_requirements_option){.name = o->name, .reason = o->text};
	if (o->handling == IGNORED)
		return 0;
	ret->kind = kinds[o->handling];
	if (is_short && len > 2)
		s->pos = start + 2; /* -rother.txt */
	ret->value_at = read_value(s, &ret->value_len);
	if (ret->value_len == 0)
		return cuv_scan_fail(s, s->pos, CUV_E_REQUIREMENT_INVALID, "`%s` needs a value", o->name);
	return 0;
}

static const struct algorithm *find_algorithm(const char *value, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++)
		if (strlen(algorithms[i].name) == len && memcmp(algorithms[i].name, value, len) == 0)
			return &algorithms[i];
	return NULL;
}

static bool is_hex(char c)
{
	return cuv_is_digit(c) || (cuv_lower(c) >= 'a' && cuv_lower(c) <= 'f');
}

bool cuv_hash_is_algorithm(const char *name, size_t len)
{
	return find_algorithm(name, len) != NULL;
}

int cuv_hash_add(struct cuv_scan *s, size_t name_at, size_t name_len, size_t hex_at, size_t hex_len,
		 struct cuv_strv *hashes)
{
	const struct algorithm *algorithm = find_algorithm(s->text + name_at, name_len);
	size_t digits = 0;
	int r;

	if (!algorithm)
		return cuv_scan_fail(s, name_at, CUV_E_REQUIREMENT_UNSUPPORTED,
				     "the hash algorithm `%.*s` is not served; use sha256, sha384 or sha512",
				     CUV_SCAN_SHOWN(name_len), s->text + name_at);
	while (digits < hex_len && is_hex(s->text[hex_at + digits]))
		digits++;
	if (digits != hex_len || digits != algorithm->hex_len)
		return cuv_scan_fail(s, hex_at, CUV_E_REQUIREMENT_INVALID,
				     "a %s hash has exactly %zu hexadecimal digits", algorithm->name,
				     algorithm->hex_len);
	if (hashes->n >= CUV_HASHES_MAX)
		return cuv_scan_fail(s, name_at, CUV_E_TOO_LARGE, "a requirement may have at most %d hashes",
				     CUV_HASHES_MAX);
	r = cuv_strv_addf(hashes, "%s:%.*s", algorithm->name, (int)hex_len, s->text + hex_at);
	for (char *c = r ? NULL : hashes->items[hashes->n - 1]; c && *c; c++)
		*c = cuv_lower(*c);
	return r;
}

int cuv_option_parse_hash(struct cuv_scan *s, struct cuv_strv *hashes)
{
	size_t start, len, colon = 0;

	(void)cuv_scan_eat(s, "--hash");
	start = read_value(s, &len);
	while (colon < len && s->text[start + colon] != ':')
		colon++;
	if (colon == len)
		return cuv_scan_fail(s, start, CUV_E_REQUIREMENT_INVALID,
				     "a hash reads --hash=sha256: and 64 hexadecimal digits");
	return cuv_hash_add(s, start, colon, start + colon + 1, len - colon - 1, hashes);
}
