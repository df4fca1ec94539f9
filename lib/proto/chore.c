/* SPDX-License-Identifier: MIT */
#include "lib/proto/chore.h"

#include <errno.h>

const char *cuv_chore_name(enum cuv_chore_verb v)
{
	static const char *const names[_CUV_CHORE_MAX] = {
#define X(suffix, name, text) [CUV_CHORE_##suffix] = name,
		CUV_CHORE_TABLE(X)
#undef X
	};

	cuv_assert(v > 0 && v < _CUV_CHORE_MAX);
	return names[v];
}

void cuv_chore_ask_done(struct cuv_chore_ask *m)
{
	cuv_strv_done(&m->digests);
}

void cuv_chore_ask_put(struct cuv_writer *w, const struct cuv_chore_ask *m)
{
	cuv_put_u8(w, (uint8_t)m->verb);
	cuv_put_strv(w, &m->digests);
	cuv_put_u64(w, m->bytes);
	cuv_put_u64(w, m->count);
}

static bool valid(const struct cuv_chore_ask *m)
{
	if (m->verb <= _CUV_CHORE_NONE || m->verb >= CUV_CHORE_TEND)
		return false;
	for (size_t i = 0; i < m->digests.n; i++)
		if (!cuv_env_digest_valid(m->digests.items[i]))
			return false;
	if (m->verb == CUV_CHORE_EXPORT)
		return m->digests.n == 1;
	return (m->verb != CUV_CHORE_PIN && m->verb != CUV_CHORE_UNPIN) || m->digests.n > 0;
}

int cuv_chore_ask_get(struct cuv_reader *r, struct cuv_chore_ask *ret)
{
	struct cuv_chore_ask m = CUV_CHORE_ASK_INIT;
	int end;

	m.verb = (enum cuv_chore_verb)cuv_get_u8(r);
	cuv_get_strv(r, CUV_CHORE_DIGESTS_MAX, CUV_ENV_DIGEST_SIZE - 1, &m.digests);
	m.bytes = cuv_get_u64(r);
	m.count = cuv_get_u64(r);
	end = cuv_reader_end(r);
	if (end == 0 && !valid(&m))
		end = -EBADMSG;
	if (end < 0)
		cuv_chore_ask_done(&m);
	else
		*ret = m;
	return end;
}
