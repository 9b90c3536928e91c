// Two people look at the same camera, one of them over a network that becomes a trickle: the other one notices nothing.
//
// From the environment: what person.mjs needs; SLOW_URL, the dashboard over that network; VEHICLE. After `both play` the network is to
// become slow, and after `one stands still` fast again. Exit code 0: all is well.
import { LOOKS, arrive, launch, profile, signIn, url } from './person.mjs';

const { SLOW_URL, VEHICLE } = process.env;
/// Of what is slow by intent.
const PATIENCE = { timeout: 80_000 };
const browser = await launch();
try {
  const quick = await watch(url);
  const slow = await watch(SLOW_URL);
  console.log('both play');

  await slow.waitForFunction(standsStill, undefined, PATIENCE);
  const from = await quick.evaluate(time);
  await quick.waitForFunction(from => document.querySelector('[data-testid="player"] video').currentTime > from + 3, from, PATIENCE);
  const state = await quick.getByTestId('player').getAttribute('data-state');
  if (state !== 'live') throw new Error(`the other one is ${state}`);
  console.log('one stands still');

  await slow.getByTestId('missed').waitFor(PATIENCE);
  const missed = await slow.getByTestId('missed').textContent();
  const then = await slow.evaluate(time);
  await slow.waitForFunction(then => document.querySelector('[data-testid="player"] video').currentTime > then + 1.5, then, PATIENCE);
  console.log(`the slow one: ${missed}`);
} catch (error) {
  console.error(`FAULT  ${error}`);
  process.exitCode = 1;
}
await browser.close();

// Somebody who looks at the camera.
async function watch(base) {
  const context = await profile(browser, LOOKS[0]);
  const page = await arrive(context, base);
  await signIn(page);
  await page.goto(new URL(`/vehicles/${VEHICLE}`, base).href);
  await page.getByTestId('tab-media').click();
  await page.waitForFunction(() => document.querySelector('[data-testid="player"] video')?.currentTime > 0.5);
  return page;
}

function time() {
  return document.querySelector('[data-testid="player"] video').currentTime;
}

// Whether no picture has come for two seconds.
function standsStill() {
  const { currentTime } = document.querySelector('[data-testid="player"] video');
  const now = performance.now();
  if (window.stood?.currentTime !== currentTime) window.stood = { currentTime, since: now };
  return now - window.stood.since > 2000;
}
