// state.js: what is known of the run. It takes the results of create_run, get_run and
// follow_run, whose fields have the same names.

const maxEvents = 2000; // that the view holds; older ones can be read again

// emptyState is what is known of a run of which nothing was told.
const emptyState = () => ({
  runId: '', status: '', finished: false, whole: false, // whole: the stored run was read
  intent: '', createdAt: '', updatedAt: '',
  cursor: undefined, // of the newest event that follow_run told
  events: [], earlier: 0, // earlier: events before the first of these
  plan: undefined, planLeft: 0,
  approvals: [], approvalsLeft: 0, authorization: undefined,
  decide: '', nextStep: '', // how a person decides; what the model was told to do
  result: undefined, resultCut: false,
  shownAt: 0, // when this was told, by this clock
});

let state = emptyState();

// takeResult takes the result of the tool beside which the view stands. It is less than
// what follow_run tells, and older; but it names the run.
function takeResult(content) {
  const runId = content?.runId ?? content?.taskId ?? content?.task?.taskId; // a task's id is the run's
  if (typeof runId !== 'string' || runId === '') return;
  if (state.runId.toLowerCase() !== runId.toLowerCase()) state = { ...emptyState(), intent: state.intent };
  state.runId = runId;
  if (state.cursor !== undefined) return;
  takeStatus(content);
  state.nextStep = plain(content.nextStep);
  state.events = content.events ?? [];
  state.earlier = content.eventsLeftOut ?? 0;
}

// takeFollowed takes what follow_run told of the events after afterEventId, or of the
// whole run.
function takeFollowed(content, afterEventId) {
  takeStatus(content);
  state.decide = plain(content.decide);
  const events = content.events ?? [];
  if (state.cursor === undefined || afterEventId === undefined && (content.eventsLeftOut ?? 0) > 0 && !events.some(isKnown)) {
    state.events = events;
    state.earlier = content.eventsLeftOut ?? 0;
  } else if (afterEventId !== undefined && content.lastEventId < afterEventId && events.length === 0) {
    state.events = []; // the ids began anew: all is read again
  } else {
    events.forEach(addEvent);
  }
  state.cursor = content.lastEventId;
}

// takeEarlier takes events from before those that are known.
function takeEarlier(content) {
  state.events = [...(content.events ?? []), ...state.events];
  state.earlier = content.eventsLeftOut ?? 0;
}

function isKnown(event) {
  return state.events.some(known => known.eventId === event.eventId);
}

function addEvent(event) {
  const last = state.events.at(-1);
  if (last && event.eventId <= last.eventId && !event.idsRestarted) return;
  state.events.push(event);
  if (state.events.length > maxEvents) {
    state.events.shift();
    state.earlier++;
  }
}

// takeStatus takes what a result tells of the run itself. Parts that it leaves out stay.
function takeStatus(content) {
  state.status = content.status ?? state.status;
  state.finished = content.finished === true;
  state.whole ||= content.whole === true;
  state.shownAt = Date.now();
  state.intent = content.intent || state.intent;
  state.createdAt = content.createdAt || state.createdAt;
  state.updatedAt = content.updatedAt || state.updatedAt;
  state.approvals = content.pendingApprovals ?? [];
  state.approvalsLeft = content.approvalsLeftOut ?? 0;
  state.authorization = content.authorization;
  if (content.plan) {
    state.plan = content.plan;
    state.planLeft = content.planStepsLeftOut ?? 0;
  }
  if (content.result !== undefined) {
    state.result = content.result;
    state.resultCut = Boolean(content.resultUri);
  }
}

// startTime returns when the run began, as a number of milliseconds, NaN if unknown.
function startTime() {
  return Date.parse(state.createdAt || state.events[0]?.timestamp || '');
}

// endTime returns when the run ended, or now.
function endTime() {
  if (!state.finished) return Date.now();
  return Date.parse(state.events.at(-1)?.timestamp || state.updatedAt || '');
}
