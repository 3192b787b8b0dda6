// Has a person decide through the official TypeScript clients, one for each
// era, over stdio and over HTTP: asked while a call waits and by approve, they
// approve, deny and decline, and what they choose is what happens.
//
//   node person-decides.mjs BINARY URL
import assert from 'node:assert/strict';
import { Client as NewClient, StreamableHTTPClientTransport as NewHTTP } from '@modelcontextprotocol/client';
import { StdioClientTransport as NewStdio } from '@modelcontextprotocol/client/stdio';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as OldStdio } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as OldHTTP } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const [binary, url] = process.argv.slice(2);
const info = { name: 'official-typescript', version: '1' };
const can = { capabilities: { elicitation: { form: {} } } };
const stdio = { command: binary, args: ['--sandbox', '--log-level=error'] };
const http = { requestInit: { headers: { 'x-api-key': 'sandbox-key' } } };
const pinned = { ...can, versionNegotiation: { mode: { pin: '2026-07-28' } } };

const ways = [
  ['stateless over stdio', new NewClient(info, pinned), () => new NewStdio(stdio), (c, p) => c.callTool(p), 'elicitation/create'],
  ['stateless over HTTP', new NewClient(info, pinned), () => new NewHTTP(new URL(url), http), (c, p) => c.callTool(p), 'elicitation/create'],
  ['stateful over stdio', new OldClient(info, can), () => new OldStdio(stdio), (c, p) => c.callTool(p), ElicitRequestSchema],
  ['stateful over HTTP', new OldClient(info, can), () => new OldHTTP(new URL(url), http), (c, p) => c.callTool(p), ElicitRequestSchema],
];

async function job(client, callTool, answers, asked) {
  const call = async (name, args) => {
    const result = await callTool(client, { name, arguments: args });
    assert.ok(!result.isError, JSON.stringify(result.content));
    return result.structuredContent;
  };
  const start = { intent: 'Find overdue invoices', context: 'sandbox: steps=2 step_ms=20', approvalStrategy: 'ON_TOOL_CALL', waitSeconds: 30 };
  answers.push('approve', 'approve');
  let run = await call('create_run', start);
  assert.equal(run.status, 'SUCCESS', JSON.stringify(run));
  assert.equal(asked.length, 2);
  assert.match(asked[0], /It would call ".+" with \{/);
  assert.doesNotMatch(asked.join(), /token|:\/\//);
  answers.push('decline');
  run = await call('create_run', start);
  assert.equal(run.status, 'PAUSED', JSON.stringify(run));
  assert.match(run.summary, /did not decide/);
  answers.push('deny');
  run = await call('approve', { runId: run.runId, decision: 'approve' });
  assert.equal(run.status, 'CANCELED', JSON.stringify(run));
  assert.equal(answers.length, 0);
}

let failed = 0;
for (const [name, client, transport, callTool, asking] of ways) {
  const answers = [], asked = [];
  client.setRequestHandler(asking, async request => {
    asked.push(request.params.message);
    const answer = answers.shift() ?? 'cancel';
    if (answer === 'decline') await new Promise(read => setTimeout(read, 1500)); // no person declines within a second
    return ['approve', 'deny'].includes(answer) ? { action: 'accept', content: { decision: answer } } : { action: answer };
  });
  try {
    await client.connect(transport());
    await job(client, callTool, answers, asked);
    console.log(`ok: a person decides, ${name}`);
  } catch (error) {
    failed++;
    console.error(`not ok: a person decides, ${name}\n${error.stack}`);
  } finally {
    await client.close();
  }
}
console.log(`typescript, a person decides: ${ways.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
