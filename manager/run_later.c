/* SPDX-License-Identifier: MIT */
#include "manager/run_later.h"

#include "manager/runs/runs.h"

#include <stdio.h>

int cuv_run_later(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client,
		  const struct cuv_form *form, const char *path, struct cuv_error *err)
{
	char headers[128];
	json_t *body;
	int r = cuv_runs_submit(s->runs_later, client, h->request_id, form, h->run_id, err);

	if (r < 0)
		return r;
	(void)snprintf(headers, sizeof(headers), "Location: %s%s\r\n", path, h->run_id);
	body = json_pack("{s:s, s:s, s:s+, s:s++, s:s}", "run_id", h->run_id, "state", "queued", "status_url", path,
			 h->run_id, "events_url", path, h->run_id, "/events", "request_id", h->request_id);
	cuv_http_reply_json(h, 202, headers, body);
	json_decref(body);
	return 0;
}
