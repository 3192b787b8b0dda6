// Measures what a model gets of the same API through a generic OpenAPI bridge
// and through this server: both over stdio, with the official client, against
// one sandbox. Writes the table between the README's markers, or with --check
// fails where the table there is another one. Always fails where docs/tools.md has
// other sizes of the tools, or where they cost a model more tokens than the bridge's.
//
//   node compare.mjs BINARY REPOSITORY [--check]
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectBridge, connectOurs, count, patienceMs, Peer, person, startSandbox } from './peer.mjs';

const [binary, repository, mode] = process.argv.slice(2);
const modules = new URL('node_modules/', import.meta.url).pathname;
const version = name => JSON.parse(readFileSync(join(modules, name, 'package.json'))).version;
const bridgePackage = '@ivotoby/openapi-mcp-server';

const bridge = new Peer({
  create: args => ['run-crt-run', { ...person, ...args }],
  list10: () => ['run-lst-runs', {}],
  events: runId => ['run-get-run', { runId, includeEvents: 'true' }],
  state: runId => ['run-get-run', { runId }],
  follow: runId => ['run-sse', { runId }],
});
const ours = new Peer({
  create: args => ['create_run', args],
  list10: () => ['list_runs', {}],
  events: runId => ['get_run', { runId }],
  state: runId => ['get_run', { runId, includeEvents: false }],
  follow: runId => ['get_run', { runId, waitSeconds: 3 }],
});

// newRun creates a run that behaves as told, and returns its id.
async function newRun(behaviour, more = {}) {
  const text = await bridge.call(bridge.create({ intent: 'Find overdue invoices', context: `sandbox: ${behaviour}`, ...more }));
  return JSON.parse(text).runId;
}

// settled waits until a run has a status.
async function settled(runId, status) {
  for (let tries = 0; tries < 500; tries++) {
    if (JSON.parse(await bridge.call(bridge.state(runId))).status === status) return runId;
    await new Promise(resolve => setTimeout(resolve, 10));
  }
  throw new Error(`the run did not become ${status}`);
}

// size counts a text's bytes and tokens.
function size(text) {
  const { bytes, tokens } = count(text);
  return [bytes.toLocaleString('en'), tokens.toLocaleString('en')];
}

const both = async measure => [await measure(bridge), await measure(ours)];
const answers = words => both(async peer => size(await peer.call(words(peer))));

// toolSizes measures what the tools cost and returns what is wrong: docs/tools.md has
// other bytes (a Go test writes that page), or a model pays more tokens than for the bridge.
function toolSizes() {
  const page = readFileSync(join(repository, 'docs/tools.md'), 'utf8').split('\n');
  const problems = [];
  const measure = (what, peer) => {
    const text = peer.tools();
    const row = `| ${what} | ${size(text)[0]} | ${size(JSON.stringify(peer.list))[0]} |`;
    if (!page.includes(row)) problems.push(`docs/tools.md lacks the row ${row}: see TestToolsDocument, which writes it`);
    return count(text).tokens;
  };
  const mine = measure('`--approvals=human`', ours);
  const theirs = measure('a [generic bridge](../README.md#size)', bridge);
  console.log(`tools as a model sees them: ${mine} tokens, through the bridge ${theirs}`);
  if (mine >= theirs) problems.push('the tools cost a model more tokens than those of the bridge');
  return problems;
}

// sizes measures the rows that are bytes and tokens.
async function sizes() {
  const instructions = peer => peer.client.getInstructions();
  const rows = [
    ['server instructions', await both(peer => instructions(peer) ? size(instructions(peer)) : ['none', ''])],
    ['a new run of 3 steps', await answers(peer => peer.create({ intent: 'Find overdue invoices in Salesforce', context: 'sandbox: steps=3 queue_ms=600000' }))],
  ];
  const many = await settled(await newRun('steps=497 step_ms=0'), 'SUCCESS');
  assert.equal(JSON.parse(await bridge.call(bridge.events(many))).events.length, 500);
  for (let i = 0; i < 10; i++) await settled(await newRun('steps=3 step_ms=0'), 'SUCCESS');
  rows.push(
    ['a list of 10 runs', await answers(peer => peer.list10())],
    ['a run of 500 events', await answers(peer => peer.events(many))],
    ['the same run, no events asked for', await answers(peer => peer.state(many))],
  );
  return rows;
}

