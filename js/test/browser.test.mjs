// The entry for browsers, which fetches its module; here from disk, since Node's `fetch` reads no files.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import * as node from "cim-events";

test("the entry for browsers loads its module and exports the same", async (context) => {
  const fetched = [];
  context.mock.method(globalThis, "fetch", async (url) => {
    fetched.push(String(url));
    const headers = { "content-type": "application/wasm" };
    return new Response(await readFile(new URL(url)), { headers });
  });
  const browser = await import("../dist/browser.js");
  assert.equal(fetched.length, 1);
  assert.match(fetched[0], /wasm\/web\/cim_wasm_bg\.wasm$/);
  assert.deepEqual(Object.keys(browser), Object.keys(node));
  assert.equal(browser.operationOfEvent("KeyGenerated", "key"), "generated");
});
