#!/usr/bin/env -S node --no-warnings
// Runs a wasm32-wasip1 program in Node, with its arguments: `tests/wasi-run.mjs PROGRAM [ARGUMENT...]`.
// The program sees the workspace, at the workspace's own path, and nothing else of the machine.

import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { WASI } from "node:wasi";

// Node spoils its own heap when V8 calls WASI's functions by the fast path (nodejs/node#46777): it
// crashed after the last test, with every test passed.
setFlagsFromString("--no-turbo-fast-api-calls");

const [program, ...rest] = process.argv.slice(2);
if (program === undefined) {
  console.error("error: no program was named\nhelp: tests/wasi-run.mjs PROGRAM [ARGUMENT...]");
  process.exit(2);
}

const workspace = dirname(dirname(fileURLToPath(import.meta.url)));
// A panic ends the program at once, so its message must not wait for the end of the test.
const env = { RUST_TEST_NOCAPTURE: "1" };
for (const name of ["RUST_BACKTRACE", "PROPTEST_CASES"]) {
  if (name in process.env) env[name] = process.env[name];
}
const wasi = new WASI({
  version: "preview1",
  args: [program, ...rest],
  env,
  // The second name is for programs that look for a file from their own folder, which is the root.
  preopens: { [workspace]: workspace, "/": workspace },
  returnOnExit: true,
});

const module = await WebAssembly.compile(await readFile(program));
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
try {
  process.exitCode = wasi.start(instance);
} catch (error) {
  // A panic aborts the program by a trap; the message is already on standard error.
  console.error(`error: the program stopped: ${error.message}`);
  process.exitCode = 101;
}
