// Installs the packages into real clients and looks whether they start the server:
// node clients.mjs GEMINI_CLI CLAUDE_CODE PACKAGES WORK_FOLDER REPOSITORY
// The first two are the folders that the clients are installed in.
// Each client gets an empty home folder. None is asked for a model.
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { once } from "node:events";
import { check, run, serveRegistry } from "./lib.mjs";

const [geminiFolder, claudeFolder, packages, work, repository] = process.argv.slice(2);
const platform = `${process.platform}-${process.arch}`;

// call is run for programs that ask the registry, which this process serves, or a person.
async function call(command, args, options, answers = []) {
  const child = spawn(command, args, { ...options, timeout: 120_000 });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data) => {
      output += data;
      if (answers.length > 0 && output.includes(answers[0].to)) child.stdin.write(answers.shift().text + "\r");
    });
  }
  if (answers.length === 0) child.stdin.end();
  const [code] = await once(child, "close");
  check(code === 0, `${command} ${args.join(" ")}: exit code ${code}\n${output}`);
  return output;
}

async function gemini() {
  const home = join(work, "gemini");
  const folder = join(work, "extension");
  for (const f of [home, join(home, ".gemini"), folder]) mkdirSync(f);
  writeFileSync(join(home, ".gemini/trustedFolders.json"), JSON.stringify({ [folder]: "TRUST_FOLDER" }));
  run("tar", ["-xzf", join(packages, "gemini", `${process.platform}.${process.arch}.runs-mcp-server.tar.gz`), "-C", folder]);
  const program = join(geminiFolder, "node_modules/.bin/gemini");
  const options = { cwd: folder, env: { ...process.env, HOME: home, GEMINI_FORCE_FILE_STORAGE: "true" } };
  await call(program, ["extensions", "validate", folder], options);
  // Gemini CLI asks for the settings in a terminal, which script stands in for.
  await call("script", ["-qec", `${program} extensions install ${folder} --consent`, "/dev/null"], options,
    [{ to: "Your toolregistry.ai API key", text: "sandbox-key" }, { to: "The person that runs act for", text: "someone" }]);
  const list = await call(program, ["mcp", "list"], options);
  check(/✓ runs .*Connected/.test(list), `gemini mcp list: ${list}`);
  const settings = await call(program, ["extensions", "list"], options);
  check(settings.includes("API key: ***"), `the key is no secret: ${settings}`);
  console.log("ok: Gemini CLI validates and installs the extension, keeps the key as a secret, and is connected");
}

async function claude() {
  const home = join(work, "claude");
  mkdirSync(home);
  const program = join(claudeFolder, `node_modules/@anthropic-ai/claude-code-${platform}/claude`);
  const env = { ...process.env, HOME: home, DISABLE_TELEMETRY: "1", npm_config_registry: await serveRegistry(join(packages, "npm")), npm_config_cache: join(work, "npm-cache") };
  const options = { cwd: home, env };
  await call(program, ["plugin", "validate", "--strict", join(repository, "packaging/claude")], options);
  await call(program, ["plugin", "validate", "--strict", repository], options);
  await call(program, ["plugin", "marketplace", "add", repository], options);
  await call(program, ["plugin", "install", "runs@runs-mcp-server", "--config", "api_key=sandbox-key", "--config", "user_id=someone"], options);
  const list = await call(program, ["mcp", "list"], options);
  check(/runs.*Connected/.test(list), `claude mcp list: ${list}`);
  console.log("ok: Claude Code validates and installs the plugin, and is connected by npx");
}

await gemini();
await claude();
