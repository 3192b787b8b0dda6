// Checks the MCPB bundle: node bundle.mjs BUNDLE WORK_FOLDER VERSION
// It is unpacked, validated and packed again by MCPB's own tool, and started as a client
// starts it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { getMcpConfigForManifest } from "@anthropic-ai/mcpb";
import { check, greet, run } from "./lib.mjs";

const [bundle, work, version] = process.argv.slice(2);
const unpacked = join(work, "unpacked");
const mcpb = join(import.meta.dirname, "node_modules/.bin/mcpb");
run(mcpb, ["unpack", bundle, unpacked]);
run(mcpb, ["validate", join(unpacked, "manifest.json")]);
run(mcpb, ["pack", unpacked, join(work, "again.mcpb")]);
const manifest = JSON.parse(readFileSync(join(unpacked, "manifest.json")));
check(manifest.version === version && manifest.server.type === "binary" && manifest.user_config.api_key.sensitive, "the manifest");
const defaults = Object.entries(manifest.user_config).flatMap(([key, setting]) => ("default" in setting ? [[key, setting.default]] : []));
const config = await getMcpConfigForManifest({
  manifest, extensionPath: unpacked, systemDirs: {}, pathSeparator: "/", logger: console,
  userConfig: { ...Object.fromEntries(defaults), api_key: "sandbox-key", user_id: "someone" },
});
check(config && config.env.TR_API_KEY === "sandbox-key" && config.args.join(" ") === "--user-id someone --integrations *", `started by ${JSON.stringify(config)}`);
check((await greet(config.command, config.args, { env: { ...process.env, ...config.env } })) === version, "the version in MCP");
console.log("ok: mcpb unpacks, validates and packs the bundle; it starts with a person's settings");
