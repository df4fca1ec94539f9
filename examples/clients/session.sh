#!/bin/sh
# A program in a session: SESSION=NAME ./session.sh PROGRAM [FILE...]
# The files go into the session before; what the program leaves in its folder is there for the
# next one with this NAME. Prints what the program printed, and ends as it did.
set -eu
url=${CUVETTE_URL:-http://127.0.0.1:8000}
session=${SESSION:-example}
program=$1
shift

ask() {
	curl -sS --fail-with-body --retry 3 ${CUVETTE_KEY:+-H "X-API-Key: $CUVETTE_KEY"} "$@"
}

for file; do
	ask "$url/upload" -F "session_id=$session" -F "file=@$file" >/dev/null
done

task=$(python3 -c 'import json, sys; print(json.dumps({"session_id": sys.argv[1], "code": open(sys.argv[2]).read()}))' \
	"$session" "$program" | ask "$url/execute" --data-binary @- |
	python3 -c 'import json, sys; print(json.load(sys.stdin)["status_url"])')

while :; do
	answer=$(ask "$url$task")
	case $answer in
	*'"status":"queued"'* | *'"status":"running"'*) sleep 0.2 ;;
	*) break ;;
	esac
done
printf %s "$answer" | python3 -c 'import json, sys
found = json.load(sys.stdin)
print(found["output"], end="")
print(found["errors"], end="", file=sys.stderr)
sys.exit(2 if found["exit_code"] is None else found["exit_code"])'
