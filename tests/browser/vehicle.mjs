// Drives Chromium through what there is to know of a vehicle: live gauges, charts that pan and zoom, a trip that is replayed,
// trouble codes, commands; then alerts, a rule that is tried on history, and a geofence that is drawn. Exit code 0: all was as
// it should be, and the console stayed clean.
//
// From the environment, beside what fleet.mjs takes: VEHICLE, the VIN of one that drove for an hour yesterday.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const WAIT = 30_000;
// The demo's Pool 5: it has trouble, and stands with its ignition on.
const WORKSHOP = 'WVWZZZAUZGW138562';

const { BUGBROTHER_URL: url, BUGBROTHER_USER: user, BUGBROTHER_PASSWORD: password, SCREENSHOTS: folder, VEHICLE: vin } = process.env;
if (!url || !user || !password || !vin) {
  console.error('BUGBROTHER_URL, BUGBROTHER_USER, BUGBROTHER_PASSWORD and VEHICLE must be set');
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
    const refused = message.location().url.includes('/api/frontend/session') && /\b401\b/.test(message.text());
    if (message.type() === 'error' && !refused) faults.push(`console: ${message.text()}`);
  });
  page.on('requestfailed', request => {
    if (new URL(request.url()).origin !== new URL(url).origin) faults.push(`request to a third party: ${request.url()}`);
  });
}

const byId = (page, id) => page.getByTestId(id);
const shoot = (page, name) => folder && page.screenshot({ path: join(folder, `vehicle-${name}.png`) });
const attribute = (locator, name) => locator.getAttribute(name);

