/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the body of the Jobe dialect's POST runs. What is refused is so for a
 * reason in UTF-8; what is accepted stays within its bounds. The program's text serves
 * once more, as what an interpreter may have printed.
 */
#include "lib/base/utf8.h"
#include "lib/proto/bundle.h"
#include "manager/dialect/jobe_files.h"
#include "manager/dialect/jobe_outcome.h"
#include "manager/dialect/jobe_spec.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct cuv_jobe_spec *s)
{
	json_t *text = cuv_jobe_text(s->source, s->source_len);

	cuv_assert(s->source_len <= CUV_CODE_BYTES_MAX && s->input_len <= CUV_STDIN_BYTES_MAX);
	cuv_assert(s->run_args.n + s->interpreter_args.n <= CUV_ARGS_MAX && s->n_files <= CUV_JOBE_FILES_MAX);
	cuv_assert(cuv_bundle_name_valid(s->name, strlen(s->name)) && !strchr(s->name, '/'));
	for (size_t i = 0; i < s->n_files; i++)
		cuv_assert(cuv_jobe_id_valid(s->files[i].id) && strcmp(s->files[i].name, s->name) != 0 &&
			   cuv_bundle_name_valid(s->files[i].name, strlen(s->files[i].name)));
	cuv_assert(cuv_limits_check(&s->limits) < 0 && s->limits.value[CUV_LIMIT_CPU_TIME] > 0);
	cuv_assert(json_is_string(text));
	json_decref(text);
	(void)cuv_jobe_is_syntax_error(s->source, s->source_len, "main.py");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_jobe_spec spec;
	json_t *text = cuv_jobe_text((const char *)data, size);

	if (cuv_jobe_spec_read((const char *)data, size, &spec, &err) == 0)
		check(&spec);
	else
		cuv_assert(err.code != CUV_E_NONE && err.message[0] &&
			   cuv_utf8_valid(err.message, strlen(err.message)));
	cuv_jobe_spec_done(&spec);
	cuv_assert(json_is_string(text));
	json_decref(text);
	(void)cuv_jobe_is_syntax_error((const char *)data, size, "main.py");
	return 0;
}
