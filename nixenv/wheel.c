/* SPDX-License-Identifier: MIT */
#include "nixenv/wheel.h"

#include "lib/base/parse.h"

#include <errno.h>
#include <string.h>

#define ABI3_MINOR_MIN 2

/* Classes of (python, abi) as 3.11 has them, best first; a rank is class * PLATFORMS + platform. */
enum {
	CLASS_OWN = 0,	    /* cp311-cp311 */
	CLASS_OWN_ABI3 = 1, /* cp311-abi3 */
	CLASS_OWN_NONE = 2, /* cp311-none, bound to a platform */
	CLASS_ABI3 = 3,	    /* cp310-abi3 down to cp32-abi3 */
	CLASS_PY = 20,	    /* py311, py3, py310 …-none, bound to a platform */
	CLASS_OWN_ANY = 40, /* cp311-none-any */
	CLASS_PY_ANY = 41,  /* py311, py3, py310 …-none-any */
};
#define PLATFORM_ANY 0
#define PLATFORM_LINUX 200 /* linux_x86_64: says nothing of the C library */
#define PLATFORMS 256

static bool part_is(const struct cuv_wheel_part *p, const char *text)
{
	return p->len == strlen(text) && memcmp(p->at, text, p->len) == 0;
}

int cuv_wheel_parse(const char *file, struct cuv_wheel *ret)
{
	static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+!-";
	struct cuv_wheel_part parts[6] = {{0}};
	size_t len = strlen(file), n = 0;
	const char *at = file;

	if (len <= 4 || len > CUV_WHEEL_FILE_MAX || strcmp(file + len - 4, ".whl") != 0)
		return -EINVAL;
	if (strspn(file, chars) != len || strspn(file, "._+!-") != 0)
		return -EINVAL;
	len -= 4;
	while (n < ARRAY_SIZE(parts)) {
		size_t left = len - (size_t)(at - file);
		const char *dash = memchr(at, '-', left);
		size_t part = dash ? (size_t)(dash - at) : left;

		if (part == 0)
			return -EINVAL;
		parts[n++] = (struct cuv_wheel_part){at, part};
		if (!dash)
			break;
		at = dash + 1;
		if (n == ARRAY_SIZE(parts))
			return -EINVAL;
	}
	if (n < 5)
		return -EINVAL;
	/* A build tag begins with a digit. */
	if (n == 6 && !(parts[2].at[0] >= '0' && parts[2].at[0] <= '9'))
		return -EINVAL;
	*ret = (struct cuv_wheel){
		.name = parts[0],
		.version = parts[1],
		.build = n == 6 ? parts[2] : (struct cuv_wheel_part){parts[2].at, 0},
		.python = parts[n - 3],
		.abi = parts[n - 2],
		.platform = parts[n - 1],
	};
	return 0;
}

/* Takes the next of a set of tags ("py2.py3"); false at its end. */
static bool next_tag(struct cuv_wheel_part *rest, struct cuv_wheel_part *ret)
{
	const char *dot;

	if (rest->len == 0)
		return false;
	dot = memchr(rest->at, '.', rest->len);
	ret->at = rest->at;
	ret->len = dot ? (size_t)(dot - rest->at) : rest->len;
	rest->at += ret->len + (dot ? 1 : 0);
	rest->len -= ret->len + (dot ? 1 : 0);
	return true;
}

/* The number that the tag is after prefix, -1 when it is not prefix + number. */
static int tag_number(const struct cuv_wheel_part *tag, const char *prefix)
{
	size_t n = strlen(prefix);
	char digits[8];
	uint64_t value;

	if (tag->len <= n || tag->len - n >= sizeof(digits) || memcmp(tag->at, prefix, n) != 0)
		return -1;
	memcpy(digits, tag->at + n, tag->len - n);
	digits[tag->len - n] = '\0';
	return cuv_parse_u64(digits, 9999, &value) == 0 ? (int)value : -1;
}

static int glibc_rank(const struct cuv_python *p, int minor)
{
	return minor >= 5 && minor <= p->glibc_minor ? (p->glibc_minor - minor + 1) * 2 : -ENOENT;
}

/* Best first, PLATFORM_ANY for "any"; -ENOENT. The old names rank just behind
 * the new ones that mean the same. */
static int rank_platform(const struct cuv_python *p, const struct cuv_wheel_part *tag)
{
	static const char suffix[] = "_x86_64";
	struct cuv_wheel_part base = *tag;

	if (part_is(tag, "any"))
		return PLATFORM_ANY;
	if (tag->len <= strlen(suffix) || memcmp(tag->at + tag->len - strlen(suffix), suffix, strlen(suffix)) != 0)
		return -ENOENT;
	base.len -= strlen(suffix);
	if (part_is(&base, "linux"))
		return PLATFORM_LINUX;
	if (part_is(&base, "manylinux2014"))
		return glibc_rank(p, 17) + 1;
	if (part_is(&base, "manylinux2010"))
		return glibc_rank(p, 12) + 1;
	if (part_is(&base, "manylinux1"))
		return glibc_rank(p, 5) + 1;
	return glibc_rank(p, tag_number(&base, "manylinux_2_"));
}

