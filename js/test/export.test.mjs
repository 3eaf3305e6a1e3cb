// Exports: verified, tampered with, cut at any byte, and judged by an implementation that is not ours.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { ExportVerifier, verifyExport } from "cim-events";

import { verifyReference } from "./reference.mjs";
import { bytesOf, endLine, exportLines, generated } from "./support/export.mjs";
import { messageOf, vectors } from "./support/vectors.mjs";

const LINES = exportLines(wholeHistories().map(messageOf));
const KEY = "cowboyai.security.keys.key.01934f4a-7c1e-7d3a-9b52-0c4f1e2d3a4b";

/** The events of the vectors whose aggregates are there from version 1. */
function wholeHistories() {
  const { events } = vectors("events");
  const late = new Set(events.filter((event) => event.starts_from).map(keyOf));
  return events.filter((event) => !late.has(keyOf(event)));
}

function keyOf({ aggregate }) {
  return JSON.stringify(aggregate);
}

/** What pure JavaScript says, in the form of a report. */
function reference(bytes) {
  try {
    const { events, aggregates, digest } = verifyReference(bytes);
    return { ok: true, events, aggregates, digest };
  } catch (error) {
    return { ok: false, line: error.line };
  }
}

describe("a whole export", () => {
  test("verifies, and pure JavaScript agrees", async () => {
    for (const lines of [LINES, generated(1000)]) {
      const bytes = bytesOf(lines);
      const report = await verifyExport(bytes);
      assert.deepEqual(
        { ok: report.ok, events: report.events, aggregates: report.aggregates, digest: report.digest },
        reference(bytes),
        report.text,
      );
      assert.equal(report.ok, true);
      assert.equal(report.schema, "cim.verify/v1");
      assert.equal(report.verified, "chain");
      assert.match(report.not_proven, /cut tail/);
      assert.match(report.heads, /^[0-9a-f]{64}$/);
      assert.deepEqual({ ...JSON.parse(report.text), text: report.text }, report);
    }
  });

  test("may come in chunks that end anywhere", async () => {
    const bytes = bytesOf(LINES);
    const { text } = await verifyExport(bytes);
    for (const size of [1, 2, 3, 7, 64, 1000, 4096, bytes.length]) {
      const verifier = new ExportVerifier();
      for (let at = 0; at < bytes.length; at += size) {
        assert.ok(verifier.push(bytes.subarray(at, at + size)));
      }
      assert.equal(verifier.finish().text, text, `chunks of ${size}`);
    }
  });

  test("may come from a stream", async () => {
    const stream = new Blob([bytesOf(LINES)]).stream();
    assert.equal((await verifyExport(stream)).ok, true);
  });

  test("with a filter is verified event by event, without links", async () => {
    const filtered = { ...JSON.parse(LINES[0]), filter: "cowboyai.security.keys.key.*.named" };
    const named = wholeHistories().filter(({ subject }) => subject.endsWith(".named"));
    const report = await verifyExport(bytesOf(exportLines(named.map(messageOf), filtered)));
    assert.equal(report.ok, true, report.text);
    assert.equal(report.verified, "cid");
    assert.equal(report.heads, null);
    assert.equal(report.events, named.length);
  });

  test("of a history whose end was cut off, with a new last line, verifies: no plain chain can see that", async () => {
    const lines = LINES.slice(1, -1).filter((line) => !line.includes(`"${KEY}.revoked"`));
    assert.notEqual(lines.length, LINES.length - 2);
    const report = await verifyExport(bytesOf([LINES[0], ...lines, endLine(lines)]));
    assert.equal(report.ok, true, report.text);
  });
});

