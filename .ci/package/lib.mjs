// What the checks of packages share.
import { spawn, spawnSync } from "node:child_process";
import { createServer } from "node:http";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";

export function fail(message) {
  console.error(`package: ${message}`);
  process.exit(1);
}

export function check(condition, message) {
  if (!condition) fail(message);
}

// run runs a program to its end and returns what it printed.
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: "utf8", timeout: 120_000, ...options });
  if (result.status !== (options.code ?? 0)) fail(`${command} ${args.join(" ")}: exit code ${result.status ?? result.signal ?? result.error}\n${result.stdout}${result.stderr}`);
  return result.stdout + result.stderr;
}

// greet starts a server over stdio and asks it for its tools, as a client does. It
// returns the version that the server says it has.
export async function greet(command, args, options = {}) {
  const server = spawn(command, args, { stdio: "pipe", ...options });
  let log = "";
  server.stderr.on("data", (data) => (log += data));
  const timer = setTimeout(() => fail(`${command} does not answer: ${log}`), 60_000);
  const answers = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  const send = (message) => server.stdin.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n");
  const ask = async (id, method, params) => {
    send({ id, method, params });
    for (;;) {
      const { value, done } = await answers.next();
      check(!done, `${command} ended before it answered ${method}: ${log}`);
      const message = JSON.parse(value);
      if (message.id === id) return message.result ?? fail(`${method}: ${value}`);
    }
  };
  const { serverInfo } = await ask(1, "initialize", { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "check", version: "0" } });
  send({ method: "notifications/initialized" });
  const { tools } = await ask(2, "tools/list", {});
  check(tools.length === 5, `${command} offers ${tools.length} tools`);
  server.stdin.end();
  const code = await new Promise((resolve) => server.on("exit", resolve));
  check(code === 0, `${command}: exit code ${code} at the end of standard input`);
  clearTimeout(timer);
  return serverInfo.version;
}

// serveRegistry serves packed npm packages like a registry, so that npm and npx install
// them as they would after a release. It returns the address.
export async function serveRegistry(folder) {
  const packages = {};
  for (const file of readdirSync(folder).filter((f) => f.endsWith(".tgz"))) {
    const manifest = JSON.parse(run("tar", ["-xzOf", `${folder}/${file}`, "package/package.json"]));
    packages[manifest.name] = { manifest, file };
  }
  const server = createServer((request, response) => {
    const [, name, tarball] = decodeURIComponent(request.url).split("/");
    const found = packages[name];
    if (!found) return response.writeHead(404).end("{}");
    const content = readFileSync(`${folder}/${found.file}`);
    if (tarball) return response.end(content);
    const { manifest } = found;
    const dist = { tarball: `${address}/${name}/tarball.tgz`, integrity: "sha512-" + createHash("sha512").update(content).digest("base64") };
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify({ name, "dist-tags": { latest: manifest.version }, versions: { [manifest.version]: { ...manifest, dist } } }));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();
  const address = `http://127.0.0.1:${server.address().port}`;
  return address;
}
