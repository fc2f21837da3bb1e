// What is looked at, each case with a service and a browser of its own.
import assert from 'node:assert/strict';
import { open } from './browser.mjs';
import { KEY, hanging, sandbox } from './service.mjs';

const CHECKS = ['api', 'runpod_configured', 'r2_configured'];
const PHONE = { width: 390, height: 844 };
// What Chromium itself says of a request that is refused or finds nobody.
const REFUSED = /^Failed to load resource: the server responded with a status of 401/;
const LIMITED = /^Failed to load resource: the server responded with a status of 429/;
const NOBODY = /^Failed to load resource: net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|SOCKET_NOT_CONNECTED)/;

/// What only key holders may read.
const HIDDEN = ['invalid_access_key', 'runbook', 'Remedy', 'since', 'bucket', 'remove-bg'];

async function assertHidden(view) {
  const main = await view.page.locator('main').innerHTML();
  for (const word of HIDDEN) assert.ok(!main.includes(word), `${word} is shown to anybody`);
}

const states = (view) => view.page.locator('.check .state').allInnerTexts();

export const cases = {
  async healthy(browser, picture) {
    const service = await sandbox();
    const view = await open(browser, service.url);
    await view.untilState('healthy');
    assert.deepEqual(await view.page.locator('.check h2').allInnerTexts(), CHECKS);
    assert.deepEqual(await states(view), ['passing', 'passing', 'passing']);
    assert.match(await view.page.title(), /^✓ healthy/);
    assert.equal(await view.text('h1'), 'HEALTHY');
    assert.match(await view.text('#check-api .age'), /^checked \d+ s ago$/);
    await assertHidden(view);
    // From across a room.
    const word = await view.page.locator('h1 span').boundingBox();
    assert.ok(word.height >= 100 && word.width >= 500, JSON.stringify(word));

    // Ages count without an answer, and answers come by themselves.
    await view.page.evaluate(() => { document.querySelector('main').dataset.old = 'yes'; });
    await view.until(() => /updated [1-9]/.test(document.getElementById('live').textContent));
    await view.until(() => !document.querySelector('main').dataset.old);
    await view.isSound();
    await picture('healthy.png', (file) => view.shot(file));
    await service.end();
  },

  async 'degraded, seen without a reload'(browser) {
    const service = await sandbox();
    const view = await open(browser, service.url);
    await view.untilState('healthy');
    const icon = () => view.page.locator('#icon').getAttribute('href');
    const before = await icon();
    await service.switchOn('token-revoked');
    await view.untilState('degraded');
    assert.match(await view.page.title(), /^✕ degraded/);
    assert.notEqual(await icon(), before);
    assert.deepEqual(await states(view), ['passing', 'passing', 'failing']);
    assert.match(await view.text('main .verdict'), /r2_configured fails\./);
    // The one thing that is read out.
    assert.equal(await view.page.locator('[role=status]').textContent(), 'degraded. r2_configured fails.');
    await assertHidden(view);
    await view.isSound();
    await service.end();
  },

  async 'key entered'(browser, picture) {
    const service = await sandbox();
    const view = await open(browser, service.url);
    const { page } = view;
    await view.untilState('healthy');
    await service.switchOn('token-revoked');
    await view.untilState('degraded');
    await view.enter(KEY);
    await view.until(() => document.querySelector('main').dataset.details === 'true');
    const r2 = page.locator('#check-r2_configured');
    const told = await r2.innerText();
    for (const part of [/invalid_access_key/, /Remedy: create an R2 API token/, /docs\/runbook\.md#invalid_access_key/, /Failing since \d{4}-/])
      assert.match(told, part);
    const strip = r2.locator('.strip svg');
    assert.match(await strip.getAttribute('aria-label'), /^2 changes in the last \d+ s: turned failing 1 time, .* now failing$/);
    assert.deepEqual(await strip.locator('rect').evaluateAll((all) => all.map((one) => one.getAttribute('class'))), ['pass', 'fail']);
    // The keyboard goes to what has taken the form's place.
    assert.equal(await page.evaluate(() => document.activeElement.id), 'forget');

    // What is opened stays open, and focused, when the next answer comes.
    await page.locator('#data-of-r2_configured').click();
    assert.match(await r2.innerText(), /bucket\s+renders/);
    await page.evaluate(() => { document.querySelector('main').dataset.old = 'yes'; });
    await view.until(() => !document.querySelector('main').dataset.old);
    assert.match(await r2.innerText(), /bucket\s+renders/);
    assert.equal(await page.evaluate(() => document.activeElement.id), 'data-of-r2_configured');

    // The key went out in a header of requests to this service and is nowhere else.
    assert.equal((await view.requests.at(-1).allHeaders())['x-api-key'], KEY);
    assert.ok(view.requests.every((request) => !request.url().includes(KEY)));
    const kept = await page.evaluate(() => ({
      storage: JSON.stringify([{ ...localStorage }, { ...sessionStorage }]),
      cookie: document.cookie,
      url: location.href,
      history: JSON.stringify(history.state),
      page: document.documentElement.outerHTML,
      input: document.querySelector('input#key').value,
    }));
    for (const [place, text] of Object.entries(kept)) assert.ok(!text?.includes(KEY), `the key is in ${place}`);
    assert.deepEqual(await view.context.cookies(), []);
    await view.isSound();

    await page.locator('#data-of-r2_configured').click();
    await picture('details.png', async (file) => {
      await page.emulateMedia({ colorScheme: 'dark' });
      await view.shot(file, { fullPage: true });
      await page.emulateMedia({ colorScheme: 'light' });
    });
    await page.locator('#forget').click();
    await view.until(() => document.querySelector('main').dataset.details === 'false');
    await assertHidden(view);
    assert.equal((await view.requests.at(-1).allHeaders())['x-api-key'], undefined);
    await service.end();
  },

  async 'key forgotten while nobody answers'(browser) {
    const service = await sandbox();
    const view = await open(browser, service.url, { reports: [NOBODY] });
    await view.untilState('healthy');
    await view.enter(KEY);
    await view.until(() => document.querySelector('main').dataset.details === 'true');
    await service.end();
    await view.until(() => !document.getElementById('lost').hidden);
    await view.page.locator('#forget').click();
    await assertHidden(view);
    assert.equal(await view.page.locator('main .version').count(), 0);
    assert.equal(await view.page.locator('#unlock').isVisible(), true);
    assert.equal(await view.page.locator('#lost').isVisible(), true);
    await view.isSound();
  },

  async 'wrong key'(browser) {
    const service = await sandbox();
    const view = await open(browser, service.url, { reports: [REFUSED] });
    await view.untilState('healthy');
    await view.enter('not-an-operator-key');
    await view.until(() => document.getElementById('told').textContent !== '');
    assert.equal(await view.text('#told'), 'The service refuses the key: X-Api-Key is not, once, one of API_KEYS.');
    // The state stays, and goes on without the key.
    await view.page.evaluate(() => { document.querySelector('main').dataset.old = 'yes'; });
    await view.until(() => !document.querySelector('main').dataset.old);
    assert.equal(await view.page.locator('#lost').isVisible(), false);
    assert.equal((await view.requests.at(-1).allHeaders())['x-api-key'], undefined);
    await view.isSound();
    await view.enter('no key has spaces');
    assert.match(await view.text('#told'), /^A key has no spaces/);
    await service.end();
  },

  async starting(browser) {
    const service = await hanging();
    const view = await open(browser, service.url);
    await view.untilState('starting');
    assert.equal(await view.text('h1'), 'STARTING');
    assert.match(await view.page.title(), /^… starting/);
    assert.match(await view.text('main .verdict'), /Waiting for the first result of runpod_configured\./);
    assert.match(await view.text('#check-runpod_configured'), /starting\s+not checked yet/);
    assert.match(await view.text('#check-r2_configured .state'), /^failing\s*does not count$/);
    const moves = () => view.page.locator('h1 .shape').evaluate((shape) => getComputedStyle(shape).animationName);
    assert.equal(await moves(), 'turn');
    await view.page.emulateMedia({ reducedMotion: 'reduce' });
    assert.equal(await moves(), 'none');
    await view.isSound();
    await service.end();
  },

  async 'stale, after a warning'(browser) {
    const service = await sandbox();
    const view = await open(browser, service.url);
    await view.untilState('healthy');
    await service.switchOn('rate-limited');
    await view.until(() => document.querySelector('#check-runpod_configured .state').textContent === 'passing, with a warning');
    await view.isSound();
    await view.untilState('degraded');
    assert.equal(await view.text('#check-runpod_configured .state'), 'failing: no recent result');
    await assertHidden(view);
    await view.isSound();
    await view.enter(KEY);
    await view.until(() => document.querySelector('main').dataset.details === 'true');
    const told = await view.text('#check-runpod_configured');
    assert.match(told, /The last result is too old to rely on\./);
    assert.match(told, /\bstale\b/);
    const label = await view.page.locator('#check-runpod_configured .strip svg').getAttribute('aria-label');
    assert.match(label, /^3 changes .*warning 1 time/);
    await view.isSound();
    await service.end();
  },

  async 'offline, and back'(browser) {
    const service = await sandbox();
    const view = await open(browser, service.url, { reports: [NOBODY] });
    await view.untilState('healthy');
    await service.end();
    await view.until(() => !document.getElementById('lost').hidden);
    assert.match(await view.text('#lost'), /^UNREACHABLE\s+Cannot reach the service since \d\d:\d\d:\d\d UTC; what is below is \d+ s old\.$/);
    assert.match(await view.page.title(), /^\? unreachable/);
    assert.equal(await view.text('#live'), 'not updated');
    const lastKnown = await view.page.locator('main h1').boundingBox();
    assert.ok(lastKnown.height < 60, 'what is old is not huge');
    // Ages go on, from before.
    const age = () => view.page.evaluate(() => Number.parseInt(document.getElementById('old-age').textContent, 10));
    const before = await age();
    await view.until((before) => Number.parseInt(document.getElementById('old-age').textContent, 10) > before, before);
    await view.isSound();

    const again = await sandbox(new URL(service.url).port);
    assert.equal(again.url, service.url);
    await view.until(() => document.getElementById('lost').hidden);
    await view.untilState('healthy');
    await view.until(() => document.title.startsWith('✓'));
    await view.isSound();
    await again.end();
  },

  async 'an answer that is an error'(browser) {
    const service = await sandbox();
    const view = await open(browser, service.url, { reports: [LIMITED] });
    await view.untilState('healthy');
    // As the service writes it; a page alone never gets there.
    const body = { error: { code: 'rate_limited', message: 'too many requests; retry in 1 s', request_id: 'x' } };
    const refuse = (route) => route.fulfill({ status: 429, json: body, headers: { 'retry-after': '1' } });
    await view.page.route('**/*', refuse);
    await view.until(() => !document.getElementById('lost').hidden);
    assert.match(await view.text('#why'), /^No state \(too many requests; retry in 1 s\) since/);
    await view.page.unroute('**/*', refuse);
    await view.until(() => document.getElementById('lost').hidden);
    await view.isSound();
    await service.end();
  },

  async 'a key is required'(browser) {
    const service = await hanging({ HEALTH_REQUIRE_API_KEY: 'true', CHECK_TIMEOUT: '1s' });
    const view = await open(browser, service.url, { ...PHONE, reports: [REFUSED] });
    assert.equal(await view.text('h1'), 'KEY NEEDED');
    assert.equal(await view.page.locator('.check').count(), 0);
    await view.isSound();
    await view.enter('not-an-operator-key');
    await view.until(() => document.getElementById('told').textContent !== '');
    await view.enter(KEY);
    await view.untilState('degraded');
    assert.equal(await view.page.locator('.check').count(), 3);
    await view.isSound();
    await service.end();
  },

  async 'without JavaScript'(browser) {
    const service = await sandbox();
    await service.switchOn('token-revoked');
    const view = await open(browser, service.url, { script: false });
    const { page } = view;
    // The page asks again by itself, until the fault is in it.
    await page.locator('main[data-state=degraded]').waitFor({ timeout: 60_000 });
    assert.deepEqual(await states(view), ['passing', 'passing', 'failing']);
    assert.match(await view.text('#check-api .age'), /^checked \d+ s ago$/);
    assert.equal(await page.locator('#unlock').isVisible(), false);
    assert.match(await view.text('footer'), /X-Api-Key/);
    const pages = () => view.requests.filter((request) => request.isNavigationRequest()).length;
    const before = pages();
    await page.waitForEvent('framenavigated', { timeout: 60_000 });
    await page.waitForLoadState();
    assert.ok(pages() > before);
    await view.isClean();
    await view.fits();
    // axe is a script: it looks at a copy, in which what is for browsers without one has its place. To
    // reload is the only way without a script not to show what is past.
    const copy = await open(browser, 'about:blank');
    const html = (await page.content()).replace(/<script>[^]*<\/script>/, '').replaceAll(/<\/?noscript>/g, '');
    await copy.page.setContent(html.replace('content="15"', 'content="3600"'));
    assert.match(await copy.text('footer'), /X-Api-Key/);
    await copy.isAccessible(['meta-refresh']);
    await service.end();
  },

  async phone(browser, picture) {
    const service = await sandbox();
    const view = await open(browser, service.url, { ...PHONE, reports: [NOBODY] });
    await view.untilState('healthy');
    await view.isSound();
    await service.switchOn('token-revoked');
    await view.untilState('degraded');
    await view.isSound();
    await picture('phone.png', (file) => view.shot(file));
    await view.enter(KEY);
    await view.until(() => document.querySelector('main').dataset.details === 'true');
    for (const summary of await view.page.locator('summary').all()) await summary.click();
    await view.isSound();
    // The narrowest in use.
    await view.page.setViewportSize({ width: 320, height: 600 });
    await view.fits();
    await service.end();
    await view.until(() => !document.getElementById('lost').hidden);
    await view.isSound();
  },

  async 'ages are told as the service tells them'(browser) {
    const service = await sandbox();
    const view = await open(browser, service.url, { frozen: true });
    await view.untilState('healthy');
    // The table of src/answers/page/age.rs.
    const table = [
      [0, '0 s'], [59, '59 s'], [60, '1 min'], [3599, '59 min'], [3600, '1 h 0 min'],
      [172_799, '47 h 59 min'], [172_800, '2 d 0 h'], [900_000, '10 d 10 h'],
    ];
    for (const [seconds, told] of table) {
      await view.page.evaluate((seconds) => {
        document.querySelector('.name').innerHTML = `<time data-age="${seconds * 1000}"></time>`;
      }, seconds);
      await view.until((told) => document.querySelector('.name').textContent === `${told} ago`, told);
    }
    await service.end();
  },

  async 'these tests see what is wrong'(browser) {
    const service = await sandbox();
    const faulty = async (fault, word) => {
      const view = await open(browser, service.url, { width: 600 });
      await view.untilState('healthy');
      await view.page.evaluate(fault);
      await assert.rejects(view.isSound(), (error) => error.message.includes(word), word);
      await view.close();
    };
    await faulty(() => document.body.setAttribute('style', 'color: red'), 'style-src');
    await faulty(() => fetch('http://127.0.0.1:9/').catch(() => {}), 'connect-src');
    await faulty(() => console.warn('something'), 'something');
    await faulty(() => { document.body.style.color = '#eee'; document.querySelector('.name').style.color = '#eee'; }, 'color-contrast');
    await faulty(() => { document.querySelector('header').style.width = '900px'; }, 'the page is');
    await service.end();
  },
};
