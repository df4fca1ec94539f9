#!/usr/bin/env node
// One run by fetch, for Node.js 18 and later: ./client.mjs [FOLDER] < INPUT
// FOLDER has main.py and requirements.txt. Writes what the program wrote, and ends as it did.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const url = process.env.CUVETTE_URL ?? "http://127.0.0.1:8000";
const folder = process.argv[2] ?? dirname(fileURLToPath(import.meta.url));
const tries = 4;

// A full or a busy service says when to come back.
async function run(request) {
  const headers = { "Content-Type": "application/json" };
  if (process.env.CUVETTE_KEY) headers["X-API-Key"] = process.env.CUVETTE_KEY;
  for (let left = tries - 1; ; left--) {
    const answer = await fetch(`${url}/api/v1/run`, { method: "POST", headers, body: JSON.stringify(request) });
    const body = await answer.json();
    if (answer.ok) return body;
    if (left === 0 || ![429, 503].includes(answer.status)) throw new Error(`${body.error.code}: ${body.error.message}`);
    await new Promise((done) => setTimeout(done, 1000 * Number(answer.headers.get("Retry-After"))));
  }
}

try {
  const answer = await run({
    requirements: readFileSync(join(folder, "requirements.txt"), "utf8"),
    code: readFileSync(join(folder, "main.py"), "utf8"),
    stdin: { base64: readFileSync(0).toString("base64") },
    timeout: 10,
    lint: false,
  });
  process.stdout.write(answer.stdout);
  process.stderr.write(answer.stderr);
  process.exitCode = answer.return_code;
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
