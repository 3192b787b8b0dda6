// Has the Inspector's web client show a run's live view, in both eras.
//
//   node inspector.mjs INSPECTOR SERVER
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chromium } from 'playwright-core';

const [inspector, server] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: '/usr/lib/chromium/chromium', args: ['--no-sandbox', '--disable-gpu'] });
let failed = 0;
for (const era of ['legacy', 'modern']) {
  const child = spawn(process.execPath, [inspector, '--web', '--transport', 'http', '--server-url', server, '--header', 'x-api-key: sandbox-key', '--protocol-era', era], {
    env: { ...process.env, MCP_INSPECTOR_SECRET_STORE: 'memory', MCP_AUTO_OPEN_ENABLED: 'false' }, stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await watch(await addressOf(child), era);
    console.log(`ok: the Inspector shows a run live, ${era}`);
  } catch (error) {
    failed++;
    console.error(`not ok: the Inspector shows a run live, ${era}\n${error.stack}`);
  } finally {
    child.kill();
    await new Promise(ended => child.on('close', ended));
  }
}
await browser.close();
console.log(`inspector, the live view: ${2 - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

// addressOf returns where the Inspector says that it serves.
async function addressOf(child) {
  let text = '';
  for await (const part of child.stdout) {
    text += part;
    const found = text.match(/http:\/\/\S+MCP_INSPECTOR_API_TOKEN=\w+/);
    if (found) return found[0];
  }
  throw new Error(`the Inspector did not start: ${text}`);
}

// watch creates a run in the Apps tab, and watches its view until the run has ended. A
// modern Inspector gets a task: the view finds the run by its intent, which is its own.
async function watch(address, era) {
  const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
  page.setDefaultTimeout(20_000);
  await page.goto(address);
  await page.getByRole('switch').first().click({ force: true });
  await page.getByText('Apps', { exact: true }).click();
  await page.getByText('Create run').first().click();
  assert.equal(await page.getByText('Follow run').count(), 0, 'the Inspector offers the tool of the view');
  await page.getByRole('textbox', { name: 'intent' }).fill(`Find overdue invoices, ${era}`);
  await page.getByRole('textbox', { name: 'context' }).fill('sandbox: steps=4 step_ms=2500');
  await page.getByRole('button', { name: 'Open App' }).click();
  const view = page.frameLocator('iframe').frameLocator('iframe');
  for (const [part, text] of [['#status', 'Running'], ['#status', 'Succeeded'], ['#result-body', 'sandbox'], ['#plan', 'after 1'], ['#events', 'Ended: Succeeded']]) {
    await view.locator(part).filter({ hasText: text }).waitFor();
  }
  await page.close();
}
