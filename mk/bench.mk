# Figures, no verdicts: what they mean is printed with them, and in docs/performance.md.
bench: all test-programs ## figures beside bare python, bwrap and uv, in build/bench/ (BENCH='--length short paths')
	$(Q)tests/bench/run $(BENCH)

check-realworld: all ## names and versions of real requirements files against uv's own answer (as root; FILES=folder, see tests/README.md)
	$(Q)tests/realworld/compare $(FILES) --state $(STATE) --build $(BUILD)

.PHONY: bench check-realworld
