// SPDX-License-Identifier: MIT
// The page at /: one request to the native API, and its answer. What comes back is only ever put in as text.
"use strict";

const at = (id) => document.getElementById(id);

function show(id, text) {
  at(id).textContent = text || "";
}

function clear() {
  for (const id of ["status", "stdout", "stderr", "lint", "artifacts"]) show(id, "");
}

function showArtifact(artifact) {
  const link = document.createElement("a");
  const data = "data:" + artifact.media_type + ";base64," + artifact.content;
  if (artifact.media_type.startsWith("image/")) {
    const image = document.createElement("img");
    image.src = data;
    image.alt = artifact.name;
    at("artifacts").append(image);
    return;
  }
  link.href = data;
  link.download = artifact.name;
  link.textContent = artifact.name + " (" + artifact.size + " bytes)";
  at("artifacts").append(link, document.createElement("br"));
}

function showResult(result) {
  const packages = result.environment.packages.length;
  show("status", result.status + ", return code " + result.return_code + ", " + result.execution_time.toFixed(3) +
    " s, " + packages + (packages === 1 ? " package" : " packages"));
  show("stdout", result.stdout);
  show("stderr", result.stderr);
  for (const warning of result.lint_warnings) {
    const item = document.createElement("li");
    item.textContent = warning.row + ":" + warning.column + " " + warning.code + " " + warning.message;
    at("lint").append(item);
  }
  result.artifacts.forEach(showArtifact);
}

function showError(error) {
  const details = error.details || {};
  const place = details.line ? (details.file || "requirements.txt") + ":" + details.line + ":" + details.column + ": " : "";
  show("status", error.code);
  show("stderr", [place + error.message, details.text, details.explanation].filter(Boolean).join("\n"));
}

// Nothing, where the program says by itself what it needs (PEP 723): that is only read when nothing else is sent.
function requirements() {
  if (at("requirements").value) return at("requirements").value;
  return /^# \/\/\/ script\s*$/m.test(at("code").value) ? undefined : "# none\n";
}

async function run() {
  const headers = {"Content-Type": "application/json"};
  if (at("key").value) headers["X-API-Key"] = at("key").value;
  const answer = await fetch("api/v1/run", {
    method: "POST",
    headers,
    body: JSON.stringify({
      code: at("code").value,
      requirements: requirements(),
      stdin: at("stdin").value,
      artifacts: ["*.png", "*.svg", "*.csv", "*.txt"],
    }),
  });
  const body = await answer.json();
  if (answer.ok) showResult(body);
  else showError(body.error);
}

at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  clear();
  show("status", "running …");
  at("run").disabled = true;
  run().catch((error) => show("status", String(error))).finally(() => { at("run").disabled = false; });
});
