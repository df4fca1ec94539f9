#!/bin/sh
# One run by curl: ./curl.sh [FOLDER] < INPUT
# FOLDER has main.py and requirements.txt. The answer's JSON goes to stdout.
set -eu
cd "$(dirname "$0")"
folder=${1:-.}

curl -sS --fail-with-body --retry 3 ${CUVETTE_KEY:+-H "X-API-Key: $CUVETTE_KEY"} \
	-F "requirements=@$folder/requirements.txt" -F "code=@$folder/main.py" \
	-F 'stdin=@-;filename=stdin' -F 'artifacts=["*.txt"]' -F timeout=10 \
	"${CUVETTE_URL:-http://127.0.0.1:8000}/api/v1/run"
