// Does the whole job through the official TypeScript clients, one for each era,
// over stdio and over HTTP: start a run, follow it, decide, read the result.
//
//   node whole-job.mjs BINARY URL
import assert from 'node:assert/strict';
import { Client as NewClient, StreamableHTTPClientTransport as NewHTTP } from '@modelcontextprotocol/client';
import { StdioClientTransport as NewStdio } from '@modelcontextprotocol/client/stdio';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as OldStdio } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as OldHTTP } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const [binary, url] = process.argv.slice(2);
const info = { name: 'official-typescript', version: '1' };
const stdio = { command: binary, args: ['--sandbox', '--approvals=agent', '--log-level=error'] };
const http = { requestInit: { headers: { 'x-api-key': 'sandbox-key' } } };
const pinned = { versionNegotiation: { mode: { pin: '2026-07-28' } } };

const ways = [
  ['stateless over stdio', new NewClient(info, pinned), () => new NewStdio(stdio), (c, p, o) => c.callTool(p, o)],
  ['stateless over HTTP', new NewClient(info, pinned), () => new NewHTTP(new URL(url), http), (c, p, o) => c.callTool(p, o)],
  ['stateful over stdio', new OldClient(info), () => new OldStdio(stdio), (c, p, o) => c.callTool(p, undefined, o)],
  ['stateful over HTTP', new OldClient(info), () => new OldHTTP(new URL(url), http), (c, p, o) => c.callTool(p, undefined, o)],
];

async function job(client, callTool) {
  const { tools } = await client.listTools();
  const names = tools.map(tool => tool.name);
  for (const needed of ['create_run', 'approve', 'get_run']) assert.ok(names.includes(needed), `no ${needed} in ${names}`);
  const progress = [];
  const call = async (name, args) => {
    const result = await callTool(client, { name, arguments: args }, { onprogress: p => progress.push(p.message), resetTimeoutOnProgress: true });
    assert.ok(!result.isError, JSON.stringify(result.content));
    assert.deepEqual(JSON.parse(result.content[0].text), result.structuredContent);
    return result.structuredContent;
  };
  let run = await call('create_run', { intent: 'Find overdue invoices', context: 'sandbox: steps=2 step_ms=20', approvalStrategy: 'ON_START', waitSeconds: 30 });
  assert.equal(run.status, 'PAUSED');
  const paused = run.lastEventId;
  const asked = run.pendingApprovals[0];
  await call('approve', { runId: run.runId, decision: 'approve', approvalId: asked.approvalId });
  run = await call('get_run', { runId: run.runId, afterEventId: run.lastEventId, waitSeconds: 30 });
  assert.equal(run.status, 'SUCCESS');
  assert.equal(run.result.sandbox, true);
  // Every event is a progress notification of its call, in order, before the
  // answer. These clients drop those they read together with the answer, so the
  // last ones of each call may be missing here; that none is missing on the wire
  // the Go tests hold.
  assert.equal(progress[0], `run ${run.runId} was created`);
  const seen = progress.slice(1).map(m => Number.parseInt(m, 10));
  const [created, waited] = [seen.filter(id => id <= paused), seen.filter(id => id > paused)];
  assert.deepEqual(seen, [...created.map((_, i) => i + 1), ...waited.map((_, i) => paused + i + 1)], `progress ${seen} of ${run.lastEventId} events`);
  assert.ok(created.length > 0 && waited.length > 0, `progress ${seen} of ${run.lastEventId} events`);
  const events = await client.readResource({ uri: `run://${run.runId}/events?limit=2` });
  assert.equal(JSON.parse(events.contents[0].text).events.length, 2);
  await assert.rejects(client.readResource({ uri: 'run://123e4567-e89b-12d3-a456-426614174000' }), /not found/i);
  const refused = await callTool(client, { name: 'get_run', arguments: { runId: 'x' } });
  assert.equal(refused._meta['runs-mcp-server/error'].code, 'invalid_argument');
  assert.match(refused.content[0].text, /^invalid_argument: /);
}

let failed = 0;
for (const [name, client, transport, callTool] of ways) {
  try {
    await client.connect(transport());
    await job(client, callTool);
    console.log(`ok: ${name}`);
  } catch (error) {
    failed++;
    console.error(`not ok: ${name}\n${error.stack}`);
  } finally {
    await client.close();
  }
}
console.log(`typescript: ${ways.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
