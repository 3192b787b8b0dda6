// Starts the container image without a container engine: node image.mjs LAYOUT WORK_FOLDER VERSION
// Its processes get namespaces of their own, its root is read-only, and its user, command
// and health check are those that the image names. Needs root (or sudo), util-linux and
// iproute2.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { once } from "node:events";
import { check, greet, run } from "./lib.mjs";

const [layout, work, version] = process.argv.slice(2);
const sudo = process.getuid() === 0 ? [] : ["sudo", "-n"];
const blob = (digest) => join(layout, "blobs", ...digest.split(":"));
const json = (file) => JSON.parse(readFileSync(file));

// Unpack the image for this machine.
const processor = { x64: "amd64", arm64: "arm64" }[process.arch];
const entry = json(join(layout, "index.json")).manifests.find((m) => m.platform.architecture === processor);
const manifest = json(blob(entry.digest));
const { config } = json(blob(manifest.config.digest));
const root = join(work, "root");
mkdirSync(root);
for (const layer of manifest.layers) run("tar", ["-xf", blob(layer.digest), "-C", root]);
const files = run("find", [root, "-type", "f", "-printf", "%P\n"]).trim().split("\n").sort().join();
check(files === "etc/ssl/certs/ca-certificates.crt,runs-mcp-server", `the image holds ${files}`);
check(config.Healthcheck.Test[0] === "CMD" && config.User === "65532:65532", "the configuration of the image");

// contained returns a command line that runs a program in the image.
const contained = (command) => [...sudo, "unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child", "sh", "-ec",
  'ip link set lo up; mount --bind "$0" "$0"; mount -o remount,ro,bind "$0"; user=$1; shift; exec setpriv --no-new-privs chroot --userspec="$user" --groups= "$0" "$@"',
  root, config.User, ...command];

// Over stdio.
const [program, ...args] = contained([...config.Entrypoint, "stdio", "--sandbox"]);
check((await greet(program, args)) === version, "the version in MCP");

// Over HTTP, as the image starts by itself.
const command = contained([...config.Entrypoint, ...config.Cmd]);
const server = spawn(command[0], command.slice(1), { stdio: ["ignore", "ignore", "pipe"] });
let log = "";
server.stderr.on("data", (data) => (log += data));
let ended;
const exit = once(server, "exit").then(([code]) => (ended = code));

// findProgram returns the process of the program below another one. sudo and unshare are
// between them.
function findProgram(pid) {
  if (readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "runs-mcp-server") return pid;
  const children = spawnSync("pgrep", ["--parent", String(pid)], { encoding: "utf8" }).stdout.trim().split("\n").filter(Boolean);
  return children.map(findProgram).find(Boolean);
}
const [asRoot, ...before] = [...sudo, "env"];
const health = () => spawnSync(asRoot, [...before, "nsenter", "--target", String(pid), "--mount", "--pid", "--net", "--root", "--wd=/",
  "--setuid", "65532", "--setgid", "65532", ...config.Healthcheck.Test.slice(1)], { encoding: "utf8" });
const deadline = Date.now() + 20_000;
while (!log.includes("msg=serving")) {
  check(ended === undefined && Date.now() < deadline, `the image does not serve: ${log}`);
  await new Promise((resolve) => setTimeout(resolve, 50));
}
const pid = findProgram(server.pid);
const healthy = health();
check(healthy.status === 0 && healthy.stdout === "ok\n", `the health check: ${healthy.status} ${healthy.stdout}${healthy.stderr}`);
const status = readFileSync(`/proc/${pid}/status`, "utf8");
check(/^Uid:\t65532\t65532\t65532\t65532$/m.test(status) && /^Groups:\s*$/m.test(status), "the user");
check(/^CapEff:\t0+$/m.test(status) && /^NoNewPrivs:\t1$/m.test(status) && /^NSpid:\t\d+\t1$/m.test(status), "the rights");
const mounts = run(asRoot, [...before, "cat", `/proc/${pid}/mountinfo`]).trim().split("\n");
check(mounts.every((m) => m.split(" ")[4] !== "/" || m.split(" ")[5].startsWith("ro")), `the root is not read-only:\n${mounts.join("\n")}`);

// SIGTERM to process 1, as every engine sends it.
run(asRoot, [...before, "kill", "-TERM", String(pid)]);
const started = Date.now();
await exit;
check(ended === 0, `after SIGTERM: exit code ${ended}: ${log}`);
console.log(`ok: the image, read-only and as ${config.User}: stdio, HTTP, health check, SIGTERM (${((Date.now() - started) / 1000).toFixed(1)} s)`);