// follow says what comes of following a run that goes on.
async function follow(peer, runId) {
  try {
    const [bytes] = size(await peer.call(peer.follow(runId)));
    return `${bytes} bytes, when the wait ends`;
  } catch (error) {
    assert.match(error.message, /timed out/);
    return `no answer in ${patienceMs / 1000} s`;
  }
}

// conduct measures the rows that are not a size.
async function conduct() {
  const lasting = await settled(await newRun('steps=3 queue_ms=0 step_ms=600000'), 'RUNNING');
  const waiting = await settled(await newRun('step_ms=0', { approvalStrategy: 'ON_START' }), 'PAUSED');
  const links = async peer => (await peer.call(peer.events(waiting))).match(/token=[A-Z2-7]+/g) ?? [];
  const shown = await both(async peer => `${(await links(peer)).length}`);
  const [refused] = (await ours.call(['approve', { runId: waiting, decision: 'approve' }], { refused: true })).split(':');
  assert.equal(JSON.parse(await bridge.call(bridge.state(waiting))).status, 'PAUSED');
  await bridge.call(['run-run-approval', { token: (await links(bridge))[0].slice('token='.length) }]);
  await settled(waiting, 'SUCCESS');
  return [
    ['following a run that goes on', [await follow(bridge, lasting), await follow(ours, lasting)]],
    ['one-time approval links that the model sees', shown],
    ['the model approves, nobody asked', ['done', `refused: \`${refused}\``]],
  ];
}

// table renders the rows as Markdown.
function table(measured, told) {
  const lines = [
    '| | bridge: bytes | tokens | this server: bytes | tokens |',
    '|---|--:|--:|--:|--:|',
    ...measured.map(([what, [theirs, mine]]) => `| ${[what, ...theirs, ...mine].join(' | ')} |`),
    ...told.map(([what, [theirs, mine]]) => `| ${[what, theirs, '', mine, ''].join(' | ')} |`),
  ];
  return lines.join('\n').replace(/ {2}\|/g, ' |');
}

// publish puts the text between the README's markers, or compares it with what
// is there. It returns whether the README says what was measured.
function publish(text) {
  const file = join(repository, 'README.md');
  const readme = readFileSync(file, 'utf8');
  const marked = /(<!-- sizes:begin -->\n)[^]*(<!-- sizes:end -->)/;
  assert.match(readme, marked, 'README.md lacks the markers');
  const updated = readme.replace(marked, (_, begin, end) => begin + text + end);
  if (mode !== '--check') writeFileSync(file, updated);
  return mode !== '--check' || updated === readme;
}

const sandbox = await startSandbox(binary);
let problems;
try {
  const contract = join(repository, 'internal/sandbox/openapi.json');
  await connectBridge(bridge, modules, contract, sandbox.url);
  await connectOurs(ours, binary, sandbox.url);
  problems = toolSizes();
  const text = `\n${table(await sizes(), await conduct())}

The bridge is [\`${bridgePackage}\`](https://www.npmjs.com/package/${bridgePackage}) ${version(bridgePackage)}, as it comes, over
\`internal/sandbox/openapi.json\`. Tokens are those of gpt-tokenizer ${version('gpt-tokenizer')}, \`o200k_base\`.

`;
  if (!publish(text)) problems.push('the README says otherwise: .ci/compare/run writes what was measured');
  console.log(text.trim());
} finally {
  await Promise.allSettled([bridge.client.close(), ours.client.close()]);
  sandbox.child.kill();
}
for (const problem of problems) console.error(problem);
console.log(problems.length === 0 ? 'compare: ok' : 'compare: FAILED');
process.exit(problems.length === 0 ? 0 : 1);
