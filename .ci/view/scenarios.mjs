// The scenarios of the live view. slow: only with --all.
import assert from 'node:assert/strict';
import { plant, plantedIn } from './hostile.mjs';

export const scenarios = [
  { name: 'watched from creation to result, stateless', run: screen => watchToResult(screen, 'stateless') },
  { name: 'watched from creation to result, stateful, dark, 1200 px', theme: 'dark', width: 1200, run: screen => watchToResult(screen, 'stateful', 'success-dark-1200') },
  { name: 'waits for approval, then goes on', run: waitForApproval },
  { name: 'waits for authorisation, 320 px', width: 320, run: waitForAuthorisation },
  { name: 'fails, dark, 320 px', theme: 'dark', width: 320, run: fail },
  { name: 'link lost and found again', run: loseLink },
  { name: '500 events', run: manyEvents },
  { name: 'reload, ended view, closed view', run: reload },
  { name: 'a call that waits for its run', run: waitingCall },
  { name: 'a host that lets the view call no tool', run: noTools },
  { name: 'hostile text in every field', run: hostileText },
  { name: 'policy of the page', run: policy },
  { name: 'keyboard, display modes, theme', run: keyboard },
  { name: 'a host without MCP Apps', run: noApps },
  { name: 'an authorisation that is given', slow: true, run: authorise },
  { name: 'denied authorisation', slow: true, run: deniedAuthorisation },
  { name: 'a failed call and a cancelled call', slow: true, run: failedCalls },
  { name: 'waits for approval, dark, 1200 px', slow: true, theme: 'dark', width: 1200, run: waitForApproval },
  { name: 'a run without a plan gets one', slow: true, run: latePlan },
];

// Where a scenario looks at a run that is running, the run goes on for many times as long
// as a look takes on a busy machine.
const longRun = 'steps=5 step_ms=2500';

async function watchToResult(screen, era, picture) {
  const tools = await screen.in('connect', era);
  assert.deepEqual(tools.find(t => t.name === 'create_run').meta, { ui: { resourceUri: 'ui://runs/run.html' } });
  assert.deepEqual(tools.filter(t => t.appOnly).map(t => t.name), ['follow_run']);
  await screen.create(longRun);
  await screen.shows('#status', 'Running');
  await screen.shows('#elapsed', 'so far');
  await screen.shows('#events', 'Started');
  if (era === 'stateless') {
    await screen.shows('#events', 'Search Slack');
    await screen.picture('running');
  }
  await screen.shows('#status', 'Succeeded');
  await screen.shows('#plan', 'after 1');
  await screen.shows('#result-body', /sandbox/);
  await screen.shows('#elapsed', 'took');
  await screen.shows('#said', 'The run: Succeeded.');
  await screen.requireFits();
  await screen.requireAccessible();
  await requireSilence(screen);
  if (picture) await screen.picture(picture);
}

// requireSilence holds that a view whose run has ended makes no more calls.
async function requireSilence(screen) {
  const calls = (await screen.calls()).length;
  await screen.page.waitForTimeout(1200);
  assert.equal((await screen.calls()).length, calls, 'the view goes on calling');
}

async function waitForApproval(screen) {
  await screen.in('connect', 'stateless');
  const run = await screen.create('steps=1 step_ms=50', { approvalStrategy: 'ON_TOOL_CALL' });
  await screen.shows('#status', 'Waits for approval');
  await screen.shows('#waits', 'The run would call');
  await screen.shows('#waits', /How to decide: Answer the question that your client shows.* Or decide /);
  assert.equal(await screen.view.locator('#waits button').count(), 0, 'the view offers to decide');
  await screen.requireFits();
  await screen.requireAccessible();
  if (screen.theme === 'light') await screen.picture('approval');
  await screen.in('decide', 'approve');
  const { structuredContent } = await screen.in('call', 'approve', { runId: run.runId });
  assert.match(structuredContent?.summary, /The decision to approve was/);
  await screen.shows('#status', 'Succeeded');
  await screen.hides('#waits');
}

