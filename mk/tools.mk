# Format, lint, and editor support.
# Asked for when it is needed only: every call of make would pay for it.
C_FILES = $(shell git ls-files '*.c' '*.h' 2>/dev/null)

format: ## clang-format all C files in place
	clang-format -i $(C_FILES)

lint: hdr-check ## formatting, cppcheck, shellcheck, file sizes
	tools/lint

# But for those that need an interpreter's headers, which only an image has.
hdr-check: ## every header compiles alone
	@for h in $$(git ls-files '*.h' | xargs grep -L '<Python.h>'); do \
		$(CC) $(filter-out -MMD -MP,$(CUV_CFLAGS)) -fsyntax-only -x c $$h || exit 1; done

compdb: ## write compile_commands.json (bear)
	bear -- $(MAKE) -B all

.PHONY: format lint hdr-check compdb
