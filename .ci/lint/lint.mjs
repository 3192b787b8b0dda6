// Holds what clients see to two public linters: the MCP Inspector's strict lint
// of tool schemas, for every surface that flags make, in stateful and stateless revisions, over stdio
// and HTTP; and MCPJam's checks that need no fixture, and those of MCP Apps, over HTTP.
//
// KNOWN is a JSON object of findings that are not faults: "linter rule place"
// to the reason. Any other finding fails, and so does an entry that nothing
// finds any more.
//
//   node lint.mjs BINARY KNOWN
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { MCPAppsConformanceTest, MCPConformanceTest } from '@mcpjam/sdk';

const [binary, knownFile] = process.argv.slice(2);
const known = JSON.parse(readFileSync(knownFile, 'utf8'));
const inspector = new URL('node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js', import.meta.url).pathname;
const headers = { 'x-api-key': 'sandbox-key' };
const revisions = ['legacy', 'modern'];
const surfaces = [[], ['--approvals=agent', '--allow-pass-through'], ['--read-only']];
const jamChecks = 15; // without fixtures, in the pinned version
const jamAppChecks = 7;

const seen = new Set();
let failures = 0;

// find notes a finding, and prints it the first time unless it is known.
function find(finding, text) {
  if (seen.has(finding)) return;
  seen.add(finding);
  if (finding in known) return;
  failures++;
  console.error(`${finding}\n  ${text}`);
}

// json runs a program that prints a JSON object, whatever its exit code.
function json(program, args) {
  const { stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', timeout: 60_000, maxBuffer: 1 << 26 });
  try {
    return JSON.parse(stdout);
  } catch {
    throw new Error(`${[program, ...args].join(' ')}: ${error ?? stderr}`);
  }
}

// inspect lints the tools of one surface and returns how many they are.
function inspect(flags, revision, target) {
  const lint = ['--cli', '--method', 'tools/list', '--strict', '--quiet', '--format', 'json', '--protocol-era', revision];
  const { result, schemaFindings = [] } = json(process.execPath, [inspector, ...lint, ...target]);
  const want = json(binary, ['tools', '--sandbox', ...flags]).tools.length;
  if (result.tools.length !== want) throw new Error(`the Inspector saw ${result.tools.length} of ${want} tools`);
  for (const { toolName, findings } of schemaFindings) {
    for (const f of findings) {
      find(`inspector ${f.rule} ${toolName}.${f.schema}.${f.path}`, `${f.severity}, ${['serving', ...flags].join(' ')}, ${revision}: ${f.issue}`);
    }
  }
  return want;
}

// serve starts the server over HTTP and returns it and its address.
async function serve() {
  const child = spawn(binary, ['http', '--sandbox', '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const lines = createInterface({ input: child.stderr });
  return new Promise((resolve, reject) => {
    lines.on('line', line => {
      const url = line.match(/msg=serving url=(\S+)/)?.[1];
      if (url) resolve({ child, url });
    });
    lines.on('close', () => reject(new Error('the server did not start')));
  });
}

// jam runs a suite of MCPJam's checks and returns how many passed. One that was skipped
// or has a warning counts as a finding.
async function jam(suite, want) {
  const { checks } = await suite.run();
  if (checks.length !== want) throw new Error(`MCPJam ran ${checks.length} checks, not ${want}`);
  for (const c of checks) for (const warning of c.warnings ?? []) find(`mcpjam warning ${c.id}`, warning);
  const others = checks.filter(c => c.status !== 'passed');
  for (const c of others) find(`mcpjam ${c.status} ${c.id}`, c.error?.message);
  return checks.length - others.length;
}

const server = await serve();
let tools = 0, runs = 0, passed, passedApps;
try {
  const overHTTP = ['--transport', 'http', '--server-url', server.url, '--header', `x-api-key: ${headers['x-api-key']}`];
  for (const revision of revisions) {
    for (const flags of surfaces) {
      tools += inspect(flags, revision, ['--', binary, '--sandbox', ...flags]);
      runs++;
    }
    tools += inspect([], revision, overHTTP);
    runs++;
  }
  passed = await jam(new MCPConformanceTest({ serverUrl: server.url, customHeaders: headers, checkTimeout: 10_000 }), jamChecks);
  passedApps = await jam(new MCPAppsConformanceTest({ url: server.url, requestInit: { headers }, timeout: 10_000 }), jamAppChecks);
} finally {
  server.child.kill();
}
for (const entry of Object.keys(known).filter(entry => !seen.has(entry))) {
  failures++;
  console.error(`${entry}\n  is known, but nothing finds it any more: take it out`);
}
const verdict = failures === 0 ? 'ok' : `FAILED (${failures} findings above)`;
console.log(`lint: ${verdict}, the Inspector read ${tools} tools in ${runs} runs, ${passed} of ${jamChecks} MCPJam checks and ${passedApps} of its ${jamAppChecks} for MCP Apps passed, ${Object.keys(known).length} findings are known`);
process.exit(failures === 0 ? 0 : 1);
