#!/usr/bin/env node
// The command of the package: verifies an export and prints what `cim verify --export FILE --json` prints.

import { createReadStream, readFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { verifyExport } from "../dist/index.js";

const HELP = `Verify a CIM export

Examples:
  cim-events verify receipt.cim

Usage: cim-events verify FILE

Options:
  -h, --help     Print help
  -V, --version  Print version

Prints one JSON document, the same as \`cim verify --export FILE --json\`.
Exit codes: 0 verified, 2 usage, 3 no such file, 6 verification failed.
`;

const EXIT = { failed: 1, usage: 2, notFound: 3, notAllowed: 4, unverified: 6 };

/** An error with its exit code and the next thing to type. */
class CommandError extends Error {
  constructor(exit, message, help, cause) {
    super(message, { cause });
    this.exit = exit;
    this.help = help;
  }
}

function usage(message) {
  return new CommandError(EXIT.usage, message, "run `cim-events verify FILE`, or `cim-events --help`");
}

function parse(args) {
  const options = { help: { type: "boolean", short: "h" }, version: { type: "boolean", short: "V" } };
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    const option = /'(-[^']*)'/.exec(error.message)?.[1].split(/[ ,=]/)[0];
    throw usage(option === undefined ? error.message : `unexpected option \`${option}\``);
  }
}

function unreadable(file, error) {
  if (error.code === "ENOENT") {
    return new CommandError(EXIT.notFound, `no such file \`${file}\``, "make an export with `cim export FILE`");
  }
  const exit = error.code === "EACCES" || error.code === "EPERM" ? EXIT.notAllowed : EXIT.failed;
  return new CommandError(exit, `cannot read \`${file}\``, "name an export that you may read", error);
}

async function main(args) {
  const { values, positionals } = parse(args);
  if (values.help) return print(HELP, 0);
  if (values.version) {
    const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
    return print(`cim-events ${manifest.version}\n`, 0);
  }
  const [command, file, ...rest] = positionals;
  if (command === undefined) throw usage("no command");
  if (command !== "verify") throw usage(`no command \`${command}\``);
  if (file === undefined) throw usage("no FILE to verify");
  if (rest.length > 0) throw usage(`unexpected argument \`${rest[0]}\``);

  const report = await verifyExport(chunksOf(file));
  return print(`${report.text}\n`, report.ok ? 0 : EXIT.unverified);
}

async function* chunksOf(file) {
  try {
    yield* createReadStream(file, { highWaterMark: 1 << 20 });
  } catch (error) {
    throw error.syscall === undefined ? error : unreadable(file, error);
  }
}

/** Sets the exit code instead of exiting, so that a pipe gets everything. */
function print(text, exit) {
  process.exitCode = exit;
  process.stdout.write(text);
}

// A reader that closes the pipe has what it wanted.
process.stdout.on("error", (error) => process.exit(error.code === "EPIPE" ? process.exitCode : EXIT.failed));

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof CommandError)) throw error;
  const cause = error.cause === undefined ? "" : `caused by: ${error.cause.message}\n`;
  process.stderr.write(`error: ${error.message}\n${cause}help: ${error.help}\n`);
  process.exitCode = error.exit;
}
