/* SPDX-License-Identifier: MIT */
/*
 * Input: one frame. What a decoder accepts must be encoded to the same bytes
 * again: there is one way to write each message, so two processes can't read
 * the same frame differently.
 */
#include "lib/proto/chore.h"
#include "lib/proto/look.h"
#include "lib/proto/messages.h"
#include "lib/proto/share.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(struct cuv_writer *w, const uint8_t *body, size_t len)
{
	cuv_assert(cuv_buf_err(&w->buf) == 0 && w->buf.len == CUV_FRAME_HEADER + len);
	cuv_assert(len == 0 || memcmp(w->buf.data + CUV_FRAME_HEADER, body, len) == 0);
}

/* Decodes by name, and encodes what came out. */
#define ROUND_TRIP(kind, noun, init, done)                                                                             \
	static void noun##_round(uint16_t type, struct cuv_reader *r)                                                  \
	{                                                                                                              \
		const uint8_t *body = r->at;                                                                           \
		size_t len = r->left;                                                                                  \
		kind m = init;                                                                                         \
		_cleanup_writer_ struct cuv_writer w;                                                                  \
                                                                                                                       \
		cuv_writer_init(&w, type);                                                                             \
		if (cuv_##noun##_get(r, &m) != 0)                                                                      \
			return;                                                                                        \
		cuv_##noun##_put(&w, &m);                                                                              \
		same(&w, body, len);                                                                                   \
		done(&m);                                                                                              \
	}
#define NOTHING(m) ((void)(m))

ROUND_TRIP(struct cuv_error, failure, CUV_ERROR_INIT, NOTHING)
ROUND_TRIP(struct cuv_run, run, CUV_RUN_INIT, cuv_run_done)
ROUND_TRIP(struct cuv_output, output, {0}, NOTHING)
ROUND_TRIP(struct cuv_run_result, run_result, {0}, NOTHING)
ROUND_TRIP(struct cuv_layers, layers, {0}, NOTHING)
ROUND_TRIP(struct cuv_env_ask, env_ask, {0}, NOTHING)
ROUND_TRIP(struct cuv_env_used, env_used, {0}, NOTHING)
ROUND_TRIP(struct cuv_env_progress, env_progress, {0}, NOTHING)
ROUND_TRIP(struct cuv_environment, environment, CUV_ENVIRONMENT_INIT, cuv_environment_done)
ROUND_TRIP(struct cuv_chore_ask, chore_ask, CUV_CHORE_ASK_INIT, cuv_chore_ask_done)
ROUND_TRIP(struct cuv_share_ask, share_ask, {0}, NOTHING)
ROUND_TRIP(struct cuv_look_ask, look_ask, {0}, NOTHING)
ROUND_TRIP(struct cuv_look, look, CUV_LOOK_INIT, cuv_look_done)
ROUND_TRIP(struct cuv_which, which, CUV_WHICH_INIT, cuv_which_done)
ROUND_TRIP(struct cuv_tools, tools, {0}, NOTHING)

static void listening_round(uint16_t type, struct cuv_reader *r)
{
	uint16_t port;

	(void)type;
	cuv_assert(cuv_listening_get(r, &port) != 0 || r->left == 0);
}

static const struct {
	enum cuv_msg type;
	void (*round)(uint16_t type, struct cuv_reader *r);
} rounds[] = {
	{CUV_MSG_FAILURE, failure_round},
	{CUV_MSG_LISTENING, listening_round},
	{CUV_MSG_RUN, run_round},
	{CUV_MSG_RUN_OUTPUT, output_round},
	{CUV_MSG_RUN_RESULT, run_result_round},
	{CUV_MSG_LAYERS, layers_round},
	{CUV_MSG_ENV_ASK, env_ask_round},
	{CUV_MSG_ENV_PROGRESS, env_progress_round},
	{CUV_MSG_ENV_READY, environment_round},
	{CUV_MSG_TOOLS, tools_round},
	{CUV_MSG_CHORE_ASK, chore_ask_round},
	{CUV_MSG_SHARE_ASK, share_ask_round},
	{CUV_MSG_LOOK_ASK, look_ask_round},
	{CUV_MSG_LOOK, look_round},
	{CUV_MSG_WHICH_ASK, which_round},
	{CUV_MSG_WHICH, which_round},
	{CUV_MSG_ENV_USED, env_used_round},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cuv_reader body;
	uint16_t type;
	size_t i;

	if (cuv_frame_parse(data, size, &type, &body) < 0)
		return 0;
	for (i = 0; i < ARRAY_SIZE(rounds); i++)
		if (rounds[i].type == type)
			rounds[i].round(type, &body);
	return 0;
}
