// A person looks at the demo's cameras: live on the wall, a film that is saved, and an alert with the film of what led to it.
//
// From the environment: what person.mjs needs; VEHICLE, the VIN of a car with a camera; ALERT, an alert of it that is to have a film;
// SCREENSHOTS. Exit code 0: all is well.
import { LOOKS, arrive, launch, profile, settle, signIn, url } from './person.mjs';

const { VEHICLE, SCREENSHOTS } = process.env;
// A film has five seconds after the click, and goes up to the server then.
const FILMED = { timeout: 90_000 };
const faults = [];
const browser = await launch();
try {
  const context = await profile(browser, LOOKS[0]);
  const page = await arrive(context);
  await signIn(page);
  page.on('pageerror', error => faults.push(`page: ${error}`));
  await page.goto(new URL(`/vehicles/${VEHICLE}`, url).href);
  await page.getByTestId('tab-media').click();
  await page.waitForFunction(plays);
  await page.getByTestId('save-clip').click();
  const saved = page.locator('[data-testid="media"] li[data-state="Ready"]').filter({ has: page.locator('[data-testid="thumbnail"]') });
  await saved.filter({ has: page.locator('[aria-label*="Film"]') }).first().waitFor(FILMED);
  // The small picture is there, and is one.
  await page.waitForFunction(() => {
    const image = document.querySelector('[data-testid="thumbnail"]');
    return image.complete && image.naturalWidth > 100;
  });
  await settle(page);
  if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/cameras-desktop-dark.png`, fullPage: true });
  await saved.locator('[aria-label*="Film"]').first().click();
  await page.waitForFunction(() => document.querySelector('video[data-testid="shown"]')?.currentTime > 0.5);
  console.log('the film plays');

  // A photo on demand, which then stands for the camera while nobody watches it.
  await page.getByTestId('take-photo').click();
  await page.getByTestId('toast').filter({ hasText: 'The photo is taken' }).waitFor(FILMED);
  console.log('a photo is taken');
  await page.goto(new URL('/wall', url).href);
  const car = page.getByTestId('wall').locator(`input[name^="see-${VEHICLE}-"]`).first();
  await car.check();
  await page.waitForFunction(plays);
  await page.getByTestId('stop-live').click();
  await page.getByTestId('player').waitFor({ state: 'detached' });
  await page.reload();
  await page.getByTestId('still-age').waitFor(FILMED);
  await page.waitForFunction(() => document.querySelector('[data-testid="tile"] [data-testid="still"]')?.naturalWidth > 100);
  if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/wall-still-desktop-dark.png` });
  const wall = page.url();
  await page.getByTestId('watch-live').click();
  await page.waitForFunction(plays);
  console.log('the wall shows the last picture, and live ones on demand');

  if (process.env.ALERT) {
    await page.goto(new URL(`/alerts?alert=${process.env.ALERT}`, url).href);
    const film = page.locator('[data-testid="alert-films"] li');
    await film.filter({ has: page.locator('[aria-label*="Film"]') }).first().waitFor(FILMED);
    if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/alert-film-desktop-dark.png`, fullPage: true });
    await film.locator('[aria-label*="Film"]').first().click();
    await page.waitForFunction(() => document.querySelector('video[data-testid="shown"]')?.currentTime > 0.5);
    console.log('the film of the alert plays');
  }
  for (const look of SCREENSHOTS ? LOOKS : []) {
    const person = await profile(browser, look);
    const there = await arrive(person);
    await signIn(there);
    await there.goto(new URL(`/vehicles/${VEHICLE}?tab=media`, url).href);
    await there.waitForFunction(plays);
    await there.screenshot({ path: `${SCREENSHOTS}/cameras-${look.name}.png`, fullPage: true });
    await there.goto(wall);
    await there.getByTestId('still-age').first().waitFor();
    await settle(there);
    await there.screenshot({ path: `${SCREENSHOTS}/wall-still-${look.name}.png`, fullPage: true });
    if (process.env.ALERT) {
      await there.goto(new URL(`/alerts?alert=${process.env.ALERT}`, url).href);
      await there.getByTestId('alert-films').waitFor();
      await settle(there);
      await there.screenshot({ path: `${SCREENSHOTS}/alert-film-${look.name}.png`, fullPage: true });
    }
    await person.close();
  }
} catch (error) {
  faults.push(String(error));
}
await browser.close();
if (faults.length) {
  for (const fault of faults) console.error(`FAULT  ${fault}`);
  process.exit(1);
}

function plays() {
  const video = document.querySelector('[data-testid="player"] video');
  return video && video.videoWidth > 0 && video.currentTime > 0.5;
}
