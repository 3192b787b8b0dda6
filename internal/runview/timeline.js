// timeline.js: the events, a window of them at a time, so that a run of thousands of
// events makes no more elements than one of fifty.

const windowSize = 50;
const rows = new WeakMap(); // event → its element
let windowEnd; // index after the last event that is shown; undefined: the newest are shown

function renderTimeline() {
  const { events, earlier } = state;
  $('timeline').hidden = events.length === 0;
  const end = Math.min(windowEnd ?? events.length, events.length);
  const start = Math.max(0, end - windowSize);
  const total = earlier + events.length;
  syncList($('events'), events.slice(start, end).map(row));
  const before = earlier + start;
  $('earlier').hidden = before === 0 || start === 0 && link.isStatic;
  $('earlier').textContent = `Earlier (${before})`;
  $('later').hidden = $('newest').hidden = end >= events.length;
  $('window').textContent = total > end - start ? `Events ${before + 1} to ${before + end - start} of ${total}` : '';
}

// syncList makes a list hold these elements, and moves none that is in its place.
function syncList(list, wanted) {
  const keep = new Set(wanted);
  for (const node of [...list.children]) if (!keep.has(node)) node.remove();
  wanted.forEach((node, i) => {
    if (list.children[i] !== node) list.insertBefore(node, list.children[i] ?? null);
  });
}

// row returns the element of an event, made once.
function row(event) {
  if (!rows.has(event)) rows.set(event, newRow(event));
  return rows.get(event);
}

function newRow(event) {
  const [kind, text] = describe(event);
  const body = element('div', {});
  if (event.missingBefore) body.append(element('div', { class: 'quiet' }, 'Events before this one were lost.'));
  if (text) body.append(element('div', { class: 'kind' }, text));
  if (event.text) body.append(words('div', event.text));
  if (event.reason && event.reason !== event.text) body.append(words('div', event.reason, 'text quiet'));
  if (event.toolCalls?.length > 0) body.append(foldedCalls(event.toolCalls));
  return element('li', { class: kind }, timeOf(event), element('span', { class: 'dot' }), body);
}

function timeOf(event) {
  const at = Date.parse(event.timestamp ?? '');
  const since = at - startTime();
  const time = element('time', {}, Number.isNaN(since) ? '' : duration(since));
  if (!Number.isNaN(at)) {
    time.dateTime = new Date(at).toISOString();
    time.title = new Date(at).toLocaleString(link.locale, { timeZone: link.timeZone });
  }
  return time;
}

// foldedCalls names the calls of a step. Their parameters and results are made when they
// are unfolded first.
function foldedCalls(calls) {
  const names = calls.slice(0, 3).map(call => plain(call.toolName)).join(', ');
  const more = calls.length > 3 ? ` and ${calls.length - 3} more` : '';
  const fold = element('details', {}, element('summary', {}, `${count(calls.length, 'tool call')}: `, words('code', names), more));
  fold.addEventListener('toggle', () => {
    if (fold.open && fold.childElementCount === 1) fold.append(...calls.flatMap(toolCall));
  });
  return fold;
}

// showEarlier moves the window back, and reads earlier events where it has none.
async function showEarlier() {
  const end = windowEnd ?? state.events.length;
  let start = Math.max(0, end - windowSize);
  if (start < windowSize && state.earlier > 0 && !link.isStatic) {
    const known = state.events.length;
    await readEarlier();
    start += state.events.length - known;
  }
  windowEnd = start > 0 ? Math.max(start, Math.min(windowSize, state.events.length)) : end;
  renderTimeline();
}

function showLater() {
  windowEnd = Math.min((windowEnd ?? state.events.length) + windowSize, state.events.length);
  if (windowEnd === state.events.length) windowEnd = undefined;
  renderTimeline();
}

function showNewest() {
  windowEnd = undefined;
  renderTimeline();
}