async function waitForAuthorisation(screen) {
  await screen.in('connect', 'stateless');
  await screen.create('steps=2 step_ms=50 auth=required auth_ms=60000');
  await screen.shows('#status', 'Waits for authorisation');
  await screen.shows('#waits', 'Open the link to authorise');
  await screen.requireFits();
  await screen.requireAccessible();
  await screen.picture('authorisation-320');
  await screen.view.getByRole('button', { name: 'Open the page to authorise' }).click();
  await screen.page.waitForTimeout(100);
  assert.match((await screen.in('seen')).opened.at(-1), /^https:\/\//);
}

async function authorise(screen) {
  await screen.in('connect', 'stateful');
  await screen.create('steps=2 step_ms=50 auth=required auth_ms=3000');
  await screen.shows('#waits', 'Open the link to authorise');
  await screen.shows('#events', 'Authorisation: success');
  await screen.shows('#status', 'Succeeded');
  await screen.hides('#waits');
}

async function fail(screen) {
  await screen.in('connect', 'stateful');
  await screen.create('steps=3 step_ms=30 outcome=FAILED');
  await screen.shows('#status', 'Failed');
  await screen.shows('#events', 'Ended: Failed');
  await screen.requireFits();
  await screen.requireAccessible();
  await screen.picture('failed-dark-320');
}

async function loseLink(screen) {
  await screen.in('connect', 'stateless');
  await screen.create(longRun);
  await screen.shows('#status', 'Running');
  screen.host.setBroken(true);
  await screen.shows('#link', /Connection lost\. What you see is from .* Trying again in \d+ s/);
  await screen.shows('#said', 'Connection lost.');
  await screen.requireFits();
  await screen.requireAccessible();
  await screen.page.waitForTimeout(1500);
  screen.host.setBroken(false);
  await screen.evaluate(() => document.getElementById('retry').click()); // not by the mouse: the view may try by itself first
  await screen.hides('#link');
  await screen.shows('#status', 'Succeeded');
  const ids = await screen.evaluate(() => state.events.map(event => event.eventId));
  assert.deepEqual(ids, ids.map((_, i) => i + 1), 'events are missing or doubled');
}

async function manyEvents(screen) {
  await screen.in('connect', 'stateless');
  await screen.create('steps=500 step_ms=4');
  await screen.evaluate(() => {
    window.longest = 0;
    new PerformanceObserver(list => { for (const task of list.getEntries()) window.longest = Math.max(window.longest, task.duration); }).observe({ type: 'longtask', buffered: true });
  });
  await screen.shows('#status', 'Succeeded', 60_000);
  await screen.shows('#window', /Events \d+ to (50\d) of \1/); // the last of them come after the status
  const { elements, rows, longest, events } = await screen.evaluate(() => ({
    elements: document.querySelectorAll('*').length, rows: document.querySelectorAll('#events > li').length, longest: window.longest, events: state.events.length + state.earlier,
  }));
  assert.ok(events >= 500, `${events} events`);
  assert.equal(rows, 50);
  assert.ok(elements < 2500, `${elements} elements`);
  assert.ok(longest < 2000, `a task took ${longest} ms`);
  const calls = (await screen.calls()).length;
  assert.ok(calls < 80, `${calls} calls for 500 events`);
  await screen.requireFits();
  await screen.requireAccessible();
  const earlier = screen.view.locator('#earlier');
  for (let i = 0; i < 30 && await earlier.isVisible(); i++) {
    const before = await screen.view.locator('#window').innerText();
    await earlier.click();
    await screen.page.waitForFunction(() => true);
    await screen.view.locator('#window').filter({ hasNotText: before }).waitFor();
  }
  await screen.shows('#window', 'Events 1 to 50 of');
  assert.equal(await screen.evaluate(() => document.querySelectorAll('#events > li').length), 50);
  await screen.view.locator('#newest').click();
  await screen.shows('#window', /Events \d+ to (50\d) of \1/); // the last of them come after the status
}

async function reload(screen) {
  await screen.in('connect', 'stateless');
  const run = await screen.create(longRun);
  await screen.shows('#status', 'Running');
  await screen.in('reload', { context: screen.context });
  await screen.shows('#status', 'Running');
  await screen.shows('#status', 'Succeeded');
  await screen.in('reload', { context: screen.context });
  await screen.shows('#status', 'Succeeded');
  await screen.shows('#plan', 'after 1');
  await requireSilence(screen);
  // A view of get_run follows by its arguments, before the result is there.
  await screen.in('open', 'get_run', { runId: run.runId }, { context: screen.context });
  await screen.shows('#status', 'Succeeded');
  await screen.create(longRun);
  await screen.shows('#status', 'Running');
  await screen.in('teardown');
  await requireSilence(screen);
}

// waitingCall: the result of a create that waits comes when the run has ended. The view
// finds the run before that, and gives it up for the one that the result names.
async function waitingCall(screen) {
  await screen.in('connect', 'stateful');
  const intent = `Find overdue invoices ${Math.random()}`;
  const result = screen.create(longRun, { intent, waitSeconds: 45 });
  await screen.shows('#status', 'Running');
  await screen.shows('#plan', 'after 1');
  assert.equal((await result).status, 'SUCCESS');
  await screen.shows('#status', 'Succeeded');
  const other = await screen.in('call', 'create_run', { intent: 'Another run', context: 'sandbox: steps=1 step_ms=0' });
  await screen.in('sendResult', other);
  await screen.shows('#run-id', other.structuredContent.runId);
  await screen.shows('#status', 'Succeeded');
}

async function noTools(screen) {
  await screen.in('connect', 'stateful');
  await screen.create('steps=3 step_ms=20', { waitSeconds: 1, approvalStrategy: 'ON_START' }, { capabilities: {}, afterwards: true });
  await screen.shows('#link', /This host does not let the view read the run\. What you see is from .*; ask the assistant/);
  await screen.shows('#status', 'Waits for approval');
  await screen.shows('#waits', 'The assistant was told: ');
  await screen.shows('#events', 'Waits for approval of the run');
  assert.deepEqual(await screen.calls(), []);
  await screen.requireAccessible();
}

// hostileText plants scripts, styles, bidirectional and invisible characters and 1 MB in
// every field of a result: all of it stays text, and the page keeps its shape.
async function hostileText(screen) {
  await screen.in('connect', 'stateless');
  const run = plantedIn();
  await screen.in('open', 'get_run', { runId: run.runId }, { context: screen.context, onCall: [run] });
  await screen.shows('#events', '<img');
  await screen.evaluate(() => document.querySelectorAll('details').forEach(fold => { fold.open = true; }));
  await screen.page.waitForTimeout(100);
  const found = await screen.evaluate(() => ({
    ran: window.hostile, tags: [...new Set([...document.body.querySelectorAll('*')].map(node => node.localName))].sort(),
    handlers: [...document.querySelectorAll('*')].filter(node => [...node.attributes].some(a => a.name.startsWith('on') || a.name === 'style' && node !== document.documentElement)).length,
    bidi: /[\u202a-\u202e\u2066-\u2069\u200e\u200f]/.test(document.body.textContent), length: document.body.textContent.length,
  }));
  assert.equal(found.ran, undefined, 'a script of the run ran');
  assert.equal(found.handlers, 0);
  assert.equal(found.bidi, false, 'a bidirectional character is left');
  assert.ok(found.length < 1_500_000, `the page holds ${found.length} characters`);
  assert.ok(!found.tags.some(tag => ['img', 'iframe', 'svg', 'object', 'form', 'input', 'a', 'link', 'meta', 'base', 'style'].includes(tag)), found.tags.join());
  for (const field of plant.fields) assert.ok((await screen.evaluate(() => document.body.textContent)).includes(`${field}<img`), `${field} is not shown as text`);
  await screen.requireFits();
  await screen.requireAccessible();
  // From the sandbox, through the server.
  const said = '<script>window.hostile=1</script><style>body{display:none}</style><img src=x onerror=window.hostile=1>';
  await screen.create(`steps=1 step_ms=0 text=${said}`, { intent: said });
  await screen.shows('#result-body', '<img src=x');
  await screen.shows('#intent', '<style>body{display:none}</style>');
  assert.equal(await screen.evaluate(() => window.hostile), undefined);
}

async function policy(screen) {
  await screen.in('connect', 'stateless');
  await screen.create('steps=1 step_ms=0');
  await screen.shows('#status', 'Succeeded');
  const { meta, type } = await screen.in('seen');
  assert.equal(type, 'text/html;profile=mcp-app');
  assert.deepEqual(meta.ui.csp, { connectDomains: [], resourceDomains: [], frameDomains: [], baseUriDomains: [] });
  const result = await screen.evaluate(async target => {
    const script = document.createElement('script');
    script.textContent = 'window.injected = 1';
    document.body.append(script);
    const button = document.createElement('button');
    button.setAttribute('onclick', 'window.injected = 2');
    document.body.append(button);
    button.click();
    const style = document.createElement('style');
    style.textContent = 'body { outline: 3px solid red }';
    document.head.append(style);
    const fetched = await fetch(target).then(() => 'yes', () => 'no');
    return { injected: window.injected, fetched, outline: getComputedStyle(document.body).outlineStyle, origin: window.origin };
  }, screen.host.url);
  assert.deepEqual(result, { injected: undefined, fetched: 'no', outline: 'none', origin: 'null' });
}

async function keyboard(screen) {
  await screen.in('connect', 'stateless');
  await screen.create('steps=3 step_ms=20');
  await screen.shows('#status', 'Succeeded');
  const fold = screen.view.locator('#events details summary').first();
  await fold.focus();
  await screen.page.keyboard.press('Enter');
  await screen.shows('#events details[open]', 'Result');
  const color = () => screen.evaluate(() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]);
  assert.deepEqual(await color(), ['rgb(254, 254, 254)', 'rgb(17, 18, 19)']);
  await screen.in('setContext', { ...screen.context, theme: 'dark' });
  await screen.page.waitForTimeout(100);
  assert.deepEqual(await color(), ['rgb(23, 24, 26)', 'rgb(244, 244, 244)']);
  assert.equal(await screen.evaluate(() => document.adoptedStyleSheets.length), 1);
  assert.deepEqual(await screen.evaluate(() => document.getAnimations().length), 0, 'something moves');
  await screen.view.getByRole('button', { name: 'Full screen' }).press('Enter');
  await screen.view.getByRole('button', { name: 'Back to chat' }).waitFor();
  await screen.requireAccessible();
  await screen.view.getByRole('button', { name: 'Back to chat' }).click();
  await screen.view.getByRole('button', { name: 'Full screen' }).waitFor();
}

