// Has runs followed as tasks by the official Tasks client, in both revisions that have
// tasks, over stdio and over HTTP: create, follow, answer, refuse, cancel, and go on
// from another connection.
//
//   node tasks.mjs BINARY URL
import assert from 'node:assert/strict';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { createTaskSessionFromClient } from '@modelcontextprotocol/ext-tasks/client';

const [binary, url] = process.argv.slice(2);
const info = { name: 'official-tasks', version: '1' };
const capabilities = { elicitation: { form: {} } };
const headers = { 'x-api-key': 'sandbox-key' };

// A stdio client works on the sandbox of its own process, so a second connection there
// is not the same: it is tried over HTTP only.
const transports = {
  stdio: () => new StdioClientTransport({ command: binary, args: ['--sandbox', '--log-level=error'] }),
  HTTP: () => new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }),
};

// dispatchOver returns what sends a message of the extension as it is: the client's own
// codecs do not know it.
function dispatchOver(transport, name) {
  let last = 0;
  const waiting = new Map();
  if (name === 'stdio') {
    const receive = transport.onmessage;
    transport.onmessage = (message, extra) => {
      const settle = waiting.get(message.id);
      if (!settle) return receive?.(message, extra);
      waiting.delete(message.id);
      settle(message);
    };
  }
  return async (request, options = {}) => {
    const message = { jsonrpc: '2.0', id: `raw-${++last}`, ...request };
    let answer;
    if (name === 'stdio') {
      answer = new Promise(settle => waiting.set(message.id, settle));
      await transport.send(message);
    } else {
      const response = await fetch(url, {
        method: 'POST', body: JSON.stringify(message), signal: options.signal,
        headers: {
          ...headers, 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream',
          'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': request.method,
          ...(request.method === 'tools/call' ? { 'Mcp-Name': request.params.name } : {}), ...options.context?.headers,
        },
      });
      const text = await response.text();
      const lines = text.split('\n').filter(line => line.startsWith('data: ')).map(line => JSON.parse(line.slice(6)));
      answer = lines.find(line => line.id === message.id) ?? JSON.parse(text);
    }
    const { result, error } = await answer;
    return error ? { kind: 'error', error } : { kind: 'result', result };
  };
}

async function connect(era, name, onInputRequest) {
  const client = new Client(info, { capabilities, ...(era === 'stateless' ? { versionNegotiation: { mode: { pin: '2026-07-28' } } } : {}) });
  const transport = transports[name]();
  await client.connect(transport);
  const raw = { rawDispatch: dispatchOver(transport, name), v2RequestFraming: { protocolVersion: '2026-07-28', clientInfo: info, clientCapabilities: capabilities } };
  const session = createTaskSessionFromClient(client, { endpointId: `${era}-${name}`, onInputRequest, ...(era === 'stateless' ? raw : {}) });
  return { session, close: async () => { await session.close(); await client.close(); } };
}

async function job(era, name) {
  const answers = [], asked = [];
  const { session, close } = await connect(era, name, async (request, context) => {
    asked.push({ message: request.params.message, taskId: context.taskId });
    const answer = answers.shift() ?? 'cancel';
    if (answer === 'decline') await new Promise(read => setTimeout(read, 1500)); // no person declines within a second
    return ['approve', 'deny'].includes(answer) ? { action: 'accept', content: { decision: answer } } : { action: answer };
  });
  const start = (context, approvalStrategy) => session.callTool('create_run', { intent: 'Find overdue invoices', context: `sandbox: ${context}`, approvalStrategy }, { task: { preference: 'prefer' } });
  try {
    answers.push('approve', 'approve');
    let execution = await start('steps=2 step_ms=20', 'ON_TOOL_CALL');
    assert.equal(execution.kind, 'task');
    const { outcome } = await execution.settle();
    assert.equal(outcome.status, 'completed', JSON.stringify(outcome));
    assert.equal(outcome.result.structuredContent.status, 'SUCCESS');
    assert.deepEqual(asked.map(q => q.taskId), [execution.handle.taskId, execution.handle.taskId]);
    assert.match(asked[0].message, /It would call ".+" with \{/);
    assert.doesNotMatch(asked.map(q => q.message).join(), /token|:\/\//);

    answers.push('decline');
    execution = await start('steps=1 step_ms=20', 'ON_START');
    const settled = execution.settle();
    for (;;) { // until the answer has come back
      const view = await session.task(execution.handle.taskId).snapshot();
      if (/did not decide/.test(view.statusMessage)) { assert.equal(view.status, 'working'); break; }
      await new Promise(later => setTimeout(later, 200));
    }
    if (name === 'HTTP') {
      const other = await connect(era, name);
      assert.equal((await other.session.task(execution.handle.taskId).snapshot()).taskId, execution.handle.taskId);
      await other.session.cancelTask(execution.handle.taskId);
      await other.close();
    } else {
      await session.cancelTask(execution.handle.taskId);
    }
    assert.equal((await settled).outcome.status, 'cancelled');
    await assert.rejects(session.task('123e4567-e89b-12d3-a456-426614174000').snapshot(), /no such task/);
    assert.equal(answers.length, 0);
  } finally {
    await close();
  }
}

let passed = 0, failed = 0;
for (const era of ['stateless', 'stateful']) {
  for (const name of Object.keys(transports)) {
    try {
      await job(era, name);
      passed++;
      console.log(`ok: a run as a task, ${era} over ${name}`);
    } catch (error) {
      failed++;
      console.error(`not ok: a run as a task, ${era} over ${name}\n${error.stack}`, error.cause ?? '');
    }
  }
}
console.log(`typescript, a run as a task: ${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
