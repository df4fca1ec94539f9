/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/environ.h"

#include "lib/base/ids.h"
#include "worker-image/launcher/deterministic.h"

unsigned cuv_environ_threads(const struct cuv_limits *l)
{
	return (unsigned)((l->value[CUV_LIMIT_CPUS] + 999) / 1000);
}

int cuv_environ_build(const struct cuv_run *run, struct cuv_strv *ret)
{
	/* Libraries count the machine's cores, not the quota, and then fight for it. */
	static const char *const threads[] = {"OMP_NUM_THREADS",     "OPENBLAS_NUM_THREADS",   "MKL_NUM_THREADS",
					      "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "BLIS_NUM_THREADS"};
	static const char *const fixed[] = {"HOME=" CUV_BOX_HOME, "USER=" CUV_BOX_USER, "LOGNAME=" CUV_BOX_USER,
					    "HOSTNAME=cuvette",	  "LANG=C.UTF-8",	"TMPDIR=/tmp"};
	/* What frees its memory after each answer pays for it again with the next one: jemalloc,
	 * which ruff has, is told to keep all, in one arena. The box's limit is the bound. */
	static const char memory[] = "_RJEM_MALLOC_CONF=narenas:1,dirty_decay_ms:-1,muzzy_decay_ms:-1";
	const char *bin = run->env[0] ? "/bin:" : "";
	size_t i;
	int r;

	r = cuv_strv_addf(ret, "PATH=%s%s%s/usr/local/bin:/usr/bin:/bin", run->env[0] ? "/nix/store/" : "", run->env,
			  bin);
	for (i = 0; r == 0 && i < ARRAY_SIZE(fixed); i++)
		r = cuv_strv_add(ret, fixed[i]);
	for (i = 0; r == 0 && i < ARRAY_SIZE(threads); i++)
		r = cuv_strv_addf(ret, "%s=%u", threads[i], run->deterministic ? 1 : cuv_environ_threads(&run->limits));
	if (r == 0 && run->kept)
		r = cuv_strv_add(ret, memory);
	return r == 0 && run->deterministic ? cuv_deterministic_environ(ret) : r;
}
