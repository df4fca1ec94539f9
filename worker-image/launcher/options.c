/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/options.h"

#include "lib/base/parse.h"
#include "worker-image/launcher/idmap.h"
#include "worker-image/launcher/layers.h"
#include "worker-image/launcher/slots.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BOXES_PER_CPU 4
#define BOXES_LEAST 8
#define BOXES_MOST 64
#define FD_MAX 1023

enum { OPT_STORE = 1000, OPT_INSTANCE, OPT_BOXES, OPT_ALLOW, OPT_LISTEN, OPT_CONTROL, OPT_HELP, OPT_VERSION };

static const struct option options[] = {
	{"store", required_argument, NULL, OPT_STORE},
	{"instance", required_argument, NULL, OPT_INSTANCE},
	{"boxes", required_argument, NULL, OPT_BOXES},
	{"allow-degraded", required_argument, NULL, OPT_ALLOW},
	{"listen-fd", required_argument, NULL, OPT_LISTEN},
	{"control-fd", required_argument, NULL, OPT_CONTROL},
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
	       "  --instance NAME         name in the cgroups' paths (default: this process's id)\n"
	       "  --boxes N               runs at once, at most 510 (default: 4 for each CPU, 8 to 64)\n"
	       "  --allow-degraded NAMES  start without these layers of isolation (names with commas\n"
	       "                          between them; the refusal to start lists those missing)\n"
	       "  --listen-fd N           a listening socket for sessions is on this descriptor\n"
	       "  --control-fd N          a second control socket is on this descriptor\n"
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
	case OPT_INSTANCE:
		if (!cuv_cgroup_instance_valid(value))
			return cuv_error_set(err, CUV_E_UNAVAILABLE,
					     "--instance: a name is 1 to 40 of a-z, 0-9, _ and -");
		snprintf(o->instance, sizeof(o->instance), "%s", value);
		break;
	case OPT_BOXES:
		r = parse_number("boxes", value, 1, CUV_BOXES_MAX - CUV_STREAM_RUNS_MAX, &n, err);
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
	struct cuv_launcher_options o = {.listen_fd = -1, .control_fd = -1};
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
