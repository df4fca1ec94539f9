#!/bin/sh
# Grades a submission in a job of GitHub Actions, or of what is like it:
#
#   - run: examples/clients/grade.sh submission/main.py cases
#     env:
#       CUVETTE_URL: https://runner.example.org
#       CUVETTE_KEY: ${{ secrets.CUVETTE_KEY }}
#
# Each NAME.in of the folder is a run of its own, in a box of its own, whose output must be
# NAME.out. The job's page lists them; the step fails when one of them does.
set -eu
program=$1
cases=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 - "$program" "$cases" >"$work/request" <<'END'
import json, pathlib, sys
inputs = sorted(pathlib.Path(sys.argv[2]).glob("*.in"))
print(json.dumps({"requirements": "# none\n", "code": pathlib.Path(sys.argv[1]).read_text(), "lint": False, "timeout": 5,
                  "cases": [{"stdin": path.read_text()} for path in inputs]}))
END

curl -sS --fail-with-body --retry 3 ${CUVETTE_KEY:+-H "X-API-Key: $CUVETTE_KEY"} \
	-H 'Content-Type: application/json' --data-binary "@$work/request" \
	"${CUVETTE_URL:-http://127.0.0.1:8000}/api/v1/run" >"$work/answer" || {
	cat "$work/answer" >&2
	exit 2
}

python3 - "$cases" "$work/answer" "$program" <<'END'
import json, os, pathlib, sys
inputs = sorted(pathlib.Path(sys.argv[1]).glob("*.in"))
runs = json.loads(pathlib.Path(sys.argv[2]).read_text())["cases"]
rows, failed = [], 0
for path, run in zip(inputs, runs, strict=True):
    expected = path.with_suffix(".out").read_text()
    good = run["success"] and run["stdout"].rstrip() == expected.rstrip()
    why = "passed" if good else run["status"] if not run["success"] else "another output"
    rows.append(f"| {path.stem} | {why} |")
    if not good:
        failed += 1
        print(f"::error file={sys.argv[3]},title={path.stem}::{why}")
with open(os.environ.get("GITHUB_STEP_SUMMARY", os.devnull), "a") as page:
    page.write("| case | |\n|---|---|\n" + "\n".join(rows) + "\n")
print(f"{len(runs) - failed} of {len(runs)} passed")
sys.exit(failed > 0)
END
