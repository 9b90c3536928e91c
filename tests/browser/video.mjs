// A person looks at a vehicle's camera: it is there within a second, goes on, is saved, and comes back by itself.
//
// From the environment: what person.mjs needs; VEHICLE, its VIN. Prints a line for each step; after `playing` the camera is to be
// taken away, and after `away` to be given back. Exit code 0: all is well.
import { LOOKS, arrive, launch, profile, settle, signIn, url } from './person.mjs';

const { VEHICLE, SCREENSHOTS } = process.env;
/// From the click to the first picture, in ms.
const SOON = 1000;
const faults = [];
const browser = await launch();
try {
  const context = await profile(browser, LOOKS[0], { acceptDownloads: true });
  const page = await arrive(context);
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) faults.push(`console: ${message.text()}`);
  });
  page.on('pageerror', error => faults.push(`page: ${error}`));
  // Being asked to sign in is a refusal, which Chromium reports.
  faults.length = 0;
  await signIn(page);
  faults.length = 0;
  await page.goto(new URL(`/vehicles/${VEHICLE}`, url).href);
  await page.locator('[data-testid="connection"][data-state="live"]').waitFor();
  await settle(page);

  const began = Date.now();
  await page.getByTestId('tab-media').click();
  await page.waitForFunction(shown);
  const waited = Date.now() - began;
  console.log(`first picture after ${waited} ms`);
  if (waited > SOON) throw new Error(`the first picture took ${waited} ms`);

  await page.locator('[data-testid="player"][data-state="live"]').waitFor();
  await goesOn(page);
  await page.getByTestId('lag').waitFor();
  console.log(`behind the camera: ${await page.getByTestId('lag').textContent()}`);
  const [picture] = await Promise.all([page.waitForEvent('download'), page.getByTestId('snapshot').click()]);
  if (!picture.suggestedFilename().endsWith('.jpg')) throw new Error(`saved as ${picture.suggestedFilename()}`);
  // This camera gives no photos, and the vehicle says what to set.
  await page.getByTestId('take-photo').click();
  await page.getByTestId('toast').filter({ hasText: 'photo_url' }).waitFor();
  if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/video-desktop-dark.png` });

  console.log('playing');
  await page.locator('[data-testid="player"]:not([data-state="live"])').waitFor();
  console.log('away');
  await page.locator('[data-testid="player"][data-state="live"]').waitFor();
  await goesOn(page);
  console.log('back');

  // The wall shows it, too, by an address that can be sent to somebody.
  await page.goto(new URL('/wall', url).href);
  await page.getByTestId('wall').locator('label').first().click();
  await page.waitForFunction(shown);
  if (!page.url().includes(VEHICLE)) throw new Error(`the choice is not in the address: ${page.url()}`);
  await goesOn(page);
  if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/wall-desktop-dark.png` });
  const phone = await profile(browser, LOOKS[3]);
  const small = await arrive(phone);
  await signIn(small);
  await small.goto(page.url());
  // Who opens an address has no vehicle asked for anything yet.
  await small.getByTestId('watch-live').waitFor();
  if (SCREENSHOTS) await small.screenshot({ path: `${SCREENSHOTS}/wall-still-phone-light.png` });
  await small.getByTestId('watch-all').click();
  await small.waitForFunction(shown);
  if (SCREENSHOTS) await small.screenshot({ path: `${SCREENSHOTS}/wall-phone-light.png` });
  await fits(small, 'the wall');
  await small.goto(new URL(`/vehicles/${VEHICLE}`, url).href);
  await small.getByTestId('tab-media').click();
  await small.waitForFunction(shown);
  await goesOn(small);
  await fits(small, 'the live view');
  if (SCREENSHOTS) await small.screenshot({ path: `${SCREENSHOTS}/video-phone-light.png` });
  await phone.close();
} catch (error) {
  faults.push(String(error));
}
await browser.close();
if (faults.length) {
  for (const fault of faults) console.error(`FAULT  ${fault}`);
  process.exit(1);
}

function shown() {
  const video = document.querySelector('[data-testid="player"] video');
  return video && video.videoWidth > 0 && video.readyState >= 2 && video.currentTime > 0;
}

// Nothing is wider than a telephone, and what one presses is large enough for a thumb.
async function fits(page, what) {
  const wrong = await page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const parts = [...document.querySelectorAll('[data-testid="player"], [data-testid="player"] *')];
    const buttons = [...document.querySelectorAll('[data-testid="player"] button')];
    const box = element => element.getBoundingClientRect();
    return [
      document.documentElement.scrollWidth > width && `the page is ${document.documentElement.scrollWidth} px wide`,
      ...parts.filter(part => box(part).right > width + 1).map(part => `${part.className || part.tagName} goes to ${box(part).right} px`),
      ...buttons.filter(button => Math.min(box(button).width, box(button).height) < 24).map(button => `${button.className} is too small`),
      buttons.length < 3 && `there are ${buttons.length} buttons`,
    ].filter(Boolean);
  });
  if (wrong.length) throw new Error(`${what} on a telephone: ${wrong.join('; ')}`);
}

// A second and a half of film in some seconds.
async function goesOn(page) {
  const time = () => page.evaluate(() => document.querySelector('[data-testid="player"] video').currentTime);
  const from = await time();
  await page.waitForFunction(
    from => document.querySelector('[data-testid="player"] video').currentTime > from + 1.5, from, { timeout: 10_000 });
}
