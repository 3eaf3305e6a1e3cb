// The package in a browser: the page loads it as a user's page does, and runs the vectors.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { test } from "node:test";

const TYPES = { ".html": "text/html", ".json": "application/json", ".wasm": "application/wasm" };

test("in Chromium the same commands, entropy and time give the same bytes", { timeout: 60_000 }, async (context) => {
  const { promise, resolve, reject } = withResolvers();
  const server = createServer((request, response) => serve(request, response, resolve).catch(reject));
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  context.after(() => server.close());
  context.after(() => server.closeAllConnections());

  const profile = await mkdtemp(join(tmpdir(), "cim-chromium-"));
  const page = `http://127.0.0.1:${server.address().port}/test/support/page.html`;
  const options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", `--user-data-dir=${profile}`];
  const browser = spawn("chromium", [...options, page], { stdio: ["ignore", "ignore", "pipe"], detached: true });
  let log = "";
  browser.stderr.setEncoding("utf8").on("data", (text) => { log += text; });
  browser.on("error", reject);
  const ended = new Promise((done) => browser.on("close", done));
  ended.then(() => reject(new Error(`Chromium has ended:\n${log}`)));
  context.after(async () => {
    if (browser.pid === undefined) return;
    // With its children, which are a group.
    process.kill(-browser.pid, "SIGKILL");
    await ended;
    await rm(profile, { recursive: true, maxRetries: 5 });
  });

  const { checks, publicKey, id, agent, error } = await promise;
  assert.equal(error, undefined);
  assert.match(agent, /Chrome/);
  assert.match(publicKey, /^O[A-Z2-7]{55}$/);
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  assert.ok(checks.identity.length > 80, `${checks.identity.length}`);
  assert.ok(checks.models.length > 400, `${checks.models.length}`);
  for (const [what, expected, found] of Object.values(checks).flat()) assert.deepEqual(found, expected, what);
});

async function serve(request, response, resolve) {
  if (request.method === "POST") {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    response.end();
    resolve(JSON.parse(body));
    return;
  }
  const { pathname } = new URL(request.url, "http://localhost");
  const file = pathname.startsWith("/vectors/") ? `../../tests${pathname}` : `..${pathname}`;
  try {
    const content = await readFile(new URL(file, import.meta.url));
    response.setHeader("content-type", TYPES[extname(pathname)] ?? "text/javascript");
    response.end(content);
  } catch {
    response.statusCode = 404;
    response.end();
  }
}

function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}
