// host.js: what the host tells of itself, and what the view tells outside its parts.

// link is what is known of the host. isStatic: the view can call no tool.
const link = { canCall: false, isStatic: false, opensLinks: false, locale: undefined, timeZone: undefined, mode: 'inline', modes: [] };
const sent = { status: '', height: 0 }; // what was last announced, and told the host

function showNotice(text, retry = false) {
  $('link').hidden = text === '';
  $('link-text').textContent = text;
  $('retry').hidden = !retry;
}

function clock(time) {
  return new Date(time || Date.now()).toLocaleTimeString(link.locale, { timeZone: link.timeZone });
}

// announce has screen readers say a text. Only changes of the status and of the link are
// said: events would never end.
function announce(text) {
  $('said').textContent = text;
}

function announceStatus() {
  const [, text] = statusOf(state.status);
  if (sent.status !== text) announce(`The run: ${text}.`);
  sent.status = text;
}

async function openLink(url) {
  try {
    const { isError } = await request('ui/open-link', { url }, 60_000);
    if (!isError) return;
  } catch { /* said below */ }
  showNotice('The host did not open the page. Copy its address into your browser.');
}

// applyContext takes what the host says of itself: theme, styles, mode, language.
function applyContext(context) {
  const root = document.documentElement;
  if (context.theme) root.style.colorScheme = context.theme === 'dark' ? 'dark' : 'light';
  for (const [name, value] of Object.entries(context.styles?.variables ?? {})) {
    if (name.startsWith('--') && typeof value === 'string') root.style.setProperty(name, value);
  }
  if (context.styles?.css?.fonts) applyFonts(context.styles.css.fonts);
  if (context.safeAreaInsets) {
    const { top, right, bottom, left } = context.safeAreaInsets;
    root.style.padding = [top, right, bottom, left].map(n => `${Number(n) || 0}px`).join(' ');
  }
  link.locale = validLocale(context.locale) ?? link.locale;
  link.timeZone = validZone(context.timeZone) ?? link.timeZone;
  link.mode = context.displayMode ?? link.mode;
  link.modes = context.availableDisplayModes ?? link.modes;
  renderMode();
}

// applyFonts adds the host's font rules. They are no inline style, which the page's
// policy would refuse.
function applyFonts(css) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  document.adoptedStyleSheets = [sheet];
}

function validLocale(locale) {
  try {
    return Intl.getCanonicalLocales(locale)[0];
  } catch {
    return undefined;
  }
}

function validZone(timeZone) {
  try {
    return timeZone && new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

function renderMode() {
  const isFull = link.mode === 'fullscreen';
  document.querySelector('main').classList.toggle('wide', isFull);
  $('mode').textContent = isFull ? 'Back to chat' : 'Full screen';
  $('mode').hidden = !link.modes.includes(isFull ? 'inline' : 'fullscreen');
}

async function changeMode() {
  try {
    const { mode } = await request('ui/request-display-mode', { mode: link.mode === 'fullscreen' ? 'inline' : 'fullscreen' }, 10_000);
    link.mode = mode ?? link.mode;
    renderMode();
  } catch { /* the mode stays */ }
}

function sendSize() {
  const height = Math.ceil(document.documentElement.getBoundingClientRect().height);
  if (sent.height === height) return;
  sent.height = height;
  notify('ui/notifications/size-changed', { width: Math.ceil(window.innerWidth), height });
}
