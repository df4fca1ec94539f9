/* SPDX-License-Identifier: MIT */
#include "lib/proto/look.h"

#include <errno.h>

void cuv_look_ask_put(struct cuv_writer *w, const struct cuv_look_ask *m)
{
	cuv_put_str(w, m->digest);
}

int cuv_look_ask_get(struct cuv_reader *r, struct cuv_look_ask *ret)
{
	int end;

	*ret = (struct cuv_look_ask){0};
	cuv_get_str(r, ret->digest, sizeof(ret->digest));
	end = cuv_reader_end(r);
	return end == 0 && !cuv_env_digest_valid(ret->digest) ? -EBADMSG : end;
}

void cuv_look_done(struct cuv_look *m)
{
	cuv_environment_done(&m->environment);
}

void cuv_look_put(struct cuv_writer *w, const struct cuv_look *m)
{
	cuv_put_u64(w, m->closure_bytes);
	cuv_environment_put(w, &m->environment);
}

int cuv_look_get(struct cuv_reader *r, struct cuv_look *ret)
{
	struct cuv_look m = CUV_LOOK_INIT;
	int e;

	m.closure_bytes = cuv_get_u64(r);
	e = cuv_environment_get(r, &m.environment);
	if (e == 0)
		*ret = m;
	return e;
}

void cuv_which_done(struct cuv_which *m)
{
	cuv_strv_done(&m->digests);
}

void cuv_which_put(struct cuv_writer *w, const struct cuv_which *m)
{
	cuv_put_strv(w, &m->digests);
}

int cuv_which_get(struct cuv_reader *r, struct cuv_which *ret)
{
	_cleanup_which_ struct cuv_which m = CUV_WHICH_INIT;
	int end;

	cuv_get_strv(r, CUV_WHICH_MAX, CUV_ENV_DIGEST_SIZE - 1, &m.digests);
	end = cuv_reader_end(r);
	for (size_t i = 0; end == 0 && i < m.digests.n; i++)
		if (!cuv_env_digest_valid(m.digests.items[i]))
			end = -EBADMSG;
	if (end < 0)
		return end;
	*ret = m;
	m = CUV_WHICH_INIT;
	return 0;
}
