// Looks at the live view of a run as a person does, in headless Chromium.
//
//   node view.mjs SITE SERVER SCREENSHOTS [--all] [--screenshots] [--only NAME]
import { mkdirSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { serve } from './serve.mjs';
import { Screen } from './screen.mjs';
import { scenarios } from './scenarios.mjs';

const [site, serverURL, pictures, ...flags] = process.argv.slice(2);
const only = flags.includes('--only') ? flags[flags.indexOf('--only') + 1] : '';
const chosen = scenarios.filter(s => s.name.includes(only) && (only || !s.slow || flags.includes('--all')));

// Debian's wrapper script of the browser wants a desktop's environment: this is the browser.
const browser = await chromium.launch({ executablePath: '/usr/lib/chromium/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-lcd-text'] });
const takesPictures = flags.includes('--screenshots');
if (takesPictures) mkdirSync(pictures, { recursive: true });
const left = [...chosen];
let failed = 0;

async function runScenario({ name, width = 720, theme = 'light', run }) {
  const startedAt = Date.now();
  const host = await serve(site, serverURL);
  const page = await browser.newPage({ viewport: { width, height: 900 }, reducedMotion: 'reduce' });
  const screen = new Screen(page, host, theme, takesPictures ? pictures : '');
  try {
    await page.goto(host.url);
    await run(screen);
    screen.requireNoErrors();
    console.log(`ok: ${name} (${Date.now() - startedAt} ms)`);
  } catch (error) {
    failed++;
    console.error(`not ok: ${name}\n${error.stack}\n${(await screen.text().catch(() => '')).slice(0, 2000)}`);
  } finally {
    await page.close();
    host.close();
  }
}

// Two at a time: they wait more than they compute.
await Promise.all([1, 2].map(async () => {
  while (left.length > 0) await runScenario(left.shift());
}));
await browser.close();
console.log(`view: ${chosen.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
