/* SPDX-License-Identifier: MIT */
/* Input: a text, which is read as each setting. What is taken for rules has nothing in it
 * that ruff's command line could take for more, and is read again as the same. */
#include "manager/lint_settings.h"
#include "tests/fuzz/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cuv_lint_settings s = {0}, again = {0};
	struct cuv_error err = CUV_ERROR_INIT;
	char *text = fuzz_text(data, size);

	if (cuv_lint_select_read("it", text, &s, &err) == 0) {
		cuv_assert(s.select[0] &&
			   strspn(s.select, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789,") == strlen(s.select));
		cuv_assert(s.select[0] >= 'A' && cuv_lint_select_read("it", s.select, &again, &err) == 0);
		cuv_assert(strcmp(s.select, again.select) == 0);
	}
	if (cuv_lint_line_read("it", text, &s, &err) == 0)
		cuv_assert(s.line_length >= 1 && s.line_length <= CUV_LINT_LINE_MAX);
	if (cuv_lint_target_read("it", text, &s, &err) == 0)
		cuv_assert(s.minor >= 7 && s.minor <= 15);
	free(text);
	return 0;
}
