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

const host = await serve(site, serverURL);
// Debian's wrapper script of the browser wants a desktop's environment: this is the browser.
const browser = await chromium.launch({ executablePath: '/usr/lib/chromium/chromium', args: ['--no-sandbox', '--disable-gpu'] });
if (flags.includes('--screenshots')) mkdirSync(pictures, { recursive: true });
let failed = 0;
for (const { name, width = 720, theme = 'light', run } of chosen) {
  const startedAt = Date.now();
  const screen = new Screen(await browser.newPage({ viewport: { width, height: 900 }, reducedMotion: 'reduce' }), host, theme, flags.includes('--screenshots') ? pictures : '');
  try {
    await screen.page.goto(host.url);
    await run(screen);
    screen.requireNoErrors();
    console.log(`ok: ${name} (${Date.now() - startedAt} ms)`);
  } catch (error) {
    failed++;
    console.error(`not ok: ${name}\n${error.stack}\n${(await screen.text().catch(() => '')).slice(0, 2000)}`);
  } finally {
    host.setBroken(false);
    await screen.page.close();
  }
}
await browser.close();
host.close();
console.log(`view: ${chosen.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
