import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

// What a host gives a view of its looks, in the names of the specification.
const looks = {
  variables: { '--color-background-primary': 'light-dark(#fefefe, #17181a)', '--color-text-primary': 'light-dark(#111213, #f4f4f4)', '--font-sans': 'Host, "DejaVu Sans", sans-serif', '--border-radius-md': '10px' },
  css: { fonts: '@font-face { font-family: Host; src: url(data:font/woff2;base64,AAAA); }' },
};

// Screen is one page of the browser with the host in it, and what a test does there.
export class Screen {
  constructor(page, host, theme, pictures) {
    Object.assign(this, { page, host, theme, pictures, errors: [] });
    page.on('pageerror', error => this.errors.push(String(error)));
    page.on('console', message => { if (message.type() === 'error') this.errors.push(message.text()); });
  }

  // in calls a function of the host: in('show', 'create_run', {…}).
  in(name, ...args) {
    return this.page.evaluate(([name, args]) => window.testHost[name](...args), [name, args]);
  }

  // context is the host's context of every view.
  get context() {
    return { theme: this.theme, styles: looks, locale: 'en-GB', timeZone: 'UTC', displayMode: 'inline', availableDisplayModes: ['inline', 'fullscreen'] };
  }

  // create creates a run and shows its view.
  async create(context, args = {}, options = {}) {
    const { structuredContent } = await this.in('show', 'create_run', { intent: 'Find overdue invoices in Salesforce and tell the sales channel in Slack', context: `sandbox: ${context}`, ...args }, { context: this.context, ...options });
    return structuredContent;
  }

  get view() { return this.page.frameLocator('iframe'); }

  // frame is the view's frame, where functions can be evaluated.
  get frame() { return this.page.frames().find(frame => frame !== this.page.mainFrame()); }

  evaluate(f, arg) { return this.frame.evaluate(f, arg); }

  text() { return this.view.locator('body').innerText({ timeout: 2000 }); }

  // shows waits until a part of the view shows a text or matches it.
  async shows(part, text, timeout = 30_000) {
    const found = this.view.locator(part).filter({ hasText: text, visible: true });
    await found.first().waitFor({ timeout });
  }

  async hides(part) { await this.view.locator(part).waitFor({ state: 'hidden', timeout: 30_000 }); }

  // requireAccessible holds that axe finds nothing serious in the view.
  async requireAccessible() {
    await this.evaluate(axe + ';0');
    const found = await this.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
    const serious = found.violations.filter(v => ['serious', 'critical'].includes(v.impact));
    assert.deepEqual(serious.map(v => `${v.id}: ${v.nodes.map(n => n.html.slice(0, 120)).join(' | ')}`), []);
    assert.ok(found.passes.length > 10, 'axe looked at nothing');
  }

  // requireFits holds that nothing is wider than the window, and that the host was told
  // the height.
  async requireFits() {
    let told, height;
    for (let i = 0; i < 50 && !(Math.abs(told - height) <= 1); i++) { // a busy machine tells it late
      await this.page.waitForTimeout(100);
      told = (await this.in('seen')).sizes.at(-1);
      const now = await this.evaluate(() => ({
        wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        height: Math.ceil(document.documentElement.getBoundingClientRect().height),
      }));
      assert.ok(now.wide <= 0, `the view is ${now.wide} px too wide`);
      height = now.height;
    }
    assert.ok(Math.abs(told - height) <= 1, `the host was told ${told} px, the view has ${height}`);
  }

  // calls returns the calls of tools that the view made.
  async calls() { return (await this.in('seen')).calls; }

  async picture(name) {
    await this.page.waitForTimeout(200); // the frame gets its height
    if (this.pictures) await this.page.locator('iframe').screenshot({ path: `${this.pictures}/${name}.png` });
  }

  requireNoErrors() {
    const unexpected = this.errors.filter(text => !/net::ERR_|Failed to load resource|Refused to|Content Security Policy/.test(text));
    assert.deepEqual(unexpected, []);
  }
}
