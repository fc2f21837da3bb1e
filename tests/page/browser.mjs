// Chromium, and what must hold of the page in every case.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const DEADLINE = 30_000;
const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/// One browser with a profile that is empty and goes with it.
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/// The page of a service in a context of its own. `reports` are the browser's own lines on failed requests
/// that the case is about; any other line on the console is a fault. `frozen`: the page's clock stands still.
export async function open(browser, url, { width = 1280, height = 800, script = true, frozen = false, reports = [] } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, javaScriptEnabled: script });
  const page = await context.newPage();
  page.setDefaultTimeout(DEADLINE);
  const faults = [];
  const requests = [];
  page.on('console', (line) => {
    const isFault = ['error', 'warning'].includes(line.type());
    if (isFault && !reports.some((report) => report.test(line.text()))) faults.push(`console: ${line.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`uncaught: ${error}`));
  context.on('request', (request) => {
    requests.push(request);
    const to = new URL(request.url());
    if (to.protocol !== 'data:' && to.origin !== new URL(url).origin) faults.push(`request to ${to}`);
  });
  await context.addInitScript(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (event) => {
      window.violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`);
    });
  });
  if (frozen) await page.clock.setFixedTime(Date.now());
  await page.goto(url);
  return new View(page, context, script, faults, requests);
}

class View {
  constructor(page, context, script, faults, requests) {
    Object.assign(this, { page, context, script, faults, requests });
  }

  /// Waits until `holds` is true in the page.
  async until(holds, argument) {
    await this.page.waitForFunction(holds, argument, { timeout: DEADLINE }).catch(async (error) => {
      const text = await this.page.locator('body').innerText();
      throw new Error(`never: ${holds}\n${error.message}\n${text}`);
    });
  }

  untilState(state) {
    return this.until((wanted) => document.querySelector('main').dataset.state === wanted, state);
  }

  text(selector) {
    return this.page.locator(selector).innerText();
  }

  async enter(key) {
    await this.page.locator('input#key').fill(key);
    await this.page.keyboard.press('Enter');
  }

  /// Nothing was said on the console, nothing blocked, nothing asked of anybody else; and whoever cannot see
  /// the page well can use it, in both colour schemes.
  async isSound() {
    await this.isClean();
    await this.isAccessible();
    await this.fits();
  }

  async isClean() {
    const violations = this.script ? await this.page.evaluate(() => window.violations) : [];
    assert.deepEqual([...this.faults, ...violations], []);
  }

  async isAccessible(except = []) {
    for (const colorScheme of ['light', 'dark']) {
      await this.page.emulateMedia({ colorScheme });
      const found = await this.held(async () => {
        await this.page.evaluate(AXE);
        return this.page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
      });
      const grave = found.violations.filter(
        ({ id, impact }) => ['serious', 'critical'].includes(impact) && !except.includes(id),
      );
      const told = grave.map(({ id, impact, nodes }) => {
        const where = nodes.map((node) => `${node.html}\n    ${node.failureSummary}`);
        return `${impact} ${id} (${colorScheme}): ${where.join('\n  ')}`;
      });
      assert.deepEqual(told, []);
    }
    await this.page.emulateMedia({ colorScheme: 'light' });
  }

  /// Nothing sticks out to the side.
  async fits() {
    const [content, window] = await this.page.evaluate(() => [
      document.documentElement.scrollWidth,
      document.documentElement.clientWidth,
    ]);
    assert.ok(content <= window, `the page is ${content} wide in ${window}`);
  }

  /// Runs `work` while no answer replaces the page under it.
  async held(work) {
    let release;
    const gate = new Promise((resolve) => { release = resolve; });
    const going = [];
    const hold = (route) => {
      const gone = gate.then(() => route.continue());
      going.push(gone);
      return gone;
    };
    await this.page.route('**/*', hold);
    try {
      return await work();
    } finally {
      release();
      await Promise.all(going);
      await this.page.unroute('**/*', hold);
    }
  }

  async shot(file, options) {
    await this.page.evaluate(() => { document.activeElement?.blur(); window.scrollTo(0, 0); });
    await this.page.screenshot({ path: file, animations: 'disabled', ...options });
  }

  close() {
    return this.context.close();
  }
}
