/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/indexes.h"

#include <errno.h>
#include <string.h>

#define VALUE_MAX (256u * 1024u)

static const char index_list[] = "UV_INDEX=", default_index[] = "UV_DEFAULT_INDEX=", default_old[] = "UV_INDEX_URL=";

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static int no_memory(struct cuv_error *err)
{
	(void)cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	return -ENOMEM;
}

static int find(const struct cuv_settings *s, const struct cuv_requirements *reqs, size_t i, const char **ret,
		struct cuv_error *err)
{
	const struct cuv_requirements_index *x = &reqs->indexes[i];
	_cleanup_url_ struct cuv_url url = {0};
	int r = cuv_url_parse(x->url, &url);

	if (r == -ENOMEM)
		return no_memory(err);
	*ret = r == 0 ? cuv_access_index(&s->access, &url) : NULL;
	if (*ret)
		return 0;
	(void)cuv_error_set(err, CUV_E_REQUIREMENT_UNSUPPORTED,
			    "this index is not one of the service's: remove the line to take packages from its own, or "
			    "ask whoever runs it to list this one (CUVETTE_INDEXES)");
	err->line = (uint32_t)(reqs->n + reqs->n_constraints + i + 1);
	return -EINVAL;
}

int cuv_indexes_check(const struct cuv_settings *s, const struct cuv_requirements *reqs, struct cuv_error *err)
{
	const char *index;
	int r = 0;

	for (size_t i = 0; r == 0 && i < reqs->n_indexes; i++)
		r = find(s, reqs, i, &index, err);
	return r;
}

/* The operator's variables but those that are replaced; *ret_list becomes his list. */
static int carry(const struct cuv_settings *s, bool replace, const char **ret_list, struct cuv_strv *env)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->env.n; i++) {
		const char *variable = s->env.items[i];

		if (begins(variable, index_list))
			*ret_list = variable + strlen(index_list);
		else if (!replace || !(begins(variable, default_index) || begins(variable, default_old)))
			r = cuv_strv_add(env, variable);
	}
	return r;
}

int cuv_indexes_env(const struct cuv_settings *s, const struct cuv_requirements *reqs, struct cuv_strv *env,
		    struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf list = CUV_BUF_INIT(VALUE_MAX);
	bool replace = reqs->n_indexes > 0 && !reqs->indexes[0].extra;
	const char *own = NULL, *index;
	int r = carry(s, replace, &own, env);

	cuv_buf_add_str(&list, index_list);
	for (size_t i = 0; r == 0 && i < reqs->n_indexes; i++) {
		r = find(s, reqs, i, &index, err);
		if (r < 0)
			return r;
		if (reqs->indexes[i].extra)
			cuv_buf_addf(&list, "%s ", index);
		else
			r = cuv_strv_addf(env, "%s%s", default_index, index);
	}
	if (own)
		cuv_buf_add_str(&list, own);
	if (r == 0 && list.len > strlen(index_list))
		r = cuv_buf_err(&list) ? cuv_buf_err(&list) : cuv_strv_add(env, cuv_buf_str(&list));
	return r < 0 ? no_memory(err) : 0;
}
