// Drives Chromium through the dashboard as a person would: a wrong password, the right one, a marker that moves, its vehicle,
// the theme. Exit code 0: all was as it should be, and the console stayed clean.
//
// From the environment: BUGBROTHER_URL, BUGBROTHER_USER, BUGBROTHER_PASSWORD; SCREENSHOTS, a folder (optional);
// CHROMIUM, the browser (default /usr/bin/chromium).
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const WAIT = 30_000;

const { BUGBROTHER_URL: url, BUGBROTHER_USER: user, BUGBROTHER_PASSWORD: password, SCREENSHOTS: folder } = process.env;
if (!url || !user || !password) {
  console.error('BUGBROTHER_URL, BUGBROTHER_USER and BUGBROTHER_PASSWORD must be set');
  process.exit(2);
}
if (folder) mkdirSync(folder, { recursive: true });

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});

const faults = [];

function watch(page) {
  page.on('pageerror', error => faults.push(`page error: ${error.message}`));
  page.on('console', message => {
    // Chromium reports every refused request; not being signed in yet is refused by design.
    const refused = /\/api\/frontend\/session(\/refresh)?$/.test(message.location().url) && /\b401\b/.test(message.text());
    if (message.type() === 'error' && !refused) faults.push(`console: ${message.text()}`);
  });
  page.on('requestfailed', request => {
    if (new URL(request.url()).origin !== new URL(url).origin) faults.push(`request to a third party: ${request.url()}`);
  });
}

const byId = (page, id) => page.getByTestId(id);
const shoot = (page, name) => folder && page.screenshot({ path: join(folder, `${name}.png`) });

async function signIn(page) {
  await byId(page, 'sign-in-username').fill(user);
  await byId(page, 'sign-in-password').fill(password);
  await byId(page, 'sign-in-submit').click();
}

// Waits until `read` answers something that is neither nothing nor `before`.
async function changes(what, read, before) {
  const until = Date.now() + WAIT;
  while (Date.now() < until) {
    const now = await read();
    if (now && now !== before) return now;
    await new Promise(done => setTimeout(done, 50));
  }
  throw new Error(`${what} did not change from ${JSON.stringify(before)} within ${WAIT / 1000} s`);
}

async function step(name, action) {
  const began = Date.now();
  const result = await action();
  console.log(`ok  ${name} (${Date.now() - began} ms)`);
  return result;
}

try {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: 'dark', locale: 'en-GB' });
  context.setDefaultTimeout(WAIT);
  const page = await context.newPage();
  watch(page);

  await step('a wrong password is refused visibly', async () => {
    await page.goto(url);
    await byId(page, 'sign-in-username').fill(user);
    await byId(page, 'sign-in-password').fill(`${password} but wrong`);
    await byId(page, 'sign-in-submit').click();
    await byId(page, 'password-error').waitFor();
    await shoot(page, '1-wrong-password');
  });

  await step('the right one opens the map with vehicles', async () => {
    await signIn(page);
    await page.locator('[data-testid="connection"][data-state="live"]').waitFor();
    await page.locator('[data-testid^="row-"]').first().waitFor();
  });

  const row = await step('a vehicle drives', async () => {
    await byId(page, 'filter-moving').click();
    const first = page.locator('[data-testid^="row-"][data-lat]').first();
    await first.waitFor();
    const id = await first.getAttribute('data-testid');
    await byId(page, 'filter-all').click();
    return byId(page, id);
  });

  await step('its place in the list changes', async () => {
    const place = async () => `${await row.getAttribute('data-lat')} ${await row.getAttribute('data-lon')}`;
    await changes('the position in the row', place, await place());
    await shoot(page, '2-map-dark');
  });

  await step('its drawer opens, its marker moves and its speed changes', async () => {
    await row.click();
    await byId(page, 'drawer').waitFor();
    const map = byId(page, 'map');
    const marker = async () => {
      const [x, y] = [await map.getAttribute('data-selected-x'), await map.getAttribute('data-selected-y')];
      return x && y && `${x} ${y}`;
    };
    const before = await changes('the marker of the selected vehicle', marker, null);
    // The map itself flies to the vehicle at first: only once it rests is every movement the vehicle's.
    await page.waitForFunction(() => new URLSearchParams(location.search).has('m'));
    await changes('the position of the marker', marker, before);
    const speed = () => byId(page, 'speed-value').textContent();
    await changes('the speed in the drawer', speed, await speed());
    await shoot(page, '3-drawer-dark');
  });

  await step('following keeps the marker where it is while the map moves', async () => {
    await byId(page, 'follow').click();
    await page.locator('[data-testid="follow"][aria-pressed="true"]').waitFor();
    await page.waitForURL(/follow=1/);
  });

  await step('the theme changes', async () => {
    await byId(page, 'theme').click();
    await page.locator('html[data-theme="light"]').waitFor();
    await shoot(page, '4-drawer-light');
  });

  await step('the address brings the selection back, and the session lasts', async () => {
    const name = await byId(page, 'drawer-name').textContent();
    await page.reload();
    await byId(page, 'drawer-name').filter({ hasText: name }).waitFor();
    await page.locator('html[data-theme="light"]').waitFor();
  });

  await step('keys lead through the pages', async () => {
    await page.keyboard.press('Escape');
    await byId(page, 'drawer').waitFor({ state: 'detached' });
    await page.keyboard.press('g');
    await page.keyboard.press('v');
    await byId(page, 'vehicle-table').waitFor();
    await shoot(page, '5-vehicles-light');
    await page.keyboard.press('g');
    await page.keyboard.press('a');
    await page.locator('[data-testid="alerts"], [data-testid="all-quiet"]').waitFor();
    await shoot(page, '6-alerts-light');
    await page.keyboard.press('g');
    await page.keyboard.press('m');
    await byId(page, 'map').waitFor();
  });

  await step('a phone shows the same', async () => {
    const state = await context.storageState();
    const phone = await browser.newContext({
      viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true, colorScheme: 'dark', storageState: state,
    });
    const small = await phone.newPage();
    watch(small);
    await small.goto(url);
    await small.locator('[data-testid^="row-"]').first().tap();
    await byId(small, 'drawer').waitFor();
    await small.waitForFunction(() => new URLSearchParams(location.search).has('m'));
    await shoot(small, '7-phone');
    await phone.close();
  });

  await step('signing out leads back to the way in', async () => {
    await byId(page, 'account').click();
    await byId(page, 'sign-out').click();
    await byId(page, 'sign-in-submit').waitFor();
  });
} catch (error) {
  faults.push(error.message);
  for (const context of browser.contexts()) {
    for (const page of context.pages()) await shoot(page, 'failed');
  }
} finally {
  await browser.close();
}

for (const fault of faults) console.error(`FAULT  ${fault}`);
process.exit(faults.length ? 1 : 0);
