// A nats-server for a test: the program that `cargo xtask` has fetched, on a port of its own.

import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Starts a server; `{ url, stop }`. */
export async function startServer(config) {
  const folder = await mkdtemp(join(tmpdir(), "cim-nats-"));
  const file = join(folder, "server.conf");
  await writeFile(file, config);
  const options = ["--addr", "127.0.0.1", "--port", "-1", "--ports_file_dir", folder, "--config", file];
  const server = spawn(program(), options, { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  server.stderr.setEncoding("utf8").on("data", (text) => { log += text; });
  const ended = new Promise((resolve) => server.on("close", resolve));
  const stop = async () => {
    server.kill("SIGKILL");
    await ended;
    await rm(folder, { recursive: true });
  };
  const ports = join(folder, `nats-server_${server.pid}.ports`);
  for (let tries = 0; tries < 500 && server.exitCode === null; tries += 1) {
    try {
      const [url] = JSON.parse(readFileSync(ports, "utf8")).nats;
      return { url, stop };
    } catch {
      // It is not there, or not whole.
    }
    await sleep(20);
  }
  await stop();
  throw new Error(`nats-server does not start:\n${log}`);
}

function program() {
  const { CIM_NATS_SERVER: given, XDG_CACHE_HOME: cache = join(homedir(), ".cache") } = process.env;
  if (given !== undefined) return given;
  const tools = join(cache, "cim/tools");
  const found = existsSync(tools) ? readdirSync(tools).filter((name) => name.startsWith("nats-server-")) : [];
  if (found.length === 0) throw new Error("there is no nats-server: run `cargo xtask nats-server`");
  return join(tools, found.sort().at(-1), "bin/nats-server");
}
