// Drives Chromium through accounts: units and time zone, an API token, a user who is invited, sets a password and a second factor,
// signs in with both, forgets the password, is disabled and deleted; the audit log; a session that is ended elsewhere. Exit code 0:
// all was as it should be, and the console stayed clean.
//
// From the environment: BUGBROTHER_URL, BUGBROTHER_USER, BUGBROTHER_PASSWORD; SCREENSHOTS, a folder (optional).
import { createHmac } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { LOOKS, WAIT, arrive, launch, profile, settle, signIn, url } from './person.mjs';

const PASSWORD = 'correct horse battery';
const folder = process.env.SCREENSHOTS;
if (folder) mkdirSync(folder, { recursive: true });

const faults = [];

// Chromium reports every refused request. Refused by design are: not being signed in, whatever a page was asking for when its
// session was ended elsewhere, a second factor that is asked for, and what is typed in wrong.
const BY_DESIGN = [
  [401, /\/api\/frontend\//],
  [422, /\/api\/frontend\/(users|second-factor)$/],
];

function watch(page) {
  page.on('pageerror', error => faults.push(`page error: ${error.message}`));
  page.on('console', message => {
    const refused = BY_DESIGN.some(([status, path]) => message.text().includes(` ${status} `) && path.test(message.location().url));
    if (message.type() === 'error' && !refused) faults.push(`console: ${message.text()} ${message.location().url}`);
  });
}

const byId = (page, id) => page.getByTestId(id);
const shoot = async (page, name) => {
  if (!folder) return;
  await settle(page);
  await page.screenshot({ path: join(folder, `${name}.png`) });
};

async function step(name, action) {
  const began = Date.now();
  const result = await action();
  console.log(`ok  ${name} (${Date.now() - began} ms)`);
  return result;
}

const STEP_MS = 30_000;
const left = () => STEP_MS - (Date.now() % STEP_MS);

// What an authenticator app shows for a secret in base32 (RFC 6238), so many steps from now; when it shows it for some time yet.
async function telephone(secret, steps = 0) {
  const soon = 10_000;
  if (left() < soon) await new Promise(resolve => setTimeout(resolve, left()));
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret.replaceAll(' ', '')].map(letter => letters.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map(byte => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / STEP_MS) + steps));
  const hash = createHmac('sha1', key).update(counter).digest();
  const code = (hash.readUInt32BE(hash[19] & 15) & 0x7fffffff) % 1_000_000;
  return String(code).padStart(6, '0');
}

async function enter(page, name, password) {
  await byId(page, 'sign-in-username').fill(name);
  await byId(page, 'sign-in-password').fill(password);
  await byId(page, 'sign-in-submit').click();
}

// Through the app's own links, so that its state stays.
async function open(page, path) {
  await page.goto(new URL(path, url).href);
  await page.locator('[data-testid="connection"][data-state="live"]').waitFor();
}

