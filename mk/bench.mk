# Figures, no verdicts: what they mean is printed with them, and in docs/performance.md.
bench: all test-programs ## figures beside bare python, bwrap and uv, in build/bench/ (BENCH='--length short paths')
	$(Q)tests/bench/run $(BENCH)

.PHONY: bench
