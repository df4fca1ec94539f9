/* SPDX-License-Identifier: MIT */
/* The launcher's command line. */
#ifndef CUV_LAUNCHER_OPTIONS_H
#define CUV_LAUNCHER_OPTIONS_H

#include "worker-image/launcher/zygotes.h"

struct cuv_launcher_options {
	const char *store;  /* borrowed from argv */
	const char *leases; /* the same; NULL: none are taken */
	char instance[CUV_INSTANCE_SIZE];
	unsigned boxes;
	unsigned allowed; /* set of layers that may be missing */
	int listen_fd;	  /* -1: none */
	int control_fd;	  /* the second control socket; -1: none */
	struct cuv_zygotes_settings zygotes;
	bool favordynmods;
	bool help;
	bool version;
};

/* Boxes at once on a machine with so many CPUs. */
unsigned cuv_boxes_default(long cpus);
/* 0, or -EINVAL with err set. */
int cuv_launcher_options_parse(int argc, char **argv, struct cuv_launcher_options *ret, struct cuv_error *err);
/* What --help prints; borrowed, static. */
const char *cuv_launcher_usage(void);

#endif
