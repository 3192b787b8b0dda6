// A host of MCP Apps for the tests, made of the official AppBridge and client. The driver
// (view.mjs) calls the functions of window.testHost. esbuild bundles this file.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { AppBridge, PostMessageTransport, getToolUiResourceUri, isToolVisibilityAppOnly } from '@modelcontextprotocol/ext-apps/app-bridge';

const apps = { 'io.modelcontextprotocol/ui': { mimeTypes: ['text/html;profile=mcp-app'] } };
const eras = { stateless: { versionNegotiation: { mode: { pin: '2026-07-28' } } }, stateful: {} };
const info = { name: 'test-host', version: '1' };
let client, tools, view;
let answers = []; // of the person, to the next questions
const opened = []; // links that a view opened

// connect connects to the server in an era, as a client that asks its person by forms.
async function connect(era, extensions = apps) {
  await client?.close();
  client = new Client(info, { ...eras[era], capabilities: { elicitation: { form: {} }, extensions } });
  client.setRequestHandler('elicitation/create', async () => {
    const decision = answers.shift();
    return decision ? { action: 'accept', content: { decision } } : { action: 'cancel' };
  });
  await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', location.href)));
  tools = (await client.listTools()).tools;
  return tools.map(tool => ({ name: tool.name, meta: tool._meta, appOnly: isToolVisibilityAppOnly(tool) }));
}

// show calls a tool and shows its view: options are those of open, and afterwards: the
// view is opened when the result is there.
async function show(name, args, options = {}) {
  const result = options.afterwards ? await client.callTool({ name, arguments: args }) : undefined;
  await open(name, args, options);
  view.result = result ?? await client.callTool({ name, arguments: args });
  await view.bridge.sendToolResult(view.result);
  return view.result;
}

// open makes the frame of a tool's view: {context, capabilities, onCall}. The frame has
// the policy of the specification and a window of its own origin.
async function open(name, args, { context = {}, capabilities = { serverTools: {}, openLinks: {} }, onCall } = {}) {
  await close();
  const tool = tools.find(tool => tool.name === name);
  const { contents: [page] } = await client.readResource({ uri: getToolUiResourceUri(tool) });
  const { path } = await (await fetch('/page', { method: 'POST', body: page.text })).json();
  const frame = document.createElement('iframe');
  frame.title = 'view';
  frame.setAttribute('sandbox', 'allow-scripts');
  document.getElementById('views').append(frame);
  const bridge = new AppBridge(client, info, capabilities, { hostContext: { toolInfo: { tool }, ...context } });
  const initialized = new Promise(resolve => { bridge.oninitialized = resolve; });
  bridge.onsizechange = ({ height }) => { frame.style.height = `${height}px`; view.sizes.push(height); };
  bridge.onopenlink = async ({ url }) => { opened.push(url); return {}; };
  bridge.onrequestdisplaymode = async ({ mode }) => { bridge.setHostContext({ ...bridge.hostContext, ...context, displayMode: mode }); return { mode }; };
  view = { name, args, bridge, frame, page, sizes: [], calls: [] };
  await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
  const callServer = bridge.oncalltool;
  bridge.oncalltool = (params, extra) => {
    view.calls.push(params);
    return onCall ? answer(onCall, params) : callServer(params, extra);
  };
  frame.src = path;
  await initialized;
  await bridge.sendToolInput({ arguments: args });
}

// answer plays the server: a list of results, of which the last one stays.
function answer(results, { arguments: args }) {
  const i = Math.min(answer.next++, results.length - 1);
  if (i > 0 && i === results.length - 1) return new Promise(() => {});
  return { content: [], structuredContent: { lastEventId: args.afterEventId ?? 0, ...results[i] } };
}
answer.next = 0;

// reload opens the view anew and replays its call, as a host does after a reload.
async function reload(options) {
  const { name, args, result } = view;
  await open(name, args, options);
  view.result = result;
  await view.bridge.sendToolResult(result);
}

async function close() {
  if (!view) return;
  await view.bridge.teardownResource({}).catch(() => {});
  await view.bridge.close();
  view.frame.remove();
  view = undefined;
  answer.next = 0;
}

window.testHost = {
  connect, show, open, reload, close,
  call: (name, args) => client.callTool({ name, arguments: args }),
  read: uri => client.readResource({ uri }),
  sendResult: result => view.bridge.sendToolResult(result),
  cancel: () => view.bridge.sendToolCancelled({ reason: 'user action' }),
  setContext: context => view.bridge.setHostContext(context),
  teardown: () => view.bridge.teardownResource({}),
  decide: (...given) => { answers = given; },
  seen: () => ({ calls: view?.calls, sizes: view?.sizes, meta: view?.page._meta, type: view?.page.mimeType, opened }),
};
