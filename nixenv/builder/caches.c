/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/caches.h"

#include "lib/base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char blanks[] = " \t\n";

void cuv_caches_done(struct cuv_caches *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->items[i].url);
	*c = (struct cuv_caches){0};
}

static int no_memory(struct cuv_error *err)
{
	return cuv_error_set(err, CUV_E_UNAVAILABLE, "out of memory");
}

/* The address without what must not stand behind it, and with a '/' in the end. */
static char *folder_of(const struct cuv_url *u)
{
	size_t len = strcspn(u->bare, "?#");
	char *ret = NULL;

	while (len > 0 && u->bare[len - 1] == '/')
		len--;
	return asprintf(&ret, "%.*s/", (int)len, u->bare) < 0 ? NULL : ret;
}

static int add_address(const char *word, size_t number, struct cuv_access *access, struct cuv_caches *c,
		       struct cuv_error *err)
{
	_cleanup_url_ struct cuv_url url = {0};
	int r = cuv_url_parse(word, &url);

	if (r == -EINVAL)
		return cuv_error_set(err, CUV_E_UNAVAILABLE,
				     "CUVETTE_CACHES: word %zu is neither an http or https address nor a key, such as "
				     "example-1:base64",
				     number);
	if (c->n >= CUV_CACHES_MAX)
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "CUVETTE_CACHES: there are more than %d caches",
				     CUV_CACHES_MAX);
	if (r < 0 || !(c->items[c->n].url = folder_of(&url)))
		return no_memory(err);
	c->n++;
	return cuv_access_add_cache(access, word) < 0 ? no_memory(err) : 0;
}

static int add_word(const char *word, size_t number, struct cuv_access *access, struct cuv_caches *c,
		    struct cuv_error *err)
{
	struct cuv_trusted_cache *last = c->n ? &c->items[c->n - 1] : NULL;
	struct cuv_cache_key key;

	if (cuv_cache_key_parse(word, &key) < 0) {
		if (last && last->n_keys == 0)
			return cuv_error_set(err, CUV_E_UNAVAILABLE,
					     "CUVETTE_CACHES: word %zu should be a public key of %s, such as "
					     "example-1:base64",
					     number, last->url);
		return add_address(word, number, access, c, err);
	}
	if (!last)
		return cuv_error_set(err, CUV_E_UNAVAILABLE,
				     "CUVETTE_CACHES: it begins with a key; first comes the address of its cache");
	if (last->n_keys >= CUV_CACHE_KEYS_MAX)
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "CUVETTE_CACHES: %s has more than %d keys", last->url,
				     CUV_CACHE_KEYS_MAX);
	last->keys[last->n_keys++] = key;
	return 0;
}

int cuv_caches_read(const char *text, struct cuv_access *access, struct cuv_caches *ret, struct cuv_error *err)
{
	_cleanup_(cuv_caches_done) struct cuv_caches c = {0};
	size_t number = 0;

	while (text && *(text += strspn(text, blanks))) {
		size_t len = strcspn(text, blanks);
		_cleanup_free_ char *word = strndup(text, len);

		if (!word)
			return no_memory(err);
		if (add_word(word, ++number, access, &c, err) < 0)
			return -EINVAL;
		text += len;
	}
	if (c.n && c.items[c.n - 1].n_keys == 0)
		return cuv_error_set(err, CUV_E_UNAVAILABLE,
				     "CUVETTE_CACHES: %s has no public key behind it; nothing is taken unsigned",
				     c.items[c.n - 1].url);
	*ret = c;
	c = (struct cuv_caches){0};
	return 0;
}
