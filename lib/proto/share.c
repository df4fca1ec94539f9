/* SPDX-License-Identifier: MIT */
#include "lib/proto/share.h"

#include "lib/base/hash.h"

#include <errno.h>
#include <string.h>

void cuv_share_ask_put(struct cuv_writer *w, const struct cuv_share_ask *m)
{
	cuv_put_u8(w, (uint8_t)m->kind);
	cuv_put_str(w, m->hash_part);
	cuv_put_str(w, m->nar_hash);
}

static bool is_nar_hash(const char *text)
{
	uint8_t unused[CUV_SHA256_SIZE];

	return cuv_unnix32(text, CUV_SHA256_SIZE, unused) == 0;
}

bool cuv_share_ask_valid(const struct cuv_share_ask *m)
{
	if (m->kind < CUV_SHARE_NARINFO || m->kind >= _CUV_SHARE_KIND_MAX || !cuv_env_digest_valid(m->hash_part))
		return false;
	return m->kind == CUV_SHARE_NAR ? is_nar_hash(m->nar_hash) : m->nar_hash[0] == '\0';
}

int cuv_share_ask_get(struct cuv_reader *r, struct cuv_share_ask *ret)
{
	struct cuv_share_ask m = {0};
	int end;

	m.kind = (enum cuv_share_kind)cuv_get_u8(r);
	cuv_get_str(r, m.hash_part, sizeof(m.hash_part));
	cuv_get_str(r, m.nar_hash, sizeof(m.nar_hash));
	end = cuv_reader_end(r);
	if (end == 0 && !cuv_share_ask_valid(&m))
		end = -EBADMSG;
	if (end == 0)
		*ret = m;
	return end;
}