const browser = await launch();
try {
  const context = await profile(browser, LOOKS[0]);
  const page = await arrive(context);
  watch(page);
  await signIn(page);

  await step('miles, Fahrenheit and another time zone are shown at once and kept on the server', async () => {
    await byId(page, 'account').click();
    await byId(page, 'own-account').click();
    await byId(page, 'tab-preferences').click();
    const example = byId(page, 'preferences-example');
    await example.filter({ hasText: 'km/h' }).waitFor();
    await byId(page, 'field-distance').selectOption('Mi');
    await byId(page, 'field-consumption').selectOption('MpgUs');
    await byId(page, 'field-temperature').selectOption('Fahrenheit');
    await example.filter({ hasText: '62 mph' }).filter({ hasText: 'mpg' }).filter({ hasText: '194 °F' }).waitFor();
    const before = await example.textContent();
    await byId(page, 'field-time-zone').selectOption('Pacific/Kiritimati');
    await page.waitForFunction(before => document.querySelector('[data-testid="preferences-example"]').textContent !== before, before);
    await shoot(page, 'preferences-dark');
    // Another browser of the same person.
    const other = await profile(browser, LOOKS[0]);
    const elsewhere = await arrive(other);
    watch(elsewhere);
    await signIn(elsewhere);
    await elsewhere.locator('[data-testid^="row-"]').filter({ hasText: 'mph' }).first().waitFor();
    await elsewhere.locator('[data-testid^="row-"]').first().click();
    await byId(elsewhere, 'drawer').filter({ hasText: 'mph' }).filter({ hasText: '°F' }).waitFor();
    await other.close();
    await byId(page, 'field-distance').selectOption('Km');
    await byId(page, 'field-consumption').selectOption('LitresPer100Km');
    await byId(page, 'field-temperature').selectOption('Celsius');
    await byId(page, 'field-time-zone').selectOption('');
  });

  await step('an API token is shown once, works, and is revoked', async () => {
    await byId(page, 'tab-security').click();
    await byId(page, 'no-tokens').waitFor();
    await byId(page, 'token-make').click();
    await byId(page, 'submit').last().click();
    await byId(page, 'label-error').waitFor();
    await byId(page, 'token-label').fill('Monthly report');
    await shoot(page, 'token-dark');
    await byId(page, 'submit').last().click();
    const secret = await byId(page, 'once').textContent();
    if (!secret.startsWith('bb_')) throw new Error(`no token: ${secret}`);
    const ask = () => fetch(new URL('/api/frontend/vehicles', url), { headers: { authorization: `Bearer ${secret}` } });
    if ((await ask()).status !== 200) throw new Error('the token opens nothing');
    await byId(page, 'token-done').click();
    await byId(page, 'token').filter({ hasText: 'Monthly report' }).waitFor();
    await shoot(page, 'account-dark');
    await byId(page, 'token-revoke').click();
    await byId(page, 'no-tokens').waitFor();
    if ((await ask()).status !== 401) throw new Error('the revoked token still opens something');
  });

  const link = await step('a user is added, with what is wrong beside its field, and gets a link', async () => {
    await open(page, '/users');
    await byId(page, 'user-admin').waitFor();
    await byId(page, 'roles').click();
    await byId(page, 'rights').waitFor();
    await shoot(page, 'roles-dark');
    await byId(page, 'sheet-close').click();
    await byId(page, 'user-add').click();
    await byId(page, 'user-name').fill('Not A Name');
    await byId(page, 'submit').click();
    await byId(page, 'name-error').waitFor();
    await byId(page, 'user-name').fill('ada');
    await byId(page, 'user-display_name').fill('Ada Lovelace');
    await shoot(page, 'add-user-dark');
    await byId(page, 'submit').click();
    const link = await byId(page, 'once').textContent();
    await shoot(page, 'link-dark');
    await byId(page, 'link-done').click();
    await byId(page, 'user-ada').getByTestId('invited').waitFor();
    return link;
  });

  const guest = await profile(browser, LOOKS[1]);
  const ada = await guest.newPage();
  ada.setDefaultTimeout(WAIT);
  watch(ada);
  await step('she sets a password by the link, once', async () => {
    await ada.goto(link);
    await byId(ada, 'invitation-password').fill('short');
    await byId(ada, 'invitation-submit').click();
    await byId(ada, 'password-error').waitFor();
    await shoot(ada, 'invitation-light');
    await byId(ada, 'invitation-password').fill(PASSWORD);
    await byId(ada, 'invitation-submit').click();
    await ada.locator('[data-testid="connection"][data-state="live"]').waitFor();
    if (new URL(ada.url()).pathname !== '/') throw new Error(`the link stands in the address: ${ada.url()}`);
    if (await ada.locator('nav a[href="/users"]').count()) throw new Error('an operator is offered the users');
  });

  const codes = await step('she sets a second factor up', async () => {
    await open(ada, '/account');
    await byId(ada, 'factor-set-up').click();
    await byId(ada, 'factor-password').fill('wrong password');
    await byId(ada, 'submit').last().click();
    await byId(ada, 'password-error').waitFor();
    await byId(ada, 'factor-password').fill(PASSWORD);
    await byId(ada, 'submit').last().click();
    const secret = await byId(ada, 'factor-secret').textContent();
    await byId(ada, 'factor-qr').waitFor();
    await shoot(ada, 'second-factor-light');
    await byId(ada, 'factor-code').fill(await telephone(secret, -1));
    await byId(ada, 'submit').last().click();
    await byId(ada, 'recovery-codes').waitFor();
    await shoot(ada, 'recovery-codes-light');
    const codes = await byId(ada, 'recovery-codes').locator('code').allTextContents();
    await byId(ada, 'codes-done').click();
    await byId(ada, 'factor-on').waitFor();
    await byId(ada, 'account').click();
    await byId(ada, 'sign-out').click();
    await byId(ada, 'sign-in-submit').waitFor();
    return { codes, secret };
  });

  await step('signing in asks for the code, which is good once; a recovery code does, too', async () => {
    await enter(ada, 'ada', PASSWORD);
    await byId(ada, 'sign-in-code').waitFor();
    await shoot(ada, 'code-light');
    await byId(ada, 'sign-in-code').fill('000000');
    await byId(ada, 'sign-in-submit').click();
    await byId(ada, 'code-error').waitFor();
    const code = await telephone(codes.secret);
    await byId(ada, 'sign-in-code').fill(code);
    await byId(ada, 'sign-in-submit').click();
    await ada.locator('[data-testid="connection"][data-state="live"]').waitFor();
    await byId(ada, 'account').click();
    await byId(ada, 'sign-out').click();
    await enter(ada, 'ada', PASSWORD);
    await byId(ada, 'sign-in-code').fill(code);
    await byId(ada, 'sign-in-submit').click();
    await byId(ada, 'code-error').waitFor();
    await byId(ada, 'sign-in-code').fill(codes.codes[0]);
    await byId(ada, 'sign-in-submit').click();
    await ada.locator('[data-testid="connection"][data-state="live"]').waitFor();
  });

  await step('a session that is ended elsewhere leads to the way in', async () => {
    const second = await profile(browser, LOOKS[1]);
    const there = await arrive(second);
    watch(there);
    await enter(there, 'ada', PASSWORD);
    await byId(there, 'sign-in-code').fill(codes.codes[1]);
    await byId(there, 'sign-in-submit').click();
    await there.locator('[data-testid="connection"][data-state="live"]').waitFor();
    await open(ada, '/account');
    await byId(ada, 'session-current').waitFor();
    await shoot(ada, 'account-light');
    await byId(ada, 'end-others').click();
    await byId(there, 'session-ended').waitFor();
    await second.close();
  });

  await step('a forgotten password is asked for, and the administrator sees it', async () => {
    const stranger = await profile(browser, LOOKS[1]);
    const lost = await arrive(stranger);
    watch(lost);
    await byId(lost, 'forgotten').click();
    await byId(lost, 'forgotten-username').fill('ada');
    await shoot(lost, 'forgotten-light');
    await byId(lost, 'forgotten-ask').click();
    await byId(lost, 'asked').waitFor();
    await stranger.close();
    await page.reload();
    await byId(page, 'user-ada').getByTestId('asks').waitFor();
    await byId(page, 'user-ada').getByTestId('has-factor').waitFor();
    await shoot(page, 'users-dark');
  });

  await step('she is disabled, which ends what she has open, and that can be undone', async () => {
    await byId(page, 'user-ada').click();
    await shoot(page, 'user-dark');
    await byId(page, 'user-disable').click();
    await byId(ada, 'session-ended').waitFor();
    await byId(page, 'undo').last().click();
    await byId(page, 'user-disable').waitFor();
    await byId(page, 'user-disable').click();
    await byId(page, 'user-delete').click();
    await byId(page, 'user-ada').waitFor({ state: 'detached' });
  });

  await step('the audit log tells it, by person and by object', async () => {
    await open(page, '/audit');
    await byId(page, 'deed').first().waitFor();
    await byId(page, 'audit').filter({ hasText: 'deleted a user' }).waitFor();
    await shoot(page, 'audit-dark');
    await byId(page, 'deed-who').filter({ hasText: 'ada' }).first().click();
    await page.waitForURL(/who=ada/);
    await byId(page, 'audit').filter({ hasText: 'set up a second factor' }).waitFor();
    const others = await byId(page, 'deed-who').allTextContents();
    if (others.some(who => who !== 'ada')) throw new Error(`not hers alone: ${others}`);
  });

  await step('a phone shows the same', async () => {
    const phone = await profile(browser, LOOKS[2], { storageState: await context.storageState() });
    const small = await phone.newPage();
    watch(small);
    for (const [path, name, id] of [['/users', 'users-phone', 'users'], ['/account', 'account-phone', 'sessions'], ['/audit', 'audit-phone', 'audit']]) {
      await open(small, path);
      await byId(small, id).waitFor();
      const wide = await small.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      if (wide) throw new Error(`${path} is wider than a phone`);
      await shoot(small, name);
    }
    await phone.close();
  });
} catch (error) {
  faults.push(error.message);
  for (const context of browser.contexts()) {
    for (const [n, page] of context.pages().entries()) {
      if (folder) await page.screenshot({ path: join(folder, `failed-${browser.contexts().indexOf(context)}-${n}.png`) });
    }
  }
} finally {
  await browser.close();
}

for (const fault of faults) console.error(`FAULT  ${fault}`);
process.exit(faults.length ? 1 : 0);
