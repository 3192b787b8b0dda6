// main.js: starts the view and follows the run.

const waitSeconds = 20; // how long the server waits for news in one call
const leastPause = 500; // milliseconds from the start of a call to the next one
const offScreenPause = 20_000; // the same where nobody sees the view: a chat may hold many
const longestPause = 30_000; // milliseconds between two tries on a lost link
const unsettledReads = 5; // how often an ended run is read again for its result

let isFollowing = false;
let isOver = false; // the host ends the view
let isOnScreen = true; // not scrolled away
let hasAskedPlan = false; // the run was read once more for its plan
let wake = () => {}; // ends a pause

async function start() {
  handlers['ui/notifications/tool-result'] = receiveResult;
  handlers['ui/notifications/tool-input'] = ({ arguments: args }) => receiveInput(args ?? {});
  handlers['ui/notifications/tool-cancelled'] = () => showNotice('The call was cancelled. A run that it created goes on.');
  handlers['ui/notifications/host-context-changed'] = applyContext;
  handlers['ui/resource-teardown'] = () => { isOver = true; wake(); };
  handlers.ping = () => {};
  $('retry').addEventListener('click', () => { wake(); follow(); });
  $('earlier').addEventListener('click', () => keepFocus('earlier', showEarlier));
  $('later').addEventListener('click', () => keepFocus('later', showLater));
  $('newest').addEventListener('click', () => keepFocus('newest', showNewest));
  $('mode').addEventListener('click', changeMode);
  document.addEventListener('visibilitychange', () => wake());
  new IntersectionObserver(entries => {
    isOnScreen = entries.at(-1).isIntersecting || window.innerHeight < 50; // a frame without a height grows first
    if (isOnScreen) wake();
  }).observe(document.body);
  try {
    const { hostCapabilities = {}, hostContext = {} } = await request('ui/initialize', {
      protocolVersion: PROTOCOL,
      appInfo: { name: 'runs-mcp-server view', version: '1' },
      appCapabilities: { availableDisplayModes: ['inline', 'fullscreen', 'pip'] },
    }, 30_000);
    link.canCall = Boolean(hostCapabilities.serverTools);
    link.opensLinks = Boolean(hostCapabilities.openLinks);
    applyContext(hostContext);
  } catch {
    showNotice('This page shows a run inside a chat. Its host did not answer.');
    return;
  }
  new ResizeObserver(sendSize).observe(document.body);
  notify('ui/notifications/initialized');
  setInterval(() => { if (!state.finished && state.runId) renderElapsed(); }, 1000);
}

// receiveInput follows the run that a call names, or looks for the one that it creates:
// its result may come only when the run has ended.
function receiveInput(args) {
  if (typeof args.intent === 'string') state.intent ||= args.intent;
  if (typeof args.runId === 'string') state.runId ||= args.runId;
  renderRun();
  if (state.runId) follow();
  else if (state.intent && link.canCall) findRun(state.intent);
}

// searches are the pauses before each search for a run, in seconds.
const searches = [2, 3, 5, 5, 10, 10, 10, 15, 15, 15, 30, 30, 30];

// findRun looks for the run that is being created with an intent, until it is known.
async function findRun(intent) {
  const startedAt = Date.now();
  for (const seconds of searches) {
    await new Promise(resolve => setTimeout(resolve, seconds * 1000));
    if (state.runId || isOver) return;
    try {
      const found = await callTool('follow_run', { intent, secondsAgo: Math.ceil((Date.now() - startedAt) / 1000) });
      if (state.runId || !found?.runId) continue;
      state.runId = found.runId;
      return follow();
    } catch { /* the result names the run later */ }
  }
}

function receiveResult(result) {
  if (result.isError) {
    showNotice('The call failed. ' + plain(result.content?.find(part => part.type === 'text')?.text));
    if (!state.runId) $('status').textContent = 'No run to show';
    return;
  }
  takeResult(contentOf(result) ?? result);
  renderRun();
  announceStatus();
  if (state.runId) follow();
}

// follow reads what happens until the run has ended. Only one call is in flight.
async function follow() {
  if (isFollowing || isOver || state.finished && state.whole) return;
  if (!link.canCall) return showStatic();
  isFollowing = true;
  let failures = 0, unsettled = 0;
  while (!isOver) {
    while (document.hidden && !isOver) await pause(60_000);
    const startedAt = Date.now();
    try {
      const content = await readOnce();
      if (failures > 0) announce('Connected again.');
      failures = 0;
      showNotice('');
      renderRun();
      announceStatus();
      if (state.finished && !content.more && (content.whole || ++unsettled >= unsettledReads)) break;
      if (!content.more) await pause(startedAt + pauseAfter(unsettled) - Date.now());
    } catch (error) {
      if (isFinal(error)) break;
      await waitForLink(error, ++failures);
    }
  }
  isFollowing = false;
}

function pauseAfter(unsettled) {
  if (unsettled > 0) return 2000;
  return isOnScreen ? leastPause : offScreenPause;
}

// readOnce reads the news, or the whole run the first time, and once more when it has
// begun and its plan is not known.
async function readOnce() {
  const readsWhole = state.cursor === undefined || !state.plan && !hasAskedPlan && !['QUEUED', ''].includes(state.status);
  const afterEventId = readsWhole ? undefined : state.cursor;
  if (readsWhole && state.cursor !== undefined) hasAskedPlan = true;
  const { runId } = state;
  const content = await callTool('follow_run', readsWhole ? { runId } : { runId, afterEventId, waitSeconds: isOnScreen ? waitSeconds : 0 });
  if (typeof content?.lastEventId !== 'number') throw new Error('the answer is no run');
  if (state.runId === runId) takeFollowed(content, afterEventId); // else the result has named another one
  return content;
}

async function readEarlier() {
  try {
    takeEarlier(await callTool('follow_run', { runId: state.runId, beforeEventId: state.events[0].eventId }));
  } catch {
    showNotice('Earlier events could not be read. Try again.');
  }
}

// isFinal reports whether no other try can help, and says so: the host lets the view
// call no tools, or not this one, or the run cannot be read.
function isFinal(error) {
  if (error instanceof HostError && (error.code === -32601 || error.code === -32602)) {
    link.canCall = false;
    showStatic();
    return true;
  }
  if (error.retryable === false) showNotice('The run cannot be followed: ' + plain(error.shown), true);
  return error.retryable === false;
}

// waitForLink waits before the next try: 1 s, 2 s, 4 s and so on, or what the server
// asks for.
async function waitForLink(error, failures) {
  const wait = Math.min(longestPause, Math.max(error.retryAfter ?? 0, 1000 * 2 ** (failures - 1))) * (0.8 + 0.4 * Math.random());
  if (failures === 1) announce('Connection lost.');
  showNotice(`Connection lost. What you see is from ${clock(state.shownAt)}. Trying again in ${Math.ceil(wait / 1000)} s.`, true);
  await pause(wait);
}

// pause waits, for no longer than until wake is called.
function pause(ms) {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, Math.max(0, ms));
    wake = () => { clearTimeout(timer); resolve(); };
  });
}

// showStatic shows what the tool's result held, and says so.
function showStatic() {
  link.isStatic = true;
  const at = clock(state.shownAt);
  showNotice(state.finished ? '' : `This host does not let the view read the run. What you see is from ${at}; ask the assistant for news.`);
  renderRun();
}

// keepFocus runs a button's action. If that hides the button, the focus goes to the list.
async function keepFocus(id, action) {
  await action();
  if (!$(id).hidden) return $(id).focus();
  $('events').tabIndex = -1;
  $('events').focus();
}

start();
