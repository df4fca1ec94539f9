/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/options.h"

#include "lib/base/clock.h"
#include "lib/base/parse.h"
#include "worker-image/launcher/idmap.h"
#include "worker-image/launcher/layers.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BOXES_PER_CPU 4
#define BOXES_LEAST 8
#define BOXES_MOST 64
#define FD_MAX 1023
#define AGE_MAX_S 31536000
#define POOL_MAX 16

static const struct cuv_zygotes_settings zygotes_default = {
	.max = 16,
	.memory_bytes = 512 * CUV_MIB,
	.runs = 5000,
	.age_ns = 3600 * CUV_NS_PER_S,
	.pool = 2,
};

enum {
	OPT_STORE = 1000,
	OPT_LEASES,
	OPT_INSTANCE,
	OPT_BOXES,
	OPT_ALLOW,
	OPT_LISTEN,
	OPT_CONTROL,
	OPT_ZYGOTES,
	OPT_ZYGOTE_MEMORY,
	OPT_ZYGOTE_RUNS,
	OPT_ZYGOTE_AGE,
	OPT_POOL,
	OPT_FAVORDYNMODS,
	OPT_HELP,
	OPT_VERSION
};

static const struct option options[] = {
	{"store", required_argument, NULL, OPT_STORE},
	{"leases", required_argument, NULL, OPT_LEASES},
	{"instance", required_argument, NULL, OPT_INSTANCE},
	{"boxes", required_argument, NULL, OPT_BOXES},
	{"allow-degraded", required_argument, NULL, OPT_ALLOW},
	{"listen-fd", required_argument, NULL, OPT_LISTEN},
	{"control-fd", required_argument, NULL, OPT_CONTROL},
	{"zygotes", required_argument, NULL, OPT_ZYGOTES},
	{"zygote-memory", required_argument, NULL, OPT_ZYGOTE_MEMORY},
	{"zygote-runs", required_argument, NULL, OPT_ZYGOTE_RUNS},
	{"zygote-age", required_argument, NULL, OPT_ZYGOTE_AGE},
	{"pool", required_argument, NULL, OPT_POOL},
	{"favordynmods", required_argument, NULL, OPT_FAVORDYNMODS},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

const char *cuv_launcher_usage(void)
{
	return "usage: cuvette-launcher --store DIR [options]\n"
	       "\n"
	       "Runs programs in sealed boxes for those who ask over its sockets. Started by\n"
	       "`cuvette serve` and `cuvette run`, with the control socket on descriptor 3.\n"
	       "\n"
	       "  --store DIR             folder that holds the store paths\n"
	       "  --leases DIR            folder of the locks that say which environments are in use\n"
	       "  --instance NAME         name in the cgroups' paths (default: this process's id)\n"
	       "  --boxes N               runs at once, at most 512 (default: 4 for each CPU, 8 to 64)\n"
	       "  --allow-degraded NAMES  start without these layers of isolation (names with commas\n"
	       "                          between them; the refusal to start lists those missing)\n"
	       "  --listen-fd N           a listening socket for sessions is on this descriptor\n"
	       "  --control-fd N          a second control socket is on this descriptor\n"
	       "  --zygotes N             interpreters that are kept with an environment imported, to be\n"
	       "                          forked for each run; 0: none (default: 16, at most 64)\n"
	       "  --zygote-memory BYTES   what they may take together (default: 536870912)\n"
	       "  --zygote-runs N         runs until one is replaced (default: 5000)\n"
	       "  --zygote-age S          seconds until one is replaced (default: 3600)\n"
	       "  --pool N                runs that wait in each, forked ahead (default: 2, at most 16)\n"
	       "  --favordynmods 0|1      1: the kernel is to let processes enter cgroups without delay,\n"
	       "                          as that mount option does, for the whole machine (default: 1)\n"
	       "  --help, --version\n";
}

unsigned cuv_boxes_default(long cpus)
{
	if (cpus < 1)
		cpus = 1;
	return (unsigned)CUV_MIN(CUV_MAX(cpus * BOXES_PER_CPU, BOXES_LEAST), BOXES_MOST);
}

static int parse_number(const char *name, const char *text, uint64_t least, uint64_t most, uint64_t *ret,
			struct cuv_error *err)
{
	if (cuv_parse_u64(text, most, ret) < 0 || *ret < least)
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "--%s: `%s` is not a number from %llu to %llu", name, text,
				     (unsigned long long)least, (unsigned long long)most);
	return 0;
}

