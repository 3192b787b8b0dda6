#!/usr/bin/env node
// Starts the program for this machine, which one of the optional dependencies carries.
// Standard streams, the exit code and signals are the program's own.
"use strict";
const { spawn } = require("node:child_process");
const { constants } = require("node:os");

const platform = `${process.platform}-${process.arch}`;
const file = `runs-mcp-server-${platform}/bin/runs-mcp-server${process.platform === "win32" ? ".exe" : ""}`;

function fail(message) {
  console.error(`runs-mcp-server: ${message}`);
  process.exit(1);
}

let program;
try {
  program = require.resolve(file);
} catch {
  fail(`the package runs-mcp-server-${platform} is not installed. Install runs-mcp-server again without --omit=optional. ` +
    "If there is no package for this machine, build the program with Go.");
}

const child = spawn(program, process.argv.slice(2), { stdio: "inherit", windowsHide: true });
child.on("error", (error) => fail(`${program}: ${error.message}`));

const signals = ["SIGTERM", "SIGHUP", "SIGINT"];
for (const signal of signals) {
  process.on(signal, () => {
    // A terminal sends Ctrl-C to the program, too. A second one would end it at once.
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  });
}
child.on("exit", (code, signal) => {
  if (!signal) process.exit(code);
  for (const s of signals) process.removeAllListeners(s);
  process.kill(process.pid, signal);
  setTimeout(() => process.exit(128 + constants.signals[signal]), 1000); // where the signal does not end it
});
