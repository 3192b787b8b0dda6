// text.js: words for what the server tells. Everything that a run says goes through
// plain() and into textContent, never into HTML.

const maxShown = 20_000; // characters of one text

// plain returns a value as text that cannot change its surroundings: without control and
// bidirectional characters, and cut where it is very long.
function plain(value) {
  const text = typeof value === 'string' ? value : value === undefined || value === null ? '' : String(value);
  const cut = text.length > maxShown ? text.slice(0, maxShown) + '… [cut]' : text;
  return cut.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g, '');
}

const statuses = {
  QUEUED: ['active', 'Queued'],
  RUNNING: ['active', 'Running'],
  PAUSED: ['waits', 'Waits for approval'],
  AUTH_REQUIRED: ['waits', 'Waits for authorisation'],
  SUCCESS: ['good', 'Succeeded'],
  PARTIAL_SUCCESS: ['bad', 'Partly succeeded'],
  NO_SUCCESS: ['bad', 'Ended without success'],
  FAILED: ['bad', 'Failed'],
  CANCELED: ['idle', 'Canceled'],
};

// statusOf returns the kind and the words of a status.
function statusOf(status) {
  return Object.hasOwn(statuses, status) ? statuses[status] : ['active', plain(status) || 'Unknown'];
}

// describe returns the kind of an event, and the words for it beside its own texts.
function describe(event) {
  if (event.auth) return authWords(event.auth);
  if (event.approval === 'PENDING') return ['waits', 'Waits for approval'];
  if (event.approval) return ['', 'Step ' + plain(event.approval).toLowerCase()];
  switch (event.event) {
    case 'start': return ['', 'Started'];
    case 'end': return [statusOf(event.runStatus)[0], 'Ended: ' + statusOf(event.runStatus)[1]];
    case 'run_approval': return ['waits', 'Waits for approval of the run'];
    case 'run_action': return ['', 'A decision was made'];
    case 'step': return ['', event.text || event.reason ? '' : 'Step'];
    case 'status': return ['', statusOf(event.runStatus)[1]];
  }
  return ['', plain(event.event) || 'Event'];
}

function authWords(auth) {
  const name = auth.integrationName ? ': ' + plain(auth.integrationName) : '';
  if (auth.status === 'required') return ['waits', 'Waits for authorisation' + name];
  if (auth.status === 'denied') return ['bad', 'Authorisation denied' + name];
  return ['', 'Authorisation: ' + plain(auth.status)];
}

// duration returns milliseconds as 0:07, 12:40 or 3:05:09.
function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const two = n => String(n).padStart(2, '0');
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

// count returns 1 event, 2 events.
function count(n, noun) {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
