/* SPDX-License-Identifier: MIT */
/* cuvette env prewarm: the environment of scripts with main() (docs/dialects.md), before anybody needs it. */
#include "cli/command.h"
#include "cli/env.h"
#include "lib/base/fd.h"
#include "manager/dialect/dialect.h"
#include "manager/dialect/files.h"
#include "nixenv/python.h"
#include "nixenv/requirements.h"

#include <stdio.h>

enum { STATE, QUIET };
static const struct cuv_option options[] = {
	[STATE] = {"state", 's', "DIR", "CUVETTE_STATE", NULL, "the state folder"},
	[QUIET] = {"quiet", 'q', NULL, NULL, NULL, "no progress"},
};
static const struct cuv_usage usage = {
	.command = "env prewarm",
	.operands = "",
	.about = "Makes the environment that scripts with a main() run in (POST /execute), and prints its digest.",
	.more = "Exit status: 0; 3 the builder or the index is not to be had.",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.dotenv = true,
	.mixed = true,
};

/* As a request of dialect E asks for it. */
static int make(struct cuv_env_peer *peer, const char *state, struct cuv_environment *ret, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX);
	_cleanup_close_ int lease = -1, lock = -1;
	struct cuv_env_ask ask = {.source = CUV_ENV_REQUIREMENTS, .sdist = true};
	struct cuv_job_spec spec;
	int r = cuv_data_science_read(&text, &ask.exclude_s, err);

	cuv_dialect_spec(CUV_PROFILE_MAIN, &spec);
	ask.resolve_ms = spec.resolve_ms;
	ask.build_ms = spec.build_ms;
	snprintf(ask.python, sizeof(ask.python), "%s", cuv_pythons->version);
	peer->builds = true;
	if (r == 0)
		r = cuv_env_peer_open(peer, state, err);
	if (r == 0)
		r = cuv_env_peer_ask(peer, &ask, cuv_buf_str(&text), text.len, ret, &lease, &lock, err);
	return r;
}

int cuv_env_prewarm(int argc, char **argv)
{
	_cleanup_values_ struct cuv_values v = CUV_VALUES_INIT;
	enum cuv_parsed parsed = cuv_options_parse(&usage, argc, argv, &v);
	struct cuv_environment env = CUV_ENVIRONMENT_INIT;
	struct cuv_env_peer peer = CUV_ENV_PEER_INIT;
	struct cuv_error err = CUV_ERROR_INIT;
	int status = CUV_EXIT_OK;

	if (parsed != CUV_PARSED_GO)
		return parsed == CUV_PARSED_HELP ? CUV_EXIT_OK : CUV_EXIT_USAGE;
	if (!cuv_env_digests("env prewarm", &v, 0, 0))
		return CUV_EXIT_USAGE;
	if (v.value[QUIET].text)
		peer.progress.how = CUV_PROGRESS_NONE;
	if (make(&peer, v.value[STATE].text, &env, &err) < 0)
		status = cuv_env_fail(&err, "data-science.txt");
	else
		puts(env.digest);
	cuv_environment_done(&env);
	cuv_env_peer_close(&peer);
	return status;
}
