// Checks the npm packages: node npm.mjs FOLDER_OF_TARBALLS WORK_FOLDER VERSION
// They are installed into empty folders from their tarballs, and by npx from a registry
// that is served here.
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { once } from "node:events";
import { check, greet, run, serveRegistry } from "./lib.mjs";

const [tarballs, work, version] = process.argv.slice(2);
const registry = await serveRegistry(tarballs);
const env = { ...process.env, npm_config_registry: registry, npm_config_cache: join(work, "npm-cache"), npm_config_update_notifier: "false" };
const npm = (args, cwd) => runAsync("npm", [...args, "--no-audit", "--no-fund", "--loglevel", "error"], { cwd, env });

// runAsync is run for programs that ask the registry, which this process serves.
async function runAsync(command, args, options) {
  const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  const [code] = await once(child, "close");
  check(code === (options.code ?? 0), `${command} ${args.join(" ")}: exit code ${code}\n${output}`);
  return output;
}

// emptyFolder makes a folder that npm takes for the root of a project, whatever is above it.
function emptyFolder(name) {
  const folder = join(work, name);
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), "{}");
  return folder;
}

// By its tarball. npm takes the platform's package from the registry.
const installed = emptyFolder("installed");
await npm(["install", join(tarballs, `runs-mcp-server-${version}.tgz`)], installed);
const carried = readdirSync(join(installed, "node_modules")).filter((f) => f.startsWith("runs-mcp-server-"));
check(carried.join() === `runs-mcp-server-${process.platform}-${process.arch}`, `npm installed ${carried}`);
const command = join(installed, "node_modules/.bin/runs-mcp-server");

// Standard streams and exit codes are the program's.
check(run(command, ["--version"]) === `${version}\n`, "--version");
check(run(command, ["--no-such-flag"], { code: 2 }).includes("--no-such-flag"), "an unknown flag");
check((await greet(command, ["--sandbox"])) === version, "the version in MCP");

// Signals reach the program, whose exit code or signal comes back.
for (const [args, signal, code, ready] of [
  [["http", "--sandbox", "--drain", "0s", "--listen", "127.0.0.1:0"], "SIGTERM", 0, "msg=serving"],
  [["http", "--sandbox", "--drain", "0s", "--listen", "127.0.0.1:0"], "SIGINT", 0, "msg=serving"],
  [["http", "--sandbox", "--drain", "0s", "--listen", "127.0.0.1:0"], "SIGHUP", 0, "msg=serving"],
]) {
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  while (!log.includes(ready)) log += (await once(child.stderr, "data"))[0];
  child.kill(signal);
  const [got, by] = await once(child, "exit");
  check(got === code, `after ${signal}: exit code ${got ?? by}, want ${code}`);
}

// A program that a signal kills: the launcher ends by the same signal.
const killed = spawn(command, ["http", "--sandbox", "--listen", "127.0.0.1:0"], { stdio: ["ignore", "ignore", "pipe"] });
let log = "";
while (!log.includes("msg=serving")) log += (await once(killed.stderr, "data"))[0];
const program = +readFileSync(`/proc/${killed.pid}/task/${killed.pid}/children`, "utf8").trim();
process.kill(program, "SIGKILL");
const [, signal] = await once(killed, "exit");
check(signal === "SIGKILL", `a killed program: ${signal}`);

// Without the platform's package it says what to do.
const bare = emptyFolder("bare");
await npm(["install", "--omit=optional", join(tarballs, `runs-mcp-server-${version}.tgz`)], bare);
check(run(join(bare, "node_modules/.bin/runs-mcp-server"), [], { code: 1 }).includes("--omit=optional"), "a missing binary");

// By npx, from nothing.
const cwd = emptyFolder("npx");
check((await runAsync("npx", ["-y", "runs-mcp-server", "--version"], { cwd, env })) === `${version}\n`, "npx --version");
await runAsync("npx", ["-y", "runs-mcp-server", "--no-such-flag"], { cwd, env, code: 2 });
check((await greet("npx", ["-y", `runs-mcp-server@${version}`, "--sandbox"], { cwd, env })) === version, "npx over stdio");

// Every platform's package has a program of the name that the launcher looks for.
const packages = readdirSync(tarballs).filter((f) => /-(x64|arm64)-[^-]*\.tgz$/.test(f));
for (const file of packages) {
  const manifest = JSON.parse(run("tar", ["-xzOf", join(tarballs, file), "package/package.json"]));
  const exe = manifest.os[0] === "win32" ? ".exe" : "";
  const list = run("tar", ["-tvzf", join(tarballs, file)]);
  check(new RegExp(`^-rwxr-xr-x.* package/bin/runs-mcp-server${exe.replace(".", "\\.")}$`, "m").test(list), `${file} holds no program:\n${list}`);
}
console.log(`ok: npm install and npx of the packed packages (${packages.length} platforms): streams, exit codes, signals`);
