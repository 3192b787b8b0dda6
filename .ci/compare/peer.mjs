// What compare.mjs and jobs.mjs share: the sandbox, a server as its client's model gets
// to know it, and the counting of what the model reads.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ResultSchema } from '@modelcontextprotocol/sdk/types.js';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';

export const key = 'sandbox-key';
export const patienceMs = 5000; // how long a call may go without an answer
export const person = { userId: 'sandbox-user', selectedCustomerIntegrationIds: ['*'] };

// startSandbox starts the stand-in for the API and returns it and its address.
export async function startSandbox(binary) {
  const child = spawn(binary, ['sandbox', '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'ignore'] });
  for await (const line of createInterface({ input: child.stdout })) {
    const url = line.match(/http:\/\/\S+/)?.[0];
    if (url) return { child, url };
  }
  throw new Error('the sandbox did not start');
}

// Peer is one MCP server, as its client's model gets to know it.
export class Peer {
  constructor(words, capabilities = {}) {
    Object.assign(this, words); // what each operation is called here
    this.client = new Client({ name: 'compare', version: '1' }, { capabilities });
  }
  async connect(command, args, env) {
    await this.client.connect(new StdioClientTransport({ command, args, env, stderr: 'ignore' }));
    const { _meta, ...list } = await this.client.request({ method: 'tools/list' }, ResultSchema);
    this.list = list;
  }
  // tools returns the tools as a model sees them.
  tools() {
    return JSON.stringify(this.list.tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema })));
  }
  // call returns a tool's answer as the text that the model reads.
  async call([name, args], { refused = false, timeout = patienceMs } = {}) {
    const result = await this.client.callTool({ name, arguments: args }, undefined, { timeout });
    const text = result.content.map(block => block.text).join('\n');
    assert.equal(result.isError === true, refused, text);
    return text;
  }
}

// connectBridge connects the generic bridge.
export function connectBridge(bridge, modules, contract, url) {
  return bridge.connect(process.execPath, [`${modules}/@ivotoby/openapi-mcp-server/bin/mcp-server.js`, '-u', url, '-s', contract, '-H', `x-api-key:${key}`]);
}

// connectOurs connects this server.
export function connectOurs(ours, binary, url) {
  // docs/tools.md has tools/list without create_run's member execution (39 bytes), which clients of 2025-11-25 alone get.
  return ours.connect(binary, ['--api-url', url, '--user-id', person.userId, '--integrations', '*', '--tasks', 'off'], { TR_API_KEY: key });
}

// count returns a text's bytes and tokens. Ids, times and the tokens of approvals are made
// the same ones before, of the same length, so that the counts are the same each time.
export function count(text) {
  const same = text
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '123e4567-e89b-12d3-a456-426614174000')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '2026-01-02T03:04:05.678Z')
    .replace(/(?<=token\W+)[A-Z2-7]{16,}/g, token => 'K7Q2XN5JHT4WBE3RZM6F'.repeat(4).slice(0, token.length));
  return { bytes: Buffer.byteLength(same), tokens: countTokens(same) };
}
