/* SPDX-License-Identifier: MIT */
#include "lib/proto/glob.h"

#include "lib/proto/bundle.h"

#include <string.h>

/* One component, which is not closed by a NUL. */
struct part {
	const char *at;
	size_t len;
};

static struct part first(const char *path)
{
	return (struct part){.at = path, .len = strcspn(path, "/")};
}

static const char *rest(const char *path)
{
	path += strcspn(path, "/");
	return *path ? path + 1 : path;
}

static bool is_any_depth(struct part p)
{
	return p.len == 2 && p.at[0] == '*' && p.at[1] == '*';
}

/* Length of "[…]" at the begin of p, 0 when it is not closed. A ']' that comes first is
 * one of the set. */
static size_t set_len(struct part p)
{
	size_t i = 1;

	if (i < p.len && p.at[i] == '!')
		i++;
	if (i < p.len && p.at[i] == ']')
		i++;
	while (i < p.len && p.at[i] != ']')
		i++;
	return i < p.len ? i + 1 : 0;
}

static bool in_set(const char *set, size_t len, unsigned char c)
{
	size_t i = 1, end = len - 1;
	bool not = set[i] == '!', found = false;

	if (not )
		i++;
	while (i < end) {
		unsigned char low = (unsigned char)set[i], high = low;

		if (i + 2 < end && set[i + 1] == '-') {
			high = (unsigned char)set[i + 2];
			i += 2;
		}
		found = found || (c >= low && c <= high);
		i++;
	}
	return found != not ;
}

/* What one element of p, which is no star, takes: its own length, 0 when c is not it. */
static size_t match_one(struct part p, unsigned char c)
{
	size_t len;

	if (p.at[0] == '?')
		return 1;
	if (p.at[0] != '[')
		return p.at[0] == (char)c;
	len = set_len(p);
	return in_set(p.at, len, c) ? len : 0;
}

static struct part skip(struct part p, size_t n)
{
	return (struct part){.at = p.at + n, .len = p.len - n};
}

/* The last star alone is tried again: what an earlier one took need not be undone. */
static bool match_part(struct part p, struct part name)
{
	struct part star = {0}, retry = {0};

	if (name.len > 0 && name.at[0] == '.' && (p.len == 0 || p.at[0] != '.'))
		return false;
	while (name.len > 0) {
		size_t n = p.len > 0 && p.at[0] != '*' ? match_one(p, (unsigned char)name.at[0]) : 0;

		if (p.len > 0 && p.at[0] == '*') {
			star = p = skip(p, 1);
			retry = name;
		} else if (n > 0) {
			p = skip(p, n);
			name = skip(name, 1);
		} else if (retry.at) {
			p = star;
			name = retry = skip(retry, 1);
		} else {
			return false;
		}
	}
	while (p.len > 0 && p.at[0] == '*')
		p = skip(p, 1);
	return p.len == 0;
}

/* The components of the pattern that can be next, as bits, are followed through those of
 * the path. Bit i: i of them are used up. */
static uint32_t follow(const char *pattern, const char *path)
{
	struct part parts[CUV_BUNDLE_DEPTH_MAX];
	uint32_t now = 1;
	size_t n = 0, i;

	for (; *pattern && n < CUV_BUNDLE_DEPTH_MAX; pattern = rest(pattern))
		parts[n++] = first(pattern);
	for (; *path && now; path = rest(path)) {
		const struct part name = first(path);
		uint32_t next = 0;

		for (i = 0; i < n; i++) {
			if (!(now & 1u << i))
				continue;
			if (is_any_depth(parts[i])) {
				now |= 2u << i; /* for none */
				next |= name.at[0] != '.' ? 1u << i : 0;
			} else if (match_part(parts[i], name)) {
				next |= 2u << i;
			}
		}
		now = next;
	}
	return now;
}

static size_t count(const char *pattern, bool *ret_deep)
{
	size_t n = 0;

	*ret_deep = false;
	for (; *pattern; pattern = rest(pattern), n++)
		*ret_deep = is_any_depth(first(pattern));
	return n;
}

bool cuv_glob_match(const char *pattern, const char *path)
{
	bool deep; /* ends in `**`, which stands for files too */
	const size_t n = count(pattern, &deep);

	return follow(pattern, path) & (1u << n | (deep ? 1u << (n - 1) : 0));
}

bool cuv_glob_enters(const char *pattern, const char *folder)
{
	bool deep;
	const size_t n = count(pattern, &deep);

	return follow(pattern, folder) & ((1u << n) - 1);
}

bool cuv_glob_valid(const char *pattern)
{
	const size_t len = strnlen(pattern, CUV_GLOB_SIZE);

	if (len >= CUV_GLOB_SIZE || !cuv_bundle_name_valid(pattern, len))
		return false;
	for (const char *p = pattern; *p; p = rest(p))
		for (struct part c = first(p); c.len > 0;) {
			const size_t n = c.at[0] == '[' ? set_len(c) : 1;

			if (n == 0)
				return false;
			c = skip(c, n);
		}
	return true;
}
