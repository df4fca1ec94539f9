/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/access.h"

#include "nixenv/toml.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_LEN 64

void cuv_access_done(struct cuv_access *a)
{
	for (size_t i = 0; i < a->n; i++) {
		cuv_url_done(&a->places[i].url);
		free(a->places[i].index);
	}
	free(a->places);
	for (size_t i = 0; i < a->n_open; i++)
		cuv_url_done(&a->open[i]);
	free(a->open);
	*a = (struct cuv_access){0};
}

/* --- reading --- */

/* The variable of a named index, as uv spells it; NULL when it is not set. */
static const char *index_variable(const char *name, size_t len, const char *which)
{
	char variable[NAME_MAX_LEN + 24] = "UV_INDEX_";
	size_t n = strlen(variable);

	if (len == 0 || len > NAME_MAX_LEN)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		else if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9'))
			c = '_';
		variable[n++] = c;
	}
	(void)snprintf(variable + n, sizeof(variable) - n, "_%s", which);
	return getenv(variable);
}

static int replace(char **text, const char *with)
{
	char *copy = strdup(with);

	if (!copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

/* What an address on a list is: an index, the default one, what only has files, an origin for users. */
enum kind { INDEX, STANDARD, FOLDER, ORIGIN };

/* The resolver's list of indexes is parted by blanks. */
static char *spell(const char *name, size_t name_len, const char *address)
{
	char *ret;

	if (address[strcspn(address, " \t\n,")])
		return NULL;
	return asprintf(&ret, "%.*s%s%s", (int)name_len, name, name_len ? "=" : "", address) < 0 ? NULL : ret;
}

static int add(struct cuv_access *a, const char *name, size_t name_len, const char *address, enum kind kind)
{
	_cleanup_url_ struct cuv_url url = {0};
	const char *user = index_variable(name, name_len, "USERNAME");
	const char *password = index_variable(name, name_len, "PASSWORD");
	struct cuv_place *more;
	int r = cuv_url_parse(address, &url);

	/* A folder, or nothing that we could fetch from. */
	a->unknown =
		a->unknown || a->n >= CUV_ACCESS_ORIGINS_MAX || (r == -EINVAL && strncasecmp(address, "http", 4) == 0);
	if (r == -EINVAL || a->n >= CUV_ACCESS_ORIGINS_MAX)
		return 0;
	if (r < 0 || (user && (r = replace(&url.user, user)) < 0) ||
	    (password && (r = replace(&url.password, password)) < 0))
		return r;
	more = reallocarray(a->places, a->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	a->places = more;
	a->places[a->n++] = (struct cuv_place){
		.url = url,
		.listed = kind == ORIGIN,
		.standard = kind == STANDARD,
		.index = kind == INDEX || kind == STANDARD ? spell(name, name_len, address) : NULL,
	};
	url = (struct cuv_url){0};
	return 0;
}

/* "name=address" or an address. */
static int add_named(struct cuv_access *a, const char *text, enum kind kind)
{
	size_t n = strcspn(text, "=");
	bool named = n < strcspn(text, ":/") && text[n] == '=';

	return add(a, text, named ? n : 0, named ? text + n + 1 : text, kind);
}

static int add_list(struct cuv_access *a, const char *variable, enum kind kind)
{
	static const char separators[] = ", \t\n";
	const char *list = getenv(variable);
	int r = 0;

	while (r == 0 && list && *(list += strspn(list, separators))) {
		size_t n = strcspn(list, separators);
		_cleanup_free_ char *word = strndup(list, n);

		r = word ? add_named(a, word, kind) : -ENOMEM;
		list += n;
	}
	return r;
}

/* A text, or a list of texts. */
static int add_json(struct cuv_access *a, json_t *value, enum kind kind)
{
	json_t *item;
	size_t i;
	int r = 0;

	if (json_is_string(value))
		return add(a, "", 0, json_string_value(value), kind);
	json_array_foreach(value, i, item)
	{
		if (r == 0 && json_is_string(item))
			r = add(a, "", 0, json_string_value(item), kind);
	}
	return r;
}

static int add_table(struct cuv_access *a, json_t *table)
{
	static const char *const keys[] = {"index-url", "extra-index-url", "find-links"};
	static const enum kind kinds[] = {STANDARD, INDEX, FOLDER};
	json_t *item;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < ARRAY_SIZE(keys); i++)
		r = add_json(a, json_object_get(table, keys[i]), kinds[i]);
	json_array_foreach(json_object_get(table, "index"), i, item)
	{
		const char *url = json_string_value(json_object_get(item, "url"));
		const char *name = json_string_value(json_object_get(item, "name"));
		const char *format = json_string_value(json_object_get(item, "format"));

		if (r == 0 && url)
			r = add(a, name ? name : "", name ? strlen(name) : 0, url,
				format && strcmp(format, "simple") != 0		 ? FOLDER
				: json_is_true(json_object_get(item, "default")) ? STANDARD
										 : INDEX);
	}
	return r;
}

static int add_config(struct cuv_access *a, const char *text, size_t len, uint32_t *ret_line)
{
	json_auto_t *root = NULL;
	struct cuv_toml_error err = {0};
	int r = cuv_toml_parse(text, len, &root, &err);

	if (r < 0) {
		*ret_line = err.line;
		return r;
	}
	r = add_table(a, root);
	return r < 0 ? r : add_table(a, json_object_get(root, "pip"));
}

static int add_open(struct cuv_access *a)
{
	static const char separators[] = ", \t\n";
	const char *list = getenv("CUVETTE_PUBLIC_INDEXES");
	int r = 0;

	while (r == 0 && list && *(list += strspn(list, separators)) && a->n_open < CUV_ACCESS_ORIGINS_MAX) {
		size_t n = strcspn(list, separators);
		_cleanup_free_ char *word = strndup(list, n);
		struct cuv_url *more = reallocarray(a->open, a->n_open + 1, sizeof(*more));

		if (more)
			a->open = more;
		if (!word || !more)
			return -ENOMEM;
		r = cuv_url_parse(word, &a->open[a->n_open]);
		a->n_open += r == 0;
		/* What is no address makes nothing public. */
		r = r == -EINVAL ? 0 : r;
		list += n;
	}
	return r;
}

int cuv_access_read(const char *uv_config, size_t len, struct cuv_access *ret, uint32_t *ret_line)
{
	static const struct {
		const char *name;
		enum kind kind;
	} variables[] = {{"UV_DEFAULT_INDEX", STANDARD},
			 {"UV_INDEX", INDEX},
			 {"UV_INDEX_URL", STANDARD},
			 {"UV_EXTRA_INDEX_URL", INDEX},
			 {"CUVETTE_INDEXES", INDEX}};
	_cleanup_(cuv_access_done) struct cuv_access a = {0};
	int r = add_list(&a, "CUVETTE_TRUSTED_ORIGINS", ORIGIN);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(variables); i++)
		r = add_list(&a, variables[i].name, variables[i].kind);
	if (r == 0)
		r = add_open(&a);
	if (r == 0)
		r = add_list(&a, "UV_FIND_LINKS", FOLDER);
	if (r == 0 && len > 0)
		r = add_config(&a, uv_config, len, ret_line);
	if (r < 0 && r != -EINVAL)
		return r;
	*ret = a;
	a = (struct cuv_access){0};
	return r;
}

int cuv_access_add_cache(struct cuv_access *a, const char *address)
{
	size_t before = a->n;
	int r = add(a, "", 0, address, FOLDER);

	if (a->n > before)
		a->places[before].cache = true;
	return r;
}

/* --- asking --- */

static size_t without_slashes(const char *path)
{
	size_t len = strlen(path);

	while (len > 0 && path[len - 1] == '/')
		len--;
	return len;
}

static bool is_same_place(const struct cuv_url *a, const struct cuv_url *b)
{
	size_t len = without_slashes(a->path);

	return cuv_site_same(&a->site, &b->site) && without_slashes(b->path) == len &&
	       memcmp(a->path, b->path, len) == 0;
}

bool cuv_access_open(const struct cuv_access *a, const struct cuv_url *u)
{
	for (size_t i = 0; i < a->n_open; i++)
		if (is_same_place(&a->open[i], u))
			return true;
	return false;
}

const char *cuv_access_index(const struct cuv_access *a, const struct cuv_url *u)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct cuv_place *p = &a->places[i];

		if (p->index && is_same_place(&p->url, u) && !strchr(p->url.bare, '?'))
			return p->index;
	}
	return NULL;
}

bool cuv_access_has(const struct cuv_access *a, const struct cuv_site *o)
{
	for (size_t i = 0; i < a->n; i++)
		if (cuv_site_same(&a->places[i].url.site, o))
			return true;
	return false;
}

bool cuv_access_listed(const struct cuv_access *a, const struct cuv_site *o)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->places[i].listed && cuv_site_same(&a->places[i].url.site, o))
			return true;
	return false;
}

static size_t common_start(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	return n;
}

const struct cuv_place *cuv_access_credentials(const struct cuv_access *a, const struct cuv_url *u)
{
	const struct cuv_place *best = NULL;
	size_t best_len = 0;

	for (size_t i = 0; i < a->n; i++) {
		const struct cuv_place *p = &a->places[i];
		size_t len;

		if ((!p->url.user && !p->url.password) || !cuv_site_same(&p->url.site, &u->site))
			continue;
		len = common_start(p->url.path, u->path);
		if (!best || len > best_len) {
			best = p;
			best_len = len;
		}
	}
	return best;
}
