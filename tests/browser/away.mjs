// Takes the network away from a page, and then its server: the shell and what was known stay, and the fleet's other dashboard
// takes over until the first one is back.
//
// From the environment: BUGBROTHER_URL and BUGBROTHER_OTHER, two dashboards of one fleet; BUGBROTHER_USER, BUGBROTHER_PASSWORD;
// BUGBROTHER_VEHICLE, the name of a vehicle; SCREENSHOTS, a folder (optional). Whoever starts this ends the first dashboard
// when "kill" is printed and starts it again at "return".
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const WAIT = 45_000;
const { BUGBROTHER_URL: url, BUGBROTHER_OTHER: other, BUGBROTHER_USER: user, BUGBROTHER_PASSWORD: password,
  BUGBROTHER_VEHICLE: vehicle, SCREENSHOTS: folder } = process.env;
if (folder) mkdirSync(folder, { recursive: true });

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});
const faults = [];
const byId = (page, id) => page.getByTestId(id);
const shoot = (page, name) => folder && page.screenshot({ path: join(folder, `${name}.png`) });
const isLive = page => page.waitForFunction(
  () => document.querySelector('[data-testid="connection"]')?.dataset.state === 'live', null, { timeout: WAIT });
const isAway = page => page.waitForFunction(
  () => ['reconnecting', 'offline'].includes(document.querySelector('[data-testid="connection"]')?.dataset.state), null, { timeout: WAIT });
const shows = page => page.getByTestId('vehicle-table').getByText(vehicle).first().waitFor({ timeout: WAIT });

async function step(name, action) {
  const began = Date.now();
  await action();
  console.log(`ok  ${name} (${Date.now() - began} ms)`);
}

try {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: 'dark', locale: 'en-GB' });
  context.setDefaultTimeout(WAIT);
  const page = await context.newPage();
  page.on('pageerror', error => faults.push(`page error: ${error.message}`));

  await step('a page is opened, and its worker keeps it', async () => {
    await page.goto(`${url}/vehicles`);
    await byId(page, 'sign-in-username').fill(user);
    await byId(page, 'sign-in-password').fill(password);
    await byId(page, 'sign-in-submit').click();
    await isLive(page);
    await shows(page);
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => true));
    const manifest = await (await context.request.get(`${url}/manifest.webmanifest`)).json();
    if (manifest.display !== 'standalone' || manifest.icons.length < 2) faults.push('the manifest makes nothing to install');
    const kept = () => page.evaluate(async () => Boolean(await (await caches.open('known')).match('/known/fleet')));
    const until = Date.now() + WAIT;
    while (!await kept()) {
      if (Date.now() > until) throw new Error('the fleet was not kept');
      await page.waitForTimeout(100);
    }
  });

  await step('without a network the page opens and shows what was known', async () => {
    await context.setOffline(true);
    await page.reload();
    await isAway(page);
    await shows(page);
    await shoot(page, 'away-1-offline');
    await page.goto(`${url}/alerts`);
    await byId(page, 'connection').waitFor();
  });

  await step('with the network back the page goes on by itself', async () => {
    await context.setOffline(false);
    await isLive(page);
    // With the list of servers comes the pass to another one.
    const told = page.waitForResponse(answer => answer.url().endsWith('/api/frontend/servers') && answer.ok());
    await page.goto(`${url}/vehicles`);
    await isLive(page);
    await told;
  });

  console.log('kill');
  await step('when the server ends, the other one takes over with nobody signing in', async () => {
    await page.waitForURL(address => address.origin === other && address.pathname === '/vehicles', { timeout: WAIT });
    await isLive(page);
    await shows(page);
    if (page.url().includes('passage')) faults.push('the passage stayed in the address');
    await shoot(page, 'away-2-other');
  });

  console.log('return');
  await step('when the first one has been well for a while, the page goes back', async () => {
    await page.waitForURL(address => address.origin === url, { timeout: 120_000 });
    await isLive(page);
    await shows(page);
    await shoot(page, 'away-3-back');
  });
} catch (error) {
  faults.push(error.message);
}
await browser.close();
for (const fault of faults) console.error(fault);
process.exit(faults.length ? 1 : 0);
