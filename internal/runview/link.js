// link.js: JSON-RPC with the host, as MCP Apps 2026-01-26 has it. Only messages of the
// window around this one count.

const PROTOCOL = '2026-01-26';
const host = window.parent;
const pending = new Map(); // id of a request → {resolve, reject, timer}
const handlers = {}; // method of the host → function of its params
let lastRequest = 0;

// HostError is a host's refusal of a request, or its silence (code 0).
class HostError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

function post(message) {
  host.postMessage({ jsonrpc: '2.0', ...message }, '*');
}

function notify(method, params = {}) {
  post({ method, params });
}

// request sends a request and waits for the answer for so many milliseconds.
function request(method, params, timeout) {
  const id = ++lastRequest;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      pending.delete(id);
      reject(new HostError(0, 'the host did not answer'));
    }, timeout);
    pending.set(id, { resolve, reject, timer });
    post({ id, method, params });
  });
}

window.addEventListener('message', ({ source, data }) => {
  if (source !== host || data?.jsonrpc !== '2.0') return;
  if (data.method === undefined) return receiveAnswer(data);
  const handler = Object.hasOwn(handlers, data.method) ? handlers[data.method] : undefined;
  if (data.id === undefined) return handler?.(data.params ?? {});
  if (handler) return post({ id: data.id, result: handler(data.params ?? {}) ?? {} });
  post({ id: data.id, error: { code: -32601, message: 'this view has no such method' } });
});

function receiveAnswer({ id, result, error }) {
  const waiting = pending.get(id);
  if (!waiting) return;
  pending.delete(id);
  clearTimeout(waiting.timer);
  if (error) waiting.reject(new HostError(error.code, String(error.message)));
  else waiting.resolve(result ?? {});
}

// toolTimeout is how long a tool's answer may take: the server answers 5 s after the
// time that the call waits, 20 s at most.
const toolTimeout = 40_000;

// callTool calls a tool of the server and returns its structured content. The error is a
// HostError, or a ToolError where the tool itself failed.
async function callTool(name, args) {
  const result = await request('tools/call', { name, arguments: args }, toolTimeout);
  if (result.isError) throw new ToolError(result);
  return contentOf(result);
}

// ToolError is a tool's failure, as this server describes it.
class ToolError extends Error {
  constructor(result) {
    super(result.content?.find(part => part.type === 'text')?.text ?? 'the call failed');
    const failure = result._meta?.['runs-mcp-server/error'];
    this.retryable = failure?.retryable ?? true;
    this.retryAfter = (failure?.retryAfterSeconds ?? 0) * 1000;
    this.shown = failure?.message ?? this.message;
  }
}

// contentOf returns the object that a tool's result holds, undefined for none.
function contentOf(result) {
  if (result?.structuredContent) return result.structuredContent;
  const text = result?.content?.find(part => part.type === 'text')?.text;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
