// Somebody in front of a browser: what the scripts share.
//
// From the environment: BUGBROTHER_URL, BUGBROTHER_USER, BUGBROTHER_PASSWORD; CHROMIUM, the browser (default
// /usr/bin/chromium).
import { chromium } from 'playwright-core';

export const WAIT = 30_000;

const { BUGBROTHER_URL, BUGBROTHER_USER, BUGBROTHER_PASSWORD } = process.env;
if (!BUGBROTHER_URL || !BUGBROTHER_USER || !BUGBROTHER_PASSWORD) {
  console.error('BUGBROTHER_URL, BUGBROTHER_USER and BUGBROTHER_PASSWORD must be set');
  process.exit(2);
}
export const url = BUGBROTHER_URL;

const DESKTOP = { viewport: { width: 1440, height: 900 } };
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };

// What a page is looked at with.
export const LOOKS = [
  { name: 'desktop-dark', colorScheme: 'dark', ...DESKTOP },
  { name: 'desktop-light', colorScheme: 'light', ...DESKTOP },
  { name: 'phone-dark', colorScheme: 'dark', ...PHONE },
  { name: 'phone-light', colorScheme: 'light', ...PHONE },
];

export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});

// A profile of its own with that look.
export async function profile(browser, { name, ...look }, more = {}) {
  const context = await browser.newContext({ locale: 'en-GB', reducedMotion: 'reduce', ...look, ...more });
  context.setDefaultTimeout(WAIT);
  return context;
}

// Opens the way in.
export async function arrive(context, base = url) {
  const page = await context.newPage();
  await page.goto(base);
  await page.getByTestId('sign-in-submit').waitFor();
  return page;
}

// Signs in and waits for the live feed.
export async function signIn(page) {
  await page.getByTestId('sign-in-username').fill(BUGBROTHER_USER);
  await page.getByTestId('sign-in-password').fill(BUGBROTHER_PASSWORD);
  await page.getByTestId('sign-in-submit').click();
  await page.locator('[data-testid="connection"][data-state="live"]').waitFor();
}

// Waits until nothing is a skeleton any more and the page has been drawn.
export async function settle(page) {
  await page.waitForFunction(() => !document.querySelector('main [aria-busy="true"]'));
  await page.evaluate(() => document.fonts.ready.then(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))));
}

// The median of some figures.
export const median = figures => [...figures].sort((a, b) => a - b)[Math.floor(figures.length / 2)];

// The smallest figure that this share is not above.
export const quantile = (figures, share) => [...figures].sort((a, b) => a - b)[Math.round((figures.length - 1) * share)];
