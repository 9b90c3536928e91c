// Drives Chromium through the office as a person would: the overview and where it leads, a client, its contract with a vehicle
// and a document, a vehicle with its code and its book, an import, a saved view, statistics and their files.
// Exit code 0: all was as it should be, and the console stayed clean.
//
// From the environment: BUGBROTHER_URL, BUGBROTHER_USER, BUGBROTHER_PASSWORD; SCREENSHOTS, a folder (optional);
// CHROMIUM, the browser (default /usr/bin/chromium).
import { mkdirSync, readFileSync } from 'node:fs';
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
    // Chromium reports every refused request; these are refused by design: not signed in yet, a wrong file.
    const address = message.location().url;
    const refused = /\/api\/frontend\/session/.test(address) && /\b401\b/.test(message.text());
    const file = /\/documents\?/.test(address) && /\b415\b/.test(message.text());
    const form = /\/clients$/.test(address) && /\b422\b/.test(message.text());
    if (message.type() === 'error' && !refused && !file && !form) faults.push(`console: ${message.text()} ${address}`);
  });
}

const byId = (page, id) => page.getByTestId(id);
const shoot = (page, name) => folder && page.screenshot({ path: join(folder, `business-${name}.png`) });

function same(what, found, wanted) {
  if (found !== wanted) throw new Error(`${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);
}

function holds(what, text, part) {
  if (!text.includes(part)) throw new Error(`${what} does not hold ${JSON.stringify(part)}: ${text}`);
}

async function step(name, action) {
  const began = Date.now();
  const result = await action();
  console.log(`ok  ${name} (${Date.now() - began} ms)`);
  return result;
}

const go = async (page, path) => page.goto(`${url}${path}`);

try {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 }, colorScheme: 'dark', locale: 'en-GB', timezoneId: 'Europe/Zurich', acceptDownloads: true,
  });
  context.setDefaultTimeout(WAIT);
  const page = await context.newPage();
  watch(page);

  await step('the overview shows the fleet, and each number leads to its list', async () => {
    await go(page, '/overview');
    await byId(page, 'sign-in-username').fill(user);
    await byId(page, 'sign-in-password').fill(password);
    await byId(page, 'sign-in-submit').click();
    await byId(page, 'overview').waitFor();
    await byId(page, 'due').waitFor();
    await shoot(page, '1-overview-dark');
    await byId(page, 'now-moving').click();
    await page.waitForURL(/\/vehicles\?f=moving/);
    await page.locator('[data-testid="vehicles-moving"][aria-pressed="true"]').waitFor();
    await page.goBack();
    await byId(page, 'ending').locator('a.name').first().click();
    await byId(page, 'contract-title').waitFor();
    await byId(page, 'documents').waitFor();
    await shoot(page, '2-contract-dark');
  });

  const clientPath = await step('a client is added, with what is wrong beside its field', async () => {
    await go(page, '/clients');
    await byId(page, 'client-table').waitFor();
    await shoot(page, '3-clients-dark');
    await byId(page, 'client-add').click();
    await byId(page, 'field-email').fill('nowhere');
    await byId(page, 'submit').click();
    await page.locator('#name-error').waitFor();
    await page.locator('#email-error').waitFor();
    await byId(page, 'field-name').fill('Zurich Flowers');
    await byId(page, 'field-email').fill('hello@flowers.example');
    await byId(page, 'submit').click();
    await byId(page, 'client-name').filter({ hasText: 'Zurich Flowers' }).waitFor();
    return new URL(page.url()).pathname;
  });

  await step('it is archived, and that is undone', async () => {
    await byId(page, 'client-archive').click();
    await byId(page, 'undo').click();
    await byId(page, 'client-archive').waitFor();
  });

  await step('a contract gets a vehicle and a document', async () => {
    await byId(page, 'client-add-contract').click();
    await byId(page, 'field-title').fill('Valentine');
    await byId(page, 'field-video').check();
    await byId(page, 'submit').click();
    await byId(page, 'contract-table').getByText('Valentine').click();
    await byId(page, 'contract-title').filter({ hasText: 'Valentine' }).waitFor();
    await byId(page, 'contract-assign').click();
    await byId(page, 'assign-search').fill('van');
    await byId(page, 'assign-list').locator('input').first().check();
    await byId(page, 'submit').click();
    await byId(page, 'contract-vehicles').locator('tbody tr').first().waitFor();
    await byId(page, 'document-file').setInputFiles({ name: 'virus.pdf', mimeType: 'application/pdf', buffer: Buffer.from('MZ no document') });
    await byId(page, 'document-error').waitFor();
    const bytes = Buffer.from('%PDF-1.4\nsigned\n%%EOF\n');
    await byId(page, 'document-file').setInputFiles({ name: 'signed.pdf', mimeType: 'application/pdf', buffer: bytes });
    const downloading = page.waitForEvent('download');
    await byId(page, 'document-fetch').click();
    const download = await downloading;
    same('the name of the document', download.suggestedFilename(), 'signed.pdf');
    same('the document', readFileSync(await download.path()).toString(), bytes.toString());
    await page.locator('[data-testid^="release-"]').first().click();
    await byId(page, 'undo').last().click();
    await page.locator('[data-testid^="release-"]').first().waitFor();
    await go(page, clientPath);
    await byId(page, 'client-vehicles').locator('li').first().waitFor();
    await shoot(page, '4-client-dark');
  });

  await step('a vehicle is added: its VIN is looked at as it is typed, and it gets a code', async () => {
    await go(page, '/vehicles');
    await byId(page, 'vehicle-add').click();
    await byId(page, 'field-vin').fill('WVWZZZ1JZ3WO');
    await page.locator('#vin-error').waitFor();
    await byId(page, 'field-vin').fill('wvwzzz1jz3w386752');
    await page.getByText('Volkswagen').first().waitFor();
    await byId(page, 'field-name').fill('Flower van');
    await byId(page, 'field-class').fill('Van');
    await byId(page, 'submit').click();
    await byId(page, 'make-code').click();
    await byId(page, 'enrolment-code').waitFor();
    holds('the code', await byId(page, 'enrolment-code').innerText(), 'bugbrother-agent enroll');
    await shoot(page, '5-code-dark');
  });

  await step('its maintenance book counts what is due', async () => {
    await byId(page, 'tab-maintenance').click();
    await byId(page, 'item-add').click();
    await byId(page, 'field-title').last().fill('Oil');
    await byId(page, 'field-every_months').fill('12');
    await byId(page, 'submit').last().click();
    await byId(page, 'items').getByText('Oil').waitFor();
    await byId(page, 'item-done').click();
    await byId(page, 'field-cost').fill('120.50');
    await byId(page, 'submit').last().click();
    await byId(page, 'works').getByText('120.50').waitFor();
    await byId(page, 'sheet-close').first().click();
  });

  await step('a spreadsheet is tried, and then imported', async () => {
    await byId(page, 'vehicle-import').click();
    const csv = 'VIN;Nom;Carburant\r\nWF0DXXGAKDHA12345;Fiesta;essence\r\nNOVIN;x;\r\n';
    await byId(page, 'import-file').setInputFiles({ name: 'fleet.csv', mimeType: 'text/csv', buffer: Buffer.from(csv) });
    await byId(page, 'import-lines').waitFor();
    holds('the counts', await byId(page, 'import-counts').innerText(), '1 new');
    holds('the counts', await byId(page, 'import-counts').innerText(), '1 left out');
    await shoot(page, '6-import-dark');
    await byId(page, 'import-now').click();
    await byId(page, 'toast').getByText('1 added').waitFor();
    await byId(page, 'vehicle-search').fill('fiesta');
    await byId(page, 'vehicle-table').getByText('Fiesta').waitFor();
    await byId(page, 'vehicle-search').fill('');
  });

  await step('a view is saved, found again, and deleted', async () => {
    await byId(page, 'vehicles-class').selectOption('Van');
    await page.waitForURL(/class=Van/);
    await byId(page, 'view-save').click();
    await byId(page, 'field-view').fill('My vans');
    await byId(page, 'view-submit').click();
    await byId(page, 'view').filter({ hasText: 'My vans' }).waitFor();
    await shoot(page, '7-vehicles-dark');
    await go(page, '/vehicles');
    await byId(page, 'view').filter({ hasText: 'My vans' }).click();
    await page.waitForURL(/class=Van/);
    await byId(page, 'view-delete').click();
    await byId(page, 'view').waitFor({ state: 'detached' });
  });

  await step('statistics are sorted, put together by day, and taken away', async () => {
    await go(page, '/statistics');
    await byId(page, 'statistics-total').waitFor();
    await byId(page, 'sort-1').click();
    await shoot(page, '8-statistics-dark');
    await byId(page, 'by-day').click();
    await page.waitForURL(/by=day/);
    await page.locator('.bars-chart').waitFor();
    for (const [format, begin] of [['csv', '\ufeffDay,'], ['pdf', '%PDF-']]) {
      const downloading = page.waitForEvent('download');
      await byId(page, `statistics-${format}`).click();
      const download = await downloading;
      const text = readFileSync(await download.path()).toString();
      if (!text.startsWith(begin)) throw new Error(`the ${format} begins with ${JSON.stringify(text.slice(0, 20))}`);
      if (folder) await download.saveAs(join(folder, `business-report.${format}`));
    }
  });

  await step('the light theme and French suit it too', async () => {
    await byId(page, 'theme').click();
    await page.locator('html[data-theme="light"]').waitFor();
    await byId(page, 'account').click();
    await page.getByText('Français').click();
    await page.keyboard.press('Escape');
    await go(page, '/overview');
    await byId(page, 'due').waitFor();
    await shoot(page, '9-overview-light');
    await go(page, '/contracts?f=all');
    await byId(page, 'contract-table').waitFor();
    await shoot(page, '10-contracts-light');
    await go(page, '/statistics?by=day');
    await byId(page, 'statistics-total').waitFor();
    await shoot(page, '11-statistics-light');
  });

  await step('a phone shows the same', async () => {
    const state = await context.storageState();
    const phone = await browser.newContext({
      viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true, colorScheme: 'dark', storageState: state,
    });
    const small = await phone.newPage();
    watch(small);
    for (const [path, id, name] of [
      ['/overview', 'due', '12-overview-phone'], ['/clients', 'client-table', '13-clients-phone'],
      ['/vehicles', 'vehicle-table', '14-vehicles-phone'], ['/statistics', 'statistics-total', '15-statistics-phone'],
      ['/contracts?f=all', 'contract-table', '16-contracts-phone'],
    ]) {
      await go(small, path);
      await byId(small, id).waitFor();
      const wide = await small.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      if (wide) throw new Error(`${path} is wider than a phone`);
      await shoot(small, name);
    }
    await go(small, '/clients');
    await byId(small, 'client-add').tap();
    await byId(small, 'sheet').waitFor();
    await small.evaluate(() => Promise.all(document.getAnimations().map(animation => animation.finished)));
    await shoot(small, '17-form-phone');
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