// Waits until `read` answers something that `fits`.
async function until(what, read, fits) {
  const end = Date.now() + WAIT;
  let last;
  while (Date.now() < end) {
    last = await read();
    if (fits(last)) return last;
    await new Promise(done => setTimeout(done, 50));
  }
  throw new Error(`${what}: ${JSON.stringify(last)} after ${WAIT / 1000} s`);
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

  await step('a vehicle that drives is opened by its own address', async () => {
    await page.goto(url);
    await byId(page, 'sign-in-username').fill(user);
    await byId(page, 'sign-in-password').fill(password);
    await byId(page, 'sign-in-submit').click();
    await byId(page, 'filter-moving').click();
    const row = page.locator('[data-testid^="row-"][data-lat]').first();
    await row.waitFor();
    const moving = (await attribute(row, 'data-testid')).slice(4);
    await page.goto(`${url}/vehicles/${moving}`);
    await byId(page, 'vehicle-name').waitFor();
  });

  await step('its gauges and its charts move', async () => {
    const speed = byId(page, 'spd');
    const before = await speed.textContent();
    await until('the speed', () => speed.textContent(), now => now && now !== before && now !== '–');
    const chart = byId(page, 'chart-spd');
    await chart.waitFor();
    const points = await until('points of the chart', () => attribute(chart, 'data-points'), n => Number(n) > 1);
    await until('more points', () => attribute(chart, 'data-points'), n => Number(n) > Number(points));
    await shoot(page, '1-live-dark');
  });

  await step('the vehicle of yesterday has a trip', async () => {
    await page.goto(`${url}/vehicles/${vin}?tab=trips`);
    await byId(page, 'trips').waitFor();
    await shoot(page, '2-trips-dark');
    await page.locator('[data-testid^="trip-"]').first().click();
    await byId(page, 'replay').waitFor();
  });

  await step('the trip is replayed on map, charts and gauges at once', async () => {
    const map = byId(page, 'trip-map');
    const charts = byId(page, 'charts');
    await until('the marker on the map', () => attribute(map, 'data-marker'), at => at);
    await until('points of the chart', () => attribute(byId(page, 'chart-spd'), 'data-points'), n => Number(n) > 100);
    await byId(page, 'replay-speed').selectOption('60');
    const [at, cursor, clock] = [
      await attribute(map, 'data-marker'), await attribute(charts, 'data-cursor'), await byId(page, 'replay-clock').textContent(),
    ];
    await byId(page, 'play').click();
    await until('the marker moves', () => attribute(map, 'data-marker'), now => now !== at);
    await until('the cursor moves', () => attribute(charts, 'data-cursor'), now => Number(now) > Number(cursor));
    await until('the clock goes on', () => byId(page, 'replay-clock').textContent(), now => now !== clock);
    await byId(page, 'play').click();
    const moment = byId(page, 'replay-moment');
    const [from, to] = [Number(await attribute(moment, 'min')), Number(await attribute(moment, 'max'))];
    await moment.fill(String(from + Math.round((to - from) / 2000) * 1000));
    await until('half way', () => attribute(charts, 'data-cursor'), now => Math.abs(Number(now) - (from + to) / 2) < 60_000);
    await until('a gauge', () => byId(page, 'rpm').textContent(), text => text !== '–');
    await byId(page, 'no-film').waitFor();
    await shoot(page, '3-replay-dark');
  });

  await step('charts pan with a hand and zoom with the wheel, and the address remembers', async () => {
    await page.goto(`${url}/vehicles/${vin}`);
    await byId(page, 'span-7d').click();
    const charts = byId(page, 'charts');
    const span = async () => [Number(await attribute(charts, 'data-from')), Number(await attribute(charts, 'data-to'))];
    await until('a week', span, ([from, to]) => to - from > 6 * 86_400_000);
    const box = await charts.boundingBox();
    await page.mouse.move(box.x + box.width * 0.85, box.y + 90);
    const before = await span();
    await page.mouse.wheel(0, -400);
    const zoomed = await until('a shorter span', span, ([from, to]) => to - from < (before[1] - before[0]) * 0.9);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.95, box.y + 90, { steps: 6 });
    await page.mouse.up();
    await until('an earlier span', span, ([from]) => from < zoomed[0]);
    await page.waitForURL(/span=\d+-\d+/);
    await byId(page, 'csv').waitFor();
    await shoot(page, '4-history-dark');
    const there = await span();
    await page.reload();
    await until('the same span', span, ([from]) => Math.abs(from - there[0]) < 1000);
  });

  await step('trouble codes are told in words, and reading them again is asked for', async () => {
    await page.goto(`${url}/vehicles/${vin}?tab=diagnostics`);
    await byId(page, 'code-P0302').waitFor();
    await byId(page, 'freeze-frame').waitFor();
    await byId(page, 'read-codes').click();
    await byId(page, 'outcome').waitFor();
    await shoot(page, '5-diagnostics-dark');
    await byId(page, 'tab-commands').click();
    await page.locator('[data-testid="command-read_dtcs"][data-state="Issued"]').first().waitFor();
    await shoot(page, '6-commands-dark');
  });

  await step('the codes of a car in the workshop are cleared in two steps, and it says what it still has', async () => {
    const stored = async () => {
      const answer = await page.request.get(`${url}/api/frontend/vehicles/${WORKSHOP}/diagnostics`);
      const { codes } = await answer.json();
      return codes.filter(code => code.status === 'stored' && !code.gone).map(({ code }) => code);
    };
    await page.goto(`${url}/vehicles/${WORKSHOP}?tab=diagnostics`);
    await byId(page, 'code-P0301').first().waitFor({ timeout: 2 * WAIT });
    await byId(page, 'clear-codes').click();
    await byId(page, 'clear-for-good').click({ timeout: 2 * WAIT });
    await byId(page, 'clear-for-good').waitFor({ state: 'detached' });
    const outcome = byId(page, 'outcome');
    await page.locator('[data-testid="outcome"]:is([data-state="Done"], [data-state="Failed"], [data-state="Denied"])').waitFor({ timeout: 2 * WAIT });
    const state = await attribute(outcome, 'data-state');
    if (state !== 'Done') throw new Error(`the car does not clear its codes: ${state} ${await outcome.textContent()}`);
    await until('the stored codes are gone', stored, codes => codes.length === 0);
    await shoot(page, '6-cleared-dark');
  });

  await step('an alert of yesterday is found and commented', async () => {
    await page.goto(`${url}/alerts?state=resolved&vin=${vin}`);
    await page.locator('[data-testid^="alert-0"]').first().click();
    await byId(page, 'alert-detail').waitFor();
    await byId(page, 'field-comment').fill('The hose was replaced.');
    await byId(page, 'say-comment').click();
    await byId(page, 'alert-history').getByText('The hose was replaced.').waitFor();
    await shoot(page, '7-alert-dark');
    await page.keyboard.press('Escape');
  });

  await step('a rule is made, tried on history, switched off, deleted and brought back', async () => {
    await page.goto(`${url}/rules`);
    await byId(page, 'new-rule').click();
    await byId(page, 'field-title').fill('Much too fast');
    await byId(page, 'field-limit').fill('135');
    await byId(page, 'field-below').fill('15');
    await byId(page, 'try-rule').click();
    const trial = page.locator('[data-testid="trial"][data-over="true"]');
    await trial.waitFor();
    await until('what it would have done', () => attribute(trial, 'data-fired'), fired => Number(fired) >= 1);
    await shoot(page, '8-rule-dark');
    await byId(page, 'save-rule').click();
    const rule = byId(page, 'rule-much-too-fast');
    await rule.waitFor();
    await byId(page, 'switch-much-too-fast').click();
    await page.locator('[data-testid="switch-much-too-fast"][aria-checked="false"]').waitFor();
    await byId(page, 'edit-much-too-fast').click();
    await byId(page, 'delete-rule').click();
    await rule.waitFor({ state: 'detached' });
    await byId(page, 'undo').last().click();
    await rule.waitFor();
  });

  await step('a geofence is drawn by hand and by keys, and shown on the live map', async () => {
    await page.goto(`${url}/geofences`);
    await byId(page, 'new-geofence').click();
    await byId(page, 'field-name').fill('Yard');
    await byId(page, 'field-kind').selectOption('polygon');
    const map = byId(page, 'geofence-map');
    const box = await map.boundingBox();
    for (const [x, y] of [[0.4, 0.4], [0.6, 0.4]]) {
      await page.mouse.click(box.x + box.width * x, box.y + box.height * y);
    }
    await byId(page, 'add-here').focus();
    await page.keyboard.press('Enter');
    await byId(page, 'points').getByText('3 points').waitFor();
    for (let n = 0; n < 6; n++) await page.locator('.leaflet-control-zoom-in').click();
    await shoot(page, '9-geofence-dark');
    await byId(page, 'field-kind').selectOption('circle');
    await byId(page, 'save-geofence').click();
    await page.locator('[data-testid^="geofence-"]').getByText('Yard').waitFor();
    await page.goto(url);
    await byId(page, 'layers').click();
    await byId(page, 'field-geofences').waitFor();
    const { geofences } = await (await page.request.get(`${url}/api/frontend/geofences`)).json();
    await page.locator(`[data-testid="map"][data-areas="${geofences.length}"]`).waitFor();
    await byId(page, 'field-colour').selectOption('spd');
    await byId(page, 'scale').waitFor();
    await shoot(page, '10-map-layers-dark');
  });

  await step('light, and on a phone', async () => {
    const state = await context.storageState();
    const light = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: 'light', storageState: state });
    const bright = await light.newPage();
    watch(bright);
    await bright.goto(`${url}/vehicles/${vin}?tab=diagnostics`);
    await byId(bright, 'codes').waitFor();
    await shoot(bright, '11-diagnostics-light');
    await bright.goto(`${url}/vehicles/${vin}?span=7d`);
    await until('points', () => attribute(byId(bright, 'chart-spd'), 'data-points'), n => Number(n) > 1);
    await shoot(bright, '12-history-light');
    await light.close();
    const phone = await browser.newContext({
      viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true, colorScheme: 'dark', storageState: state,
    });
    const small = await phone.newPage();
    watch(small);
    for (const [name, path, id] of [
      ['13-phone', `/vehicles/${vin}?tab=trips`, 'trips'], ['14-phone-diagnostics', `/vehicles/${vin}?tab=diagnostics`, 'codes'],
      ['15-phone-alerts', '/alerts?state=all', 'alerts'], ['16-phone-rules', '/rules', 'rules'],
    ]) {
      await small.goto(`${url}${path}`);
      await byId(small, id).waitFor();
      const wide = await small.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (wide > 0) faults.push(`${path} is ${wide} px wider than a phone`);
      await shoot(small, name);
    }
    await phone.close();
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
