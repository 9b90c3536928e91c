// Drives Chromium through notifications: a channel that is added, tried and deleted, quiet hours, this browser as a channel, what it
// shows when something is pushed and where that leads; the fleet's channels, mail server and log. Exit code 0: all was as it should
// be, and the console stayed clean.
//
// The push service is this script: Chromium's own is somewhere on the internet. All else is real: the subscription's keys, the
// notifier's encryption, and the service worker, to which the browser hands what was pushed.
//
// From the environment: BUGBROTHER_URL, BUGBROTHER_USER, BUGBROTHER_PASSWORD; SCREENSHOTS, a folder (optional).
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { LOOKS, WAIT, arrive, launch, profile, settle, signIn, url } from './person.mjs';
import { keys, read } from './push.mjs';

const SECRET = 'a-secret-that-nobody-sees';
const folder = process.env.SCREENSHOTS;
if (folder) mkdirSync(folder, { recursive: true });

const faults = [];
// Refused by design: not being signed in, what is typed in wrong, and an alert that is not there.
const BY_DESIGN = [
  [401, /\/api\/frontend\/(session|session\/refresh|tickets)$/],
  [422, /\/api\/frontend\/notifications\/channels$/],
  [404, /\/api\/frontend\/alerts\/0192f0c4/],
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

// What is read once it is there.
async function eventually(read) {
  for (const end = Date.now() + WAIT; Date.now() < end; await new Promise(done => setTimeout(done, 50))) {
    const found = await read();
    if (found) return found;
  }
  throw new Error(`${read} finds nothing`);
}

async function step(name, action) {
  const began = Date.now();
  const result = await action();
  console.log(`ok  ${name} (${Date.now() - began} ms)`);
  return result;
}

const must = (is, what) => { if (!is) throw new Error(what); };

// Whoever is told: by path.
const waiting = new Map();
const sink = createServer((request, response) => {
  const pieces = [];
  request.on('data', piece => pieces.push(piece));
  request.on('end', () => {
    const one = { headers: request.headers, body: Buffer.concat(pieces) };
    waiting.get(request.url)?.(one);
    response.writeHead(request.url === '/gone' ? 404 : 201).end();
  });
});
await new Promise(done => sink.listen(0, '127.0.0.1', done));
const home = `http://127.0.0.1:${sink.address().port}`;
// The next message to a path that fits: the demo's cars raise alerts, too.
const next = (path, fits) => new Promise((done, refuse) => {
  setTimeout(() => refuse(new Error(`nothing that fits came to ${path}`)), WAIT).unref();
  waiting.set(path, one => { if (fits(one)) done(one); });
});

const browser = await launch();
try {
  const context = await profile(browser, LOOKS[0], { permissions: ['notifications'] });
  const device = keys();
  // In the place of Chromium's push service, which is not here. The endpoint is this script's.
  await context.addInitScript(({ endpoint, keys }) => {
    const made = { endpoint, toJSON: () => ({ endpoint, keys }), unsubscribe: async () => { localStorage.removeItem('pushed'); return true; } };
    PushManager.prototype.subscribe = async function (options) {
      if (!options.userVisibleOnly || options.applicationServerKey.byteLength !== 65) throw new Error('no such options');
      localStorage.setItem('pushed', '1');
      return made;
    };
    PushManager.prototype.getSubscription = async () => localStorage.getItem('pushed') ? made : null;
  }, { endpoint: `${home}/push/subscription-of-this-browser`, keys: { p256dh: device.p256dh, auth: device.auth } });
  const page = await arrive(context);
  watch(page);
  await signIn(page);

  await step('the account has a place for notifications', async () => {
    await page.goto(`${url}/account`);
    await page.getByRole('tab', { name: 'Notifications' }).click();
    await byId(page, 'no-channels').waitFor();
    await shoot(page, 'notifications-empty');
  });

  await step('a webhook is added, and what is wrong stands beside its field', async () => {
    await byId(page, 'channel-add').click();
    await byId(page, 'field-kind').selectOption('Webhook');
    await byId(page, 'channel-label').fill('My program');
    await byId(page, 'channel-target').fill('nowhere');
    await byId(page, 'channel-secret').fill(SECRET);
    // What the demo's cars raise is not to be refused: that would be in the log.
    for (const severity of ['critical', 'warning']) await byId(page, `field-hears-${severity}`).uncheck();
    await byId(page, 'sheet').getByTestId('submit').click();
    await byId(page, 'target-error').waitFor();
    await shoot(page, 'notifications-form');
    await byId(page, 'channel-target').fill(`${home}/hook`);
    await byId(page, 'sheet').getByTestId('submit').click();
    await byId(page, 'channel').waitFor();
    must(!(await page.content()).includes(SECRET), 'a secret is shown');
  });

  await step('a test is sent, and the page says that it arrived', async () => {
    const told = next('/hook', ({ body }) => JSON.parse(body).kind === 'test');
    await byId(page, 'channel-test').click();
    const { headers } = await told;
    must(headers['x-bugbrother-signature']?.startsWith('sha256='), 'it is not signed');
    await byId(page, 'test-result').filter({ hasText: 'The test has arrived.' }).waitFor();
  });

  await step('a channel that refuses says why', async () => {
    await byId(page, 'channel-change').click();
    must(await byId(page, 'channel-secret').inputValue() === '', 'a secret is given back');
    await byId(page, 'channel-target').fill(`${home}/gone`);
    await byId(page, 'sheet').getByTestId('submit').click();
    await byId(page, 'sheet').waitFor({ state: 'detached' });
    await byId(page, 'channel-test').click();
    await byId(page, 'test-result').filter({ hasText: '404 Not Found' }).waitFor();
    await shoot(page, 'notifications-refused');
  });

  await step('quiet hours and a digest are kept', async () => {
    await byId(page, 'field-digest').selectOption('2');
    await byId(page, 'field-digest-hour').selectOption('6');
    await byId(page, 'field-quiet').check();
    await byId(page, 'field-quiet-from').fill('21:30');
    await byId(page, 'hours').getByTestId('submit').click();
    await byId(page, 'toast').waitFor();
    await page.reload();
    await page.getByRole('tab', { name: 'Notifications' }).click();
    must(await byId(page, 'field-quiet-from').inputValue() === '21:30', 'the hour is not kept');
    must(await byId(page, 'field-digest').inputValue() === '2', 'the digest is not kept');
  });

  await step('this browser is subscribed, and a test is pushed to it', async () => {
    const path = '/push/subscription-of-this-browser';
    await byId(page, 'push-on').click();
    await byId(page, 'push-off').waitFor();
    const card = byId(page, 'channel').filter({ hasText: 'This browser' });
    const { push_key } = await page.evaluate(() => fetch('/api/frontend/notifications').then(answer => answer.json()));
    const told = next(path, ({ headers, body }) => {
      const { claims, note } = read({ ...device, authorization: headers.authorization, vapid: push_key, body: body.toString('base64url') });
      if (claims.aud !== home) faults.push(`it is vouched for elsewhere: ${claims.aud}`);
      return note.title === 'A test of BugBrother';
    });
    await card.getByTestId('channel-test').click();
    await told;
    await card.getByTestId('test-result').filter({ hasText: 'arrived' }).waitFor();
    await shoot(page, 'notifications-channels');
  });

  await step('what is pushed is shown, and leads to its alert', async () => {
    const control = await context.newCDPSession(page);
    const registered = new Promise(done => control.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
      const ours = registrations.find(({ scopeURL }) => scopeURL.startsWith(url));
      if (ours) done(ours.registrationId);
    }));
    await control.send('ServiceWorker.enable');
    const data = JSON.stringify({
      title: 'Critical: Coolant above 115 °C – Van 7', body: 'Vehicle: Van 7\nNear: Lausanne, CH', tag: 'an-alert',
      path: '/alerts?alert=0192f0c4-7a3b-7000-8000-000000000001', critical: true,
    });
    await control.send('ServiceWorker.deliverPushMessage', { origin: url, registrationId: await registered, data });
    // Others may be there: the demo's own alerts.
    const shown = await eventually(() => page.evaluate(async () => {
      const all = await (await navigator.serviceWorker.ready).getNotifications();
      const one = all.find(one => one.tag === 'an-alert');
      return one && { title: one.title, body: one.body, tag: one.tag, data: one.data, requireInteraction: one.requireInteraction };
    }));
    must(shown.title.startsWith('Critical: Coolant') && shown.body.includes('Lausanne'), JSON.stringify(shown));
    must(shown.tag === 'an-alert' && shown.requireInteraction, JSON.stringify(shown));
    const [worker] = context.serviceWorkers();
    const opened = page.waitForURL(/\/alerts\?alert=0192f0c4/);
    await worker.evaluate(async () => {
      const notification = (await self.registration.getNotifications()).find(one => one.tag === 'an-alert');
      self.dispatchEvent(new NotificationEvent('notificationclick', { notification }));
    });
    await opened;
    // Whatever is pushed, it leads nowhere else.
    await control.send('ServiceWorker.deliverPushMessage', {
      origin: url, registrationId: await registered, data: JSON.stringify({ title: 'x', path: '//thief.example.org/' }),
    });
    const path = await eventually(() => page.evaluate(async () => {
      const all = await (await navigator.serviceWorker.ready).getNotifications();
      return all.find(one => one.title === 'x')?.data.path;
    }));
    must(path === '/alerts', `it would lead to ${path}`);
  });

  await step('this browser is no longer told, and the webhook is deleted', async () => {
    await page.goto(`${url}/account`);
    await page.getByRole('tab', { name: 'Notifications' }).click();
    await byId(page, 'push-off').click();
    await byId(page, 'channel').filter({ hasText: 'This browser' }).waitFor({ state: 'detached' });
    await byId(page, 'push-on').waitFor();
    // The one for this browser goes with it.
    await byId(page, 'channel-delete').last().waitFor();
    for (let left = await byId(page, 'channel-delete').count(); left > 0; left -= 1) {
      await byId(page, 'channel-delete').first().click();
      await page.waitForFunction(
        left => document.querySelectorAll('[data-testid="channel-delete"]').length < left, left);
    }
    await byId(page, 'no-channels').waitFor();
  });

  await step('who runs the fleet sets its mail server and sees what became of messages', async () => {
    await page.goto(`${url}/notifications`);
    await byId(page, 'mail-host').fill('mail.example.org');
    await byId(page, 'mail-user').fill('fleet');
    await byId(page, 'mail-password').fill(SECRET);
    await byId(page, 'mail-from').fill('Fleet <fleet@example.org>');
    await byId(page, 'mail-form').getByTestId('submit').click();
    await byId(page, 'toast').first().waitFor();
    await byId(page, 'channel-add').click();
    await byId(page, 'field-kind').selectOption('Slack');
    await byId(page, 'channel-label').fill('Night shift');
    await byId(page, 'channel-secret').fill(`${home}/room`);
    await byId(page, 'sheet').getByTestId('submit').click();
    const told = next('/room', ({ body }) => JSON.parse(body).text.startsWith('A test of BugBrother'));
    await byId(page, 'channel-test').click();
    await told;
    await byId(page, 'test-result').filter({ hasText: 'arrived' }).waitFor();
    await page.reload();
    await byId(page, 'delivery').filter({ hasText: 'Night shift' }).filter({ hasText: 'sent' }).first().waitFor();
    must(!(await page.content()).includes(SECRET), 'a secret is shown');
    await shoot(page, 'notifications-fleet');
  });
  await context.close();

  for (const look of LOOKS.slice(1)) {
    await step(`it looks as it should: ${look.name}`, async () => {
      const context = await profile(browser, look);
      const page = await arrive(context);
      watch(page);
      await signIn(page);
      for (const [path, name] of [['/notifications', 'fleet'], ['/account', 'own']]) {
        await page.goto(`${url}${path}`);
        if (name === 'own') await page.getByRole('tab', { name: 'Notifications' }).click();
        await byId(page, 'channel-add').waitFor();
        await settle(page);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
        must(!wide, `${path} is wider than the screen`);
        await shoot(page, `notifications-${name}-${look.name}`);
      }
      await context.close();
    });
  }
} catch (error) {
  faults.push(error.stack ?? String(error));
} finally {
  await browser.close();
  sink.close();
}
for (const fault of faults) console.error(fault);
process.exit(faults.length ? 1 : 0);
