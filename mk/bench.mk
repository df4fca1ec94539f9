# Figures, no verdicts: what they mean is printed with them.
bench: all test-programs ## medians and ratios against bare python, bwrap and uv (build/bench.txt)
	$(Q)tests/bench/run $(BENCH)

.PHONY: bench