/* Of 3.11: 0 for py311, 1 for py3, 2 for py310 and so on down to py30; -ENOENT. */
static int rank_pure(const struct cuv_python *p, const struct cuv_wheel_part *python)
{
	int n = tag_number(python, "py");

	if (n == 3)
		return 1;
	if (n == 300 + p->minor)
		return 0;
	if (n >= 310 && n < 300 + p->minor)
		return 1 + (300 + p->minor - n);
	if (n >= 30 && n <= 39)
		return 1 + p->minor - (n - 30);
	return -ENOENT;
}

static int rank_class(const struct cuv_python *p, const struct cuv_wheel_part *python, const struct cuv_wheel_part *abi,
		      bool any)
{
	bool none = part_is(abi, "none"), own = tag_number(python, "cp") == 300 + p->minor;
	int r, minor;

	if (none && own)
		return any ? CLASS_OWN_ANY : CLASS_OWN_NONE;
	if (none) {
		r = rank_pure(p, python);
		return r < 0 ? r : r + (any ? CLASS_PY_ANY : CLASS_PY);
	}
	if (any)
		return -ENOENT;
	if (own && tag_number(abi, "cp") == 300 + p->minor)
		return CLASS_OWN;
	if (!part_is(abi, "abi3"))
		return -ENOENT;
	if (own)
		return CLASS_OWN_ABI3;
	minor = tag_number(python, "cp3");
	if (minor < ABI3_MINOR_MIN || minor >= p->minor)
		return -ENOENT;
	return CLASS_ABI3 + p->minor - 1 - minor;
}

int cuv_wheel_rank(const struct cuv_wheel *w, const struct cuv_python *target)
{
	struct cuv_wheel_part pythons = w->python, python;
	int best = -ENOENT;

	while (next_tag(&pythons, &python)) {
		struct cuv_wheel_part abis = w->abi, abi;

		while (next_tag(&abis, &abi)) {
			struct cuv_wheel_part platforms = w->platform, platform;

			while (next_tag(&platforms, &platform)) {
				int p = rank_platform(target, &platform);
				int c = p < 0 ? p : rank_class(target, &python, &abi, p == PLATFORM_ANY);

				if (c >= 0 && (best < 0 || c * PLATFORMS + p < best))
					best = c * PLATFORMS + p;
			}
		}
	}
	return best;
}

static int compare_parts(const struct cuv_wheel_part *a, const struct cuv_wheel_part *b)
{
	int r = memcmp(a->at, b->at, CUV_MIN(a->len, b->len));

	return r ? r : (a->len > b->len) - (a->len < b->len);
}

/* The number that a build tag begins with; none counts as -1. */
static int64_t build_number(const struct cuv_wheel_part *p)
{
	int64_t n = p->len ? 0 : -1;

	for (size_t i = 0; i < p->len && i < 15 && p->at[i] >= '0' && p->at[i] <= '9'; i++)
		n = n * 10 + (p->at[i] - '0');
	return n;
}

bool cuv_wheel_better(const struct cuv_wheel *a, int ra, const struct cuv_wheel *b, int rb)
{
	int64_t na = build_number(&a->build), nb = build_number(&b->build);
	int r;

	if (ra != rb)
		return ra < rb;
	if (na != nb)
		return na > nb;
	/* Equally good: the order must still be the same everywhere. */
	if ((r = compare_parts(&a->build, &b->build)) != 0)
		return r > 0;
	if ((r = compare_parts(&a->platform, &b->platform)) != 0)
		return r < 0;
	return compare_parts(&a->name, &b->name) < 0;
}

bool cuv_wheel_is_of(const struct cuv_wheel *w, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < w->name.len; i++) {
		char c = w->name.at[i];

		if (c == '_' || c == '.') {
			if (i > 0 && (w->name.at[i - 1] == '_' || w->name.at[i - 1] == '.'))
				continue;
			c = '-';
		} else if (c >= 'A' && c <= 'Z') {
			c = (char)(c | 0x20);
		}
		if (name[n++] != c)
			return false;
	}
	return name[n] == '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int cuv_wheel_file_of_url(const char *url, char ret[CUV_WHEEL_FILE_MAX + 1])
{
	size_t end = strcspn(url, "?#"), start = end, n = 0;

	while (start > 0 && url[start - 1] != '/')
		start--;
	for (size_t i = start; i < end; i++) {
		char c = url[i];

		if (c == '%' && i + 2 < end && hex_digit(url[i + 1]) >= 0 && hex_digit(url[i + 2]) >= 0) {
			c = (char)(hex_digit(url[i + 1]) * 16 + hex_digit(url[i + 2]));
			i += 2;
		}
		if (n >= CUV_WHEEL_FILE_MAX || c == '\0')
			return -EINVAL;
		ret[n++] = c;
	}
	ret[n] = '\0';
	return 0;
}
