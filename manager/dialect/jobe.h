/* SPDX-License-Identifier: MIT */
/*
 * The interface of Jobe (docs/dialects.md), which Moodle's question type CodeRunner
 * speaks: a job is one POST, what it needs of files is put before it by an id.
 */
#ifndef CUV_DIALECT_JOBE_H
#define CUV_DIALECT_JOBE_H

#include "manager/server.h"

/* A JSON string says what was wrong; the statuses are those that its clients know. */
extern const struct cuv_http_errors cuv_jobe_errors;

void cuv_jobe_languages(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
void cuv_jobe_run(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
void cuv_jobe_put_file(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
void cuv_jobe_head_file(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);

#endif
