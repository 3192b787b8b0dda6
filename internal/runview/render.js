// render.js: the parts of the page except the timeline. A part is made anew only when
// what it shows has changed, so that focus and selection stay.

const $ = id => document.getElementById(id);
const shown = {}; // id of a part → what it shows, as JSON

// element makes an element that holds texts and other elements.
function element(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter(child => child !== undefined));
  return node;
}

// words makes an element for a text of the run.
function words(tag, text, className = 'text') {
  return element(tag, { class: className, dir: 'auto' }, plain(text));
}

// changed reports whether a part shows something else than before.
function changed(part, value) {
  const now = JSON.stringify(value);
  if (shown[part] === now) return false;
  shown[part] = now;
  return true;
}

function renderRun() {
  renderHeader();
  renderWaits();
  renderResult();
  renderPlan();
  renderTimeline();
}

function renderHeader() {
  const [kind, text] = state.status ? statusOf(state.status) : ['idle', 'Starting'];
  $('status').textContent = text;
  $('status').dataset.kind = kind;
  $('intent').textContent = plain(state.intent) || 'Run';
  $('run-id').textContent = state.runId ? 'Run ' + plain(state.runId) : '';
  renderElapsed();
}

function renderElapsed() {
  const time = endTime() - startTime();
  $('elapsed').hidden = Number.isNaN(time);
  if (!Number.isNaN(time)) $('elapsed').textContent = state.finished ? `took ${duration(time)}` : `${duration(time)} so far`;
}

// renderWaits shows what waits for a person, and how to decide it elsewhere.
function renderWaits() {
  const { approvals, approvalsLeft, authorization, decide, nextStep, finished } = state;
  const how = decide || (link.isStatic ? nextStep : '');
  const waits = !finished && (approvals.length > 0 || Boolean(authorization) || decide !== '');
  $('waits').hidden = !waits;
  if (!waits || !changed('waits', [approvals, approvalsLeft, authorization, how])) return;
  const body = $('waits-body');
  body.replaceChildren(...approvals.map(approvalArticle));
  if (approvalsLeft > 0) body.append(element('p', { class: 'quiet' }, `${count(approvalsLeft, 'approval')} more`));
  if (authorization) body.append(authorizationArticle(authorization));
  if (how) body.append(element('p', {}, element('strong', {}, decide ? 'How to decide: ' : 'The assistant was told: '), ...withCode(how)));
}

function approvalArticle(approval) {
  const article = element('article', {}, words('h3', approval.summary));
  if (approval.reason) article.append(element('p', {}, element('span', { class: 'quiet' }, 'The run says: '), words('q', approval.reason)));
  for (const call of approval.toolCalls ?? []) article.append(...toolCall(call));
  return article;
}

function authorizationArticle({ integrationName, url }) {
  const article = element('article', {}, words('h3', 'Authorise ' + (integrationName || 'an integration')));
  if (!/^https?:\/\//.test(url ?? '')) return article;
  if (link.opensLinks) {
    const button = element('button', { type: 'button' }, 'Open the page to authorise');
    button.addEventListener('click', () => openLink(url));
    article.append(element('p', {}, button));
  }
  article.append(element('pre', { tabindex: '0', 'aria-label': 'Address to authorise' }, plain(url)));
  return article;
}

// toolCall returns a call's name, parameters and result.
function toolCall({ toolName, toolParameters, toolResult }) {
  const parts = [element('p', {}, words('code', toolName))];
  if (toolParameters !== undefined) parts.push(json('Parameters', toolParameters));
  if (toolResult !== undefined) parts.push(element('p', { class: 'quiet' }, 'Result'), json('Result', toolResult));
  return parts;
}

function json(label, value) {
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2);
  return element('pre', { tabindex: '0', role: 'group', 'aria-label': label, dir: 'auto' }, plain(text));
}

// withCode returns the parts of our own text, where `…` is code.
function withCode(text) {
  return plain(text).split('`').map((part, i) => i % 2 === 1 ? element('code', {}, part) : part);
}

function renderResult() {
  const { result, resultCut, finished, runId } = state;
  $('result').hidden = result === undefined || result === null;
  if ($('result').hidden || !changed('result', [result, resultCut, finished])) return;
  const budget = { nodes: 300 };
  $('result-body').replaceChildren(valueNode(result, 0, budget));
  if (resultCut) $('result-body').append(element('p', { class: 'quiet' }, `This is the beginning. Ask the assistant for the rest of the result of run ${plain(runId)}.`));
}

// valueNode shows a JSON value: lists and tables down to a depth, below that its text.
function valueNode(value, depth, budget) {
  if (--budget.nodes < 0) return element('span', { class: 'quiet' }, '…');
  if (value === null || typeof value !== 'object') return words('span', value);
  if (depth > 3) return json('Value', value);
  if (Array.isArray(value)) {
    return element('ul', {}, ...value.slice(0, budget.nodes + 1).map(item => element('li', {}, valueNode(item, depth + 1, budget))));
  }
  const list = element('dl', {});
  for (const [name, item] of Object.entries(value).slice(0, budget.nodes + 1)) {
    list.append(words('dt', name), element('dd', {}, valueNode(item, depth + 1, budget)));
  }
  return list;
}

// renderPlan shows the steps of the plan, each with those that it depends on.
function renderPlan() {
  const { plan, planLeft } = state;
  const steps = plan?.steps ?? [];
  $('plan').hidden = !plan || steps.length === 0 && !plan.description && !plan.title;
  if ($('plan').hidden || !changed('plan', [plan, planLeft])) return;
  $('plan-title').textContent = steps.length > 0 ? `Plan, ${count(steps.length + planLeft, 'step')}` : 'Plan';
  const text = [plan.title, plan.description].filter(Boolean).map(plain).join('\n');
  $('plan-text').textContent = text;
  $('plan-text').hidden = text === '';
  const numbers = new Map(steps.map((step, i) => [step.id, i + 1]));
  $('plan-steps').replaceChildren(...steps.map(step => {
    const after = (step.dependsOnSteps ?? []).map(id => numbers.get(id) ?? plain(id));
    return element('li', {}, words('span', step.description || step.id),
      after.length > 0 ? element('span', { class: 'quiet' }, ` after ${after.join(', ')}`) : undefined);
  }));
  $('plan-more').hidden = planLeft === 0;
  $('plan-more').textContent = `${count(planLeft, 'later step')} not shown`;
  $('plan-fold').open = steps.length <= 12;
}