async function noApps(screen) {
  for (const era of ['stateless', 'stateful']) {
    const tools = await screen.in('connect', era, {});
    assert.ok(!tools.some(tool => tool.meta || tool.name === 'follow_run'));
    await assert.rejects(screen.in('read', 'ui://runs/run.html'));
    await assert.rejects(screen.in('call', 'follow_run', { runId: '00000000-0000-4000-8000-000000000000' }));
  }
}

async function deniedAuthorisation(screen) {
  await screen.in('connect', 'stateful');
  await screen.create('steps=2 step_ms=30 auth=denied auth_ms=300');
  await screen.shows('#events', 'Authorisation denied');
  await screen.shows('#status', 'Failed');
}

async function failedCalls(screen) {
  await screen.in('connect', 'stateless');
  await screen.in('show', 'create_run', { intent: ' ' }, { context: screen.context });
  await screen.shows('#link', /The call failed\. invalid_argument:/);
  await screen.shows('#status', 'No run to show');
  await screen.in('open', 'create_run', { intent: 'x' }, { context: screen.context });
  await screen.in('cancel');
  await screen.shows('#link', 'The call was cancelled.');
  await screen.in('show', 'get_run', { runId: '00000000-0000-4000-8000-000000000000' }, { context: screen.context });
  await screen.shows('#link', /cannot be followed|The call failed/);
  await requireSilence(screen);
}

async function latePlan(screen) {
  await screen.in('connect', 'stateless');
  await screen.create(`${longRun} queue_ms=600 plan=placeholder`);
  await screen.shows('#status', 'Running');
  await screen.shows('#plan-steps', 'after 1');
}
