// Does whole jobs through this server and through generic OpenAPI bridges, over stdio
// with the official client, and counts what the model reads and writes. Prints JSON: one
// object per job and server.
//
//   node jobs.mjs BINARY CONTRACT GENERATED-BRIDGE SECONDS
//
// A job is: read the tools, create a run that takes about so many seconds, follow it to
// its end, and read its result with its events. What counts is the definitions of the
// tools, once, and the arguments and the result of each call. This server waits for the
// end in get_run. A bridge cannot: the model reads the run every 5 seconds without events,
// and once with events after its end. It decides an approval by a call that carries the
// link's token. Through this server a person decides, whom the client asks, so the model
// neither reads nor writes it.
import assert from 'node:assert/strict';
import { connectBridge, connectOurs, count, key, Peer, person, startSandbox } from './peer.mjs';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const [binary, contract, generatedFolder, secondsText] = process.argv.slice(2);
const seconds = Number(secondsText);
const modules = new URL('node_modules/', import.meta.url).pathname;
const pollMs = 5000;
const intent = 'Find overdue invoices in Salesforce';

// pace returns the behaviour of a run with so many steps that takes the seconds.
const pace = steps => `sandbox: steps=${steps} queue_ms=0 step_ms=${Math.round(seconds * 1000 / (steps + 1))}`;
const jobs = [
  { name: 'a run of 3 steps', args: { intent, context: pace(3) } },
  { name: 'a run of 500 events', args: { intent, context: pace(497) } },
  { name: 'a run that needs an approval', args: { intent, context: pace(3), approvalStrategy: 'ON_START' } },
];

// Conversation is what a model reads and writes in a job.
class Conversation {
  constructor(peer) {
    this.peer = peer;
    this.texts = [peer.client.getInstructions() ?? '', peer.tools()];
    this.calls = 0;
  }
  // call calls a tool and counts its arguments and its answer.
  async call([name, args]) {
    const text = await this.peer.call([name, args], { timeout: 60_000 });
    this.texts.push(JSON.stringify({ name, arguments: args }), text);
    this.calls++;
    return text;
  }
  size() {
    const counts = this.texts.map(count);
    const sum = member => counts.reduce((all, each) => all + each[member], 0);
    return { calls: this.calls, bytes: sum('bytes'), tokens: sum('tokens') };
  }
}

// followByWaiting follows a run by calls that wait: as this server's texts say.
async function followByWaiting(conversation, args) {
  const read = text => {
    const member = name => text.match(new RegExp(`"${name}":("?)([^",}]+)\\1`))?.[2];
    return { runId: member('runId'), finished: member('finished') === 'true', lastEventId: Number(member('lastEventId')) };
  };
  const { runId, lastEventId } = read(await conversation.call(['create_run', args]));
  for (let after = lastEventId, finished = false; !finished;) {
    const run = read(await conversation.call(['get_run', { runId, afterEventId: after, waitSeconds: 45 }]));
    ({ finished, lastEventId: after } = run);
  }
}

// followByPolling follows a run as a model must through a bridge.
async function followByPolling(conversation, args) {
  const { peer } = conversation;
  const read = async call => {
    const text = await conversation.call(call);
    return { text, run: JSON.parse(text.slice(text.indexOf('{'))) };
  };
  let { run } = await read(peer.create(args));
  const { runId } = run;
  while (!['SUCCESS', 'FAILED', 'CANCELED'].includes(run.status)) {
    await new Promise(resolve => setTimeout(resolve, pollMs));
    ({ run } = await read(peer.state(runId)));
    if (run.status !== 'PAUSED') continue;
    const { text } = await read(peer.events(runId));
    await conversation.call(peer.approve(text.match(/token=([A-Z2-7]+)/)[1]));
  }
  assert.equal(run.status, 'SUCCESS');
  await read(peer.events(runId));
}

// connectAll connects a client to each server. The person behind ours approves.
async function connectAll(url) {
  const ours = new Peer({ follow: followByWaiting }, { elicitation: { form: {} } });
  ours.client.setRequestHandler(ElicitRequestSchema, async () => ({ action: 'accept', content: { decision: 'approve' } }));
  await connectOurs(ours, binary, url);
  const bridge = new Peer({
    follow: followByPolling,
    create: args => ['run-crt-run', { ...person, ...args }],
    state: runId => ['run-get-run', { runId }],
    events: runId => ['run-get-run', { runId, includeEvents: 'true' }],
    approve: token => ['run-run-approval', { token }],
  });
  await connectBridge(bridge, modules, contract, url);
  const generated = new Peer({
    follow: followByPolling,
    create: args => ['RunController_createRun', { requestBody: { ...person, ...args } }],
    state: runId => ['RunController_getRun', { runId }],
    events: runId => ['RunController_getRun', { runId, includeEvents: 'true' }],
    approve: token => ['RunController_runApproval', { token }],
  });
  await generated.connect(process.execPath, [`${generatedFolder}/stdio/build/index.js`], { API_BASE_URL: url, API_KEY_KEY: key });
  return { 'runs-mcp-server': ours, '@ivotoby/openapi-mcp-server': bridge, 'openapi-mcp-generator': generated };
}

const sandbox = await startSandbox(binary);
let peers = {};
try {
  peers = await connectAll(sandbox.url);
  // All jobs run at the same time: they mostly wait.
  const all = jobs.flatMap(job => Object.entries(peers).map(async ([server, peer]) => {
    const conversation = new Conversation(peer);
    await peer.follow(conversation, job.args);
    return { job: job.name, server, ...conversation.size() };
  }));
  console.log(JSON.stringify(await Promise.all(all)));
} finally {
  await Promise.allSettled(Object.values(peers).map(peer => peer.client.close()));
  sandbox.child.kill();
}
