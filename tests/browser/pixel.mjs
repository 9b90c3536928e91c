// Notes when each new speed of a vehicle is on the screen. Prints a line when the first one is, and at the end one of JSON:
// `[[speed, when], …]`, by the machine's clock in Unix milliseconds.
//
// From the environment: what person.mjs needs; VIN; LAST, the speed that is the last.
import { LOOKS, arrive, launch, profile, signIn, url } from './person.mjs';

const { VIN, LAST } = process.env;
const MOST_MS = 600_000;

const browser = await launch();
const context = await profile(browser, LOOKS[0], { reducedMotion: 'no-preference' });
await signIn(await arrive(context));
const [page] = context.pages();
await page.goto(new URL(`/?v=${VIN}`, url).href);
await page.getByTestId('speed-value').waitFor();
await page.evaluate(() => {
  window.shown = [];
  let last;
  requestAnimationFrame(function step() {
    const now = document.querySelector('[data-testid="speed-value"]')?.textContent.match(/\d+/)?.[0];
    if (now && now !== last) {
      last = now;
      // What stands in the page now is drawn in this frame. The next begins when this one is on its way to the screen.
      requestAnimationFrame(() => window.shown.push([Number(now), performance.timeOrigin + performance.now()]));
    }
    requestAnimationFrame(step);
  });
});
await page.waitForFunction(() => window.shown.length > 0);
console.log('shown');
await page.waitForFunction(last => window.shown.at(-1)[0] === last, Number(LAST), { timeout: MOST_MS, polling: 250 });
console.log(JSON.stringify(await page.evaluate(() => window.shown)));
await browser.close();