describe("a tampered export", () => {
  /** The lines of the events of one aggregate, changed by `change`, with a last line that agrees. */
  function forged(change) {
    const lines = LINES.slice(1, -1);
    change(lines);
    return [LINES[0], ...lines, endLine(lines)];
  }

  function edit(line, change) {
    const event = JSON.parse(line);
    change(event);
    return JSON.stringify(event);
  }

  const isSecond = ({ headers }) => headers["CIM-Aggregate-Version"] === "2";
  const at = LINES.slice(1, -1).findIndex((line) => isSecond(JSON.parse(line)));
  const other = JSON.parse(LINES[1]).headers["CIM-Cid"];

  // What changes the CID that a line names but not the last line's digest is found at the event first.
  const variants = {
    "one byte of a body": ["wrong-cid", 0, (lines) => {
      lines[at] = edit(lines[at], (event) => { event.body = event.body.replace("root", "boot"); });
    }],
    "one event deleted": ["gap", 0, (lines) => { lines.splice(at, 1); }],
    "two events swapped": ["gap", 0, (lines) => {
      [lines[at], lines[at + 1]] = [lines[at + 1], lines[at]];
    }],
    "an event twice": ["duplicate", 1, (lines) => { lines.splice(at, 0, lines[at]); }],
    "a hashed header edited": ["wrong-cid", 0, (lines) => {
      lines[at] = edit(lines[at], ({ headers }) => { headers["CIM-Source"] += "-x"; });
    }],
    "an aggregate id replaced": ["wrong-cid", 0, (lines) => {
      lines[at] = edit(lines[at], (event) => { event.subject = event.subject.replace(KEY, `${KEY}-x`); });
    }],
    "a CID replaced by another event's": ["wrong-cid", 0, (lines) => {
      lines[at] = edit(lines[at], ({ headers }) => { headers["CIM-Cid"] = other; });
    }],
  };

  for (const [name, [code, later, change]] of Object.entries(variants)) {
    test(`${name}: ${code}`, async () => {
      const bytes = bytesOf(forged(change));
      const report = await verifyExport(bytes);
      assert.equal(report.ok, false, report.text);
      assert.equal(report.error.code, code, report.text);
      assert.equal(report.error.line, at + 2 + later, report.text);
      assert.match(report.error.event, /^[0-9a-f-]{36}$/);
      assert.match(report.error.message, /\S/);
      assert.deepEqual(reference(bytes), { ok: false, line: report.error.line });
    });
  }

  test("the last event deleted, the last line left", async () => {
    const report = await verifyExport(bytesOf(LINES.toSpliced(-2, 1)));
    assert.equal(report.error?.code, "export-summary", report.text);
  });

  test("the last line cut", async () => {
    const report = await verifyExport(bytesOf(LINES.slice(0, -1)));
    assert.equal(report.error?.code, "export-cut", report.text);
    assert.equal(reference(bytesOf(LINES.slice(0, -1))).ok, false);
  });

  test("cut at any byte", async () => {
    const bytes = bytesOf(LINES);
    const step = Math.ceil(bytes.length / 500);
    for (let length = 0; length < bytes.length - 1; length += step) {
      assert.equal((await verifyExport(bytes.subarray(0, length))).ok, false, `${length} bytes`);
    }
  });

  test("after a fault the rest is not read", async () => {
    let pulled = 0;
    async function* endless() {
      for (;;) {
        pulled += 1;
        yield new TextEncoder().encode("no export\n");
      }
    }
    assert.equal((await verifyExport(endless())).ok, false);
    assert.equal(pulled, 1);
  });
});

describe("cim-events", () => {
  const bin = fileURLToPath(new URL("../bin/cim-events.mjs", import.meta.url));
  let folder;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cim-events-"));
    await writeFile(join(folder, "good.cim"), bytesOf(LINES));
    await writeFile(join(folder, "cut.cim"), bytesOf(LINES.slice(0, -1)));
  });
  after(() => rm(folder, { recursive: true }));

  async function run(...args) {
    const child = spawn(process.execPath, [bin, ...args], { cwd: folder });
    const output = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"]) {
      child[name].setEncoding("utf8").on("data", (text) => { output[name] += text; });
    }
    const exit = await new Promise((resolve) => child.on("close", resolve));
    return { exit, ...output };
  }

  test("verify prints the report in one line", async () => {
    const { text } = await verifyExport(bytesOf(LINES));
    assert.deepEqual(await run("verify", "good.cim"), { exit: 0, stdout: `${text}\n`, stderr: "" });
  });

  test("a failed verification exits 6, with the report", async () => {
    const { text } = await verifyExport(bytesOf(LINES.slice(0, -1)));
    assert.deepEqual(await run("verify", "cut.cim"), { exit: 6, stdout: `${text}\n`, stderr: "" });
  });

  test("no such file exits 3", async () => {
    assert.deepEqual(await run("verify", "none.cim"), {
      exit: 3,
      stdout: "",
      stderr: "error: no such file `none.cim`\nhelp: make an export with `cim export FILE`\n",
    });
  });

  test("a folder is no file", async () => {
    const { exit, stderr } = await run("verify", ".");
    assert.equal(exit, 1);
    assert.match(stderr, /^error: cannot read `\.`\ncaused by: .*\nhelp: /);
  });

  test("wrong usage exits 2 and tells the right one", async () => {
    const wrong = {
      "no command": [],
      "no command `check`": ["check", "good.cim"],
      "no FILE to verify": ["verify"],
      "unexpected argument `cut.cim`": ["verify", "good.cim", "cut.cim"],
      "unexpected option `--fast`": ["verify", "--fast", "good.cim"],
    };
    for (const [message, args] of Object.entries(wrong)) {
      assert.deepEqual(await run(...args), {
        exit: 2,
        stdout: "",
        stderr: `error: ${message}\nhelp: run \`cim-events verify FILE\`, or \`cim-events --help\`\n`,
      });
    }
  });

  test("--help and --version", async () => {
    const help = await run("--help");
    assert.equal(help.exit, 0);
    assert.match(help.stdout, /Examples:\n  cim-events verify receipt\.cim/);
    assert.match((await run("--version")).stdout, /^cim-events \d+\.\d+\.\d+\n$/);
  });
});
