/* SPDX-License-Identifier: MIT */
#include "manager/explain.h"

#include "manager/requirers.h"
#include "nixenv/marker_eval.h"

#include <string.h>

/* The version of a package, NULL when it is not there. */
static const char *version_of(const struct cuv_environment *e, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < e->packages.n; i++)
		if (strncmp(e->packages.items[i], name, len) == 0 && e->packages.items[i][len] == ' ')
			return e->packages.items[i] + len + 1;
	return NULL;
}

/* Whether the line counts on this platform. */
static bool counts(const struct cuv_requirement *item, const struct cuv_environment *e)
{
	return cuv_marker_holds(item->marker, e->python);
}

static json_t *line(const struct cuv_requirements *reqs, const struct cuv_requirements_line *l,
		    const struct cuv_environment *e)
{
	const struct cuv_requirement *item = &(l->constraint ? reqs->constraints : reqs->items)[l->item];
	const char *version = version_of(e, item->name), *reason = NULL;

	if (!counts(item, e))
		reason = "its marker is false on this platform";
	else if (!version)
		reason = l->constraint ? "nothing asks for this package" : "it is not in the environment";
	return json_pack("{s:s, s:i, s:s, s:s, s:b, s:s?, s:s?}", "file", reqs->files.items[l->file], "line",
			 (int)l->number, "text", l->text, "package", item->name, "constraint", l->constraint, "version",
			 reason ? NULL : version, "reason", reason);
}

static json_t *lines(const struct cuv_requirements *reqs, const struct cuv_environment *e)
{
	json_t *ret = json_array();

	for (size_t i = 0; i < CUV_MIN(reqs->n_lines, (size_t)CUV_EXPLAIN_LINES_MAX); i++)
		json_array_append_new(ret, line(reqs, &reqs->lines[i], e));
	return ret;
}

static json_t *ignored(const struct cuv_requirements *reqs)
{
	json_t *ret = json_array();

	for (size_t i = 0; i < reqs->n_ignored; i++) {
		const struct cuv_requirements_ignored *g = &reqs->ignored[i];

		json_array_append_new(ret, json_pack("{s:s, s:i, s:s, s:s}", "file", reqs->files.items[g->file], "line",
						     (int)g->line, "what", g->name, "reason", g->reason));
	}
	return ret;
}

/* Which indexes are asked beside, or in place of, the service's own. */
static json_t *indexes(const struct cuv_requirements *reqs)
{
	json_t *ret = json_array();

	for (size_t i = 0; i < reqs->n_indexes; i++) {
		const struct cuv_requirements_index *x = &reqs->indexes[i];

		json_array_append_new(ret, json_pack("{s:s, s:i, s:s, s:s}", "file", reqs->files.items[x->file], "line",
						     (int)x->number, "what",
						     x->extra ? "--extra-index-url" : "--index-url", "url", x->url));
	}
	return ret;
}

static bool is_asked_for(const struct cuv_requirements *reqs, const char *name, size_t len,
			 const struct cuv_environment *e)
{
	for (size_t i = 0; i < reqs->n; i++)
		if (strlen(reqs->items[i].name) == len && memcmp(reqs->items[i].name, name, len) == 0 &&
		    counts(&reqs->items[i], e))
			return true;
	return false;
}

/* Packages that only others asked for. */
static json_t *brought(const struct cuv_requirements *reqs, const struct cuv_environment *e)
{
	json_t *ret = json_array();

	for (size_t i = 0; i < e->packages.n; i++) {
		const char *name = e->packages.items[i];
		size_t len = strcspn(name, " ");

		if (!is_asked_for(reqs, name, len, e))
			json_array_append_new(ret, json_stringn(name, len));
	}
	return ret;
}

/* The lines that ask for a package. */
static json_t *lines_for(const struct cuv_requirements *reqs, const char *name, const struct cuv_environment *e)
{
	json_t *ret = json_array();

	for (size_t i = 0; i < CUV_MIN(reqs->n_lines, (size_t)CUV_EXPLAIN_LINES_MAX); i++) {
		const struct cuv_requirements_line *l = &reqs->lines[i];

		if (!l->constraint && strcmp(reqs->items[l->item].name, name) == 0 && counts(&reqs->items[l->item], e))
			json_array_append_new(ret, json_pack("{s:s, s:i}", "file", reqs->files.items[l->file], "line",
							     (int)l->number));
	}
	return ret;
}

/* What the lines ask for, extras with it. */
static void ask_for_items(struct cuv_requirers *who, const struct cuv_requirements *reqs,
			  const struct cuv_environment *e)
{
	for (size_t i = 0; i < reqs->n; i++)
		for (size_t k = 0; counts(&reqs->items[i], e) && k < reqs->items[i].extras.n; k++)
			cuv_requirers_ask(who, reqs->items[i].name, reqs->items[i].extras.items[k]);
}

/* Each package, and who asked for it. */
static json_t *packages(const struct cuv_requirements *reqs, const struct cuv_environment *e,
			const struct cuv_buf *lock)
{
	struct cuv_requirers *who = NULL;
	json_t *ret = json_array();

	if (e->packages.n > 0)
		who = cuv_requirers_read(lock ? cuv_buf_str(lock) : "", lock ? lock->len : 0);
	if (who)
		ask_for_items(who, reqs, e);
	for (size_t i = 0; i < e->packages.n; i++) {
		_cleanup_free_ char *name = strndup(e->packages.items[i], strcspn(e->packages.items[i], " "));

		if (name)
			json_array_append_new(ret, json_pack("{s:s, s:s?, s:o, s:o}", "name", name, "version",
							     version_of(e, name), "lines", lines_for(reqs, name, e),
							     "required_by", cuv_requirers_of(who, name)));
	}
	cuv_requirers_free(who);
	return ret;
}

json_t *cuv_explain(const struct cuv_requirements *reqs, const struct cuv_environment *e, const struct cuv_buf *lock)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b}", "lines", lines(reqs, e), "ignored", ignored(reqs), "indexes",
			 indexes(reqs), "brought", brought(reqs, e), "packages", packages(reqs, e, lock), "truncated",
			 reqs->n_lines > CUV_EXPLAIN_LINES_MAX);
}