static int parse_one(int option, const char *value, struct cuv_launcher_options *o, struct cuv_error *err)
{
	uint64_t n = 0;
	int r = 0;

	switch (option) {
	case OPT_STORE:
		o->store = value;
		break;
	case OPT_LEASES:
		o->leases = value;
		break;
	case OPT_INSTANCE:
		if (!cuv_cgroup_instance_valid(value))
			return cuv_error_set(err, CUV_E_UNAVAILABLE,
					     "--instance: a name is 1 to 40 of a-z, 0-9, _ and -");
		snprintf(o->instance, sizeof(o->instance), "%s", value);
		break;
	case OPT_BOXES:
		r = parse_number("boxes", value, 1, CUV_BOXES_MAX, &n, err);
		o->boxes = (unsigned)n;
		break;
	case OPT_ALLOW:
		r = cuv_layers_parse_allowed(value, &o->allowed, err);
		break;
	case OPT_LISTEN:
		r = parse_number("listen-fd", value, 3, FD_MAX, &n, err);
		o->listen_fd = (int)n;
		break;
	case OPT_CONTROL:
		r = parse_number("control-fd", value, 4, FD_MAX, &n, err);
		o->control_fd = (int)n;
		break;
	case OPT_ZYGOTES:
		r = parse_number("zygotes", value, 0, CUV_ZYGOTES_MAX, &n, err);
		o->zygotes.max = (unsigned)n;
		break;
	case OPT_ZYGOTE_MEMORY:
		r = parse_number("zygote-memory", value, 1, UINT64_MAX, &o->zygotes.memory_bytes, err);
		break;
	case OPT_ZYGOTE_RUNS:
		r = parse_number("zygote-runs", value, 1, UINT64_MAX, &o->zygotes.runs, err);
		break;
	case OPT_ZYGOTE_AGE:
		r = parse_number("zygote-age", value, 1, AGE_MAX_S, &n, err);
		o->zygotes.age_ns = n * CUV_NS_PER_S;
		break;
	case OPT_POOL:
		r = parse_number("pool", value, 0, POOL_MAX, &n, err);
		o->zygotes.pool = (unsigned)n;
		break;
	case OPT_FAVORDYNMODS:
		r = parse_number("favordynmods", value, 0, 1, &n, err);
		o->favordynmods = n == 1;
		break;
	case OPT_HELP:
		o->help = true;
		break;
	case OPT_VERSION:
		o->version = true;
		break;
	default:
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "an option is not known or lacks its value; see --help");
	}
	return r;
}

int cuv_launcher_options_parse(int argc, char **argv, struct cuv_launcher_options *ret, struct cuv_error *err)
{
	struct cuv_launcher_options o = {
		.listen_fd = -1, .control_fd = -1, .zygotes = zygotes_default, .favordynmods = true};
	int option, r;

	o.boxes = cuv_boxes_default(sysconf(_SC_NPROCESSORS_ONLN));
	snprintf(o.instance, sizeof(o.instance), "%d", (int)getpid());
	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = parse_one(option, optarg, &o, err);
		if (r < 0)
			return r;
	}
	if (optind < argc)
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "`%s` is not an option; see --help", argv[optind]);
	if (!o.store && !o.help && !o.version)
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "--store is missing; see --help");
	*ret = o;
	return 0;
}
