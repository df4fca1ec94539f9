/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/layers.h"

#include "lib/base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int cuv_layers_parse_allowed(const char *list, unsigned *set, struct cuv_error *err)
{
	unsigned found = 0;

	for (;;) {
		size_t len = strcspn(list, ",");
		char name[64];
		int layer;

		snprintf(name, sizeof(name), "%.*s", (int)CUV_MIN(len, sizeof(name) - 1), list);
		layer = cuv_layer_find(name);
		if (layer < 0)
			return cuv_error_set(err, CUV_E_UNAVAILABLE, "--allow-degraded: there is no layer `%s`", name);
		if (!cuv_layer_degradable((enum cuv_layer)layer))
			return cuv_error_set(err, CUV_E_UNAVAILABLE,
					     "--allow-degraded: without the layer `%s` nothing is run", name);
		found |= cuv_layer_bit((enum cuv_layer)layer);
		if (!list[len])
			break;
		list += len + 1;
	}
	*set |= found;
	return 0;
}

void cuv_layers_init(struct cuv_layers *l)
{
	int i;

	*l = (struct cuv_layers){0};
	for (i = 0; i < _CUV_LAYER_MAX; i++)
		l->layer[i].state = CUV_LAYER_OK;
}

void cuv_layers_missing(struct cuv_layers *l, enum cuv_layer layer, const char *why)
{
	cuv_assert((unsigned)layer < _CUV_LAYER_MAX);
	l->layer[layer].state = CUV_LAYER_MISSING;
	cuv_error_copy_text(l->layer[layer].why, sizeof(l->layer[layer].why), why, strlen(why));
}

int cuv_layers_accept(struct cuv_layers *l, unsigned allowed, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(sizeof(err->message));
	_cleanup_buf_ struct cuv_buf names = CUV_BUF_INIT(256);
	bool fatal = false;
	int i, n = 0;

	for (i = 0; i < _CUV_LAYER_MAX; i++) {
		enum cuv_layer layer = (enum cuv_layer)i;

		if (l->layer[i].state != CUV_LAYER_MISSING || layer == CUV_LAYER_LANDLOCK)
			continue;
		if (allowed & cuv_layer_bit(layer)) {
			l->layer[i].state = CUV_LAYER_DEGRADED;
			continue;
		}
		cuv_buf_addf(&text, "%s%s (%s)", n ? "; " : "", cuv_layer_name(layer), l->layer[i].why);
		if (cuv_layer_degradable(layer))
			cuv_buf_addf(&names, "%s%s", names.len ? "," : "", cuv_layer_name(layer));
		else
			fatal = true;
		n++;
	}
	if (n == 0)
		return 0;
	cuv_error_set(err, CUV_E_UNAVAILABLE, "this host lacks layers of isolation: %s.%s%s", cuv_buf_str(&text),
		      fatal ? "" : " To run without: --allow-degraded ", fatal ? "" : cuv_buf_str(&names));
	return -EPERM;
}
