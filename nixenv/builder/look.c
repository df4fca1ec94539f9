/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/look.h"

#include "lib/base/log.h"
#include "nixenv/builder/book.h"
#include "nixenv/builder/index.h"

#include <string.h>

int cuv_look(const struct cuv_builder *b, const char *digest, struct cuv_look *ret, struct cuv_error *err)
{
	char store_name[CUV_STORE_NAME_SIZE];
	int r;

	cuv_index_store_name(digest, store_name);
	r = cuv_index_load(b, store_name, &ret->environment);
	if (r < 0)
		cuv_log(CUV_LOG_WARNING, "index-entry-unreadable", CUV_S("environment", store_name),
			CUV_S("error", strerror(-r)));
	if (r != 0)
		return cuv_error_set(err, CUV_E_ENVIRONMENT_UNKNOWN,
				     "no environment has this digest here any more; send its lock or its requirements");
	if (cuv_book_bytes(b, &ret->environment.closure, &ret->closure_bytes) < 0)
		ret->closure_bytes = 0;
	return 0;
}

int cuv_look_which(const struct cuv_builder *b, const struct cuv_which *asked, struct cuv_which *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < asked->digests.n; i++) {
		char store_name[CUV_STORE_NAME_SIZE];

		cuv_index_store_name(asked->digests.items[i], store_name);
		if (cuv_index_has(b, store_name))
			r = cuv_strv_add(&ret->digests, asked->digests.items[i]);
	}
	return r;
}
