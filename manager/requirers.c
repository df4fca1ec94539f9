/* SPDX-License-Identifier: MIT */
#include "manager/requirers.h"

#include "lib/base/base.h"
#include "nixenv/pep508.h"
#include "nixenv/requires.h"
#include "nixenv/toml.h"

#include <stdlib.h>
#include <string.h>

/* Extras that ask for extras that ask for extras. */
#define ROUNDS_MAX 32
#define KEY_SIZE (2 * CUV_NAME_LEN_MAX + 3)

/* One requirement: slices of the lock's strings. */
struct edge {
	const char *from;
	struct cuv_required to;
	bool on; /* it hangs on no extra, or on one that was asked for */
};

struct cuv_requirers {
	json_t *lock;
	json_t *asked; /* "name[extra]" that were asked for: an object used as a set */
	struct edge *edges;
	size_t n;
	bool settled;
	bool whole; /* of all packages it is known what they require */
};

void cuv_requirers_free(struct cuv_requirers *w)
{
	if (!w)
		return;
	json_decref(w->lock);
	json_decref(w->asked);
	free(w->edges);
	free(w);
}

/* requires of a package, NULL when it is not known. */
static json_t *requires_of(const json_t *package)
{
	json_t *list = json_object_get(json_object_get(json_object_get(package, "tool"), "cuvette"), "requires");

	return json_is_array(list) ? list : NULL;
}

static bool add_edges(struct cuv_requirers *w, const json_t *package)
{
	const char *name = json_string_value(json_object_get(package, "name"));
	json_t *list = requires_of(package), *item;
	struct edge *more;
	size_t i;

	if (!name || !list) {
		w->whole = false;
		return true;
	}
	more = reallocarray(w->edges, w->n + json_array_size(list) + 1, sizeof(*more));
	if (!more)
		return false;
	w->edges = more;
	json_array_foreach(list, i, item)
	{
		struct edge e = {.from = name};

		if (json_is_string(item) && cuv_requires_split(json_string_value(item), &e.to) == 0)
			w->edges[w->n++] = e;
	}
	return true;
}

struct cuv_requirers *cuv_requirers_read(const char *lock, size_t len)
{
	struct cuv_requirers *w = calloc(1, sizeof(*w));
	json_t *package;
	size_t i;

	if (!w)
		return NULL;
	w->whole = true;
	w->asked = json_object();
	if (len == 0 || !w->asked || cuv_toml_parse(lock, len, &w->lock, NULL) < 0) {
		cuv_requirers_free(w);
		return NULL;
	}
	json_array_foreach(json_object_get(w->lock, "packages"), i, package)
	{
		if (!add_edges(w, package)) {
			cuv_requirers_free(w);
			return NULL;
		}
	}
	return w;
}

static void ask(struct cuv_requirers *w, const char *name, size_t name_len, const char *extra, size_t extra_len)
{
	char key[KEY_SIZE];

	(void)snprintf(key, sizeof(key), "%.*s[%.*s]", (int)name_len, name, (int)extra_len, extra);
	json_object_set_new(w->asked, key, json_true());
}

void cuv_requirers_ask(struct cuv_requirers *w, const char *package, const char *extra)
{
	w->settled = false;
	ask(w, package, strlen(package), extra, strlen(extra));
}

void cuv_requirers_ask_all(struct cuv_requirers *w)
{
	for (size_t i = 0; i < w->n; i++)
		w->edges[i].on = true;
	w->settled = true;
}

static bool is_asked(const struct cuv_requirers *w, const struct edge *e)
{
	char key[KEY_SIZE];

	(void)snprintf(key, sizeof(key), "%s[%.*s]", e->from, (int)e->to.when_len, e->to.when);
	return json_object_get(w->asked, key) != NULL;
}

/* What is on asks for the extras that it names, and may turn others on by that. */
static void settle(struct cuv_requirers *w)
{
	bool more = true;

	for (int round = 0; more && round < ROUNDS_MAX; round++) {
		more = false;
		for (size_t i = 0; i < w->n; i++) {
			struct edge *e = &w->edges[i];
			const char *at = e->to.extras, *end = at + e->to.extras_len;

			if (e->on || (e->to.when && !is_asked(w, e)))
				continue;
			e->on = more = true;
			while (at < end) {
				const char *comma = memchr(at, ',', (size_t)(end - at));
				size_t n = (size_t)((comma ? comma : end) - at);

				ask(w, e->to.name, e->to.name_len, at, n);
				at += n + 1;
			}
		}
	}
	w->settled = true;
}

json_t *cuv_requirers_of(struct cuv_requirers *w, const char *package)
{
	size_t len = strlen(package);
	json_t *ret;

	if (!w || !w->whole)
		return json_null();
	if (!w->settled)
		settle(w);
	ret = json_array();
	for (size_t i = 0; i < w->n; i++) {
		const struct edge *e = &w->edges[i];

		if (!e->on || e->to.name_len != len || memcmp(e->to.name, package, len) != 0 ||
		    strcmp(e->from, package) == 0)
			continue;
		json_array_append_new(ret, e->to.when
						   ? json_sprintf("%s[%.*s]", e->from, (int)e->to.when_len, e->to.when)
						   : json_string(e->from));
	}
	return ret;
}
