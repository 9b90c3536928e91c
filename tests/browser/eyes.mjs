// A person adds a camera that the server reaches by itself: a wrong password is said in words, the right one shows the picture, the last
// seconds are saved, and the camera is removed again.
//
// From the environment: what person.mjs needs; VEHICLE, its VIN; CAMERA, an RTSP URL for the user `viewer` with the password
// `swordfish`. Prints a line for each step. Exit code 0: all is well.
import { LOOKS, arrive, launch, profile, settle, signIn, url } from './person.mjs';

const { VEHICLE, CAMERA, SCREENSHOTS } = process.env;
const faults = [];
const browser = await launch();
const shoot = (page, name) => SCREENSHOTS && page.screenshot({ path: `${SCREENSHOTS}/${name}.png` });
try {
  const context = await profile(browser, LOOKS[0]);
  const page = await arrive(context);
  await signIn(page);
  page.on('pageerror', error => faults.push(`page: ${error}`));
  const media = new URL(`/vehicles/${VEHICLE}?tab=media`, url).href;
  await page.goto(media);
  await page.getByTestId('eye-add').waitFor();
  await settle(page);

  await page.getByTestId('eye-add').click();
  await page.getByTestId('eye-label').fill('The yard');
  await page.getByTestId('eye-camera').fill('Not a name');
  await page.getByTestId('eye-url').fill(CAMERA);
  await page.getByTestId('submit').click();
  await page.getByTestId('camera-error').waitFor();
  await page.getByTestId('eye-camera').fill('yard');
  await page.getByTestId('eye-user').fill('viewer');
  await page.getByTestId('eye-password').fill('wrong');
  await page.getByTestId('eye-test').click();
  const report = page.getByTestId('eye-report');
  await report.getByText('credentials').waitFor();
  await page.getByTestId('eye-password').fill('swordfish');
  await page.getByTestId('eye-test').click();
  await report.getByText('H.264').waitFor();
  console.log(`tested: ${await report.textContent()}`);
  await shoot(page, 'eye-sheet-desktop-dark');
  await page.getByTestId('submit').click();

  await page.waitForFunction(shown);
  await page.locator('[data-testid="player"][data-state="live"]').waitFor();
  console.log('seen');
  await goesOn(page);
  await page.getByTestId('save-clip').click();
  await page.getByTestId('media').locator('li[data-state="Ready"]').first().waitFor();
  console.log('saved');
  await shoot(page, 'eyes-desktop-dark');
  await page.goto(new URL('/wall', url).href);
  await page.getByTestId('wall').locator('label').first().click();
  await page.waitForFunction(shown);
  console.log('on the wall');

  for (const look of [LOOKS[1], LOOKS[3]]) {
    const other = await profile(browser, look);
    const again = await arrive(other);
    await signIn(again);
    await again.goto(media);
    await again.getByTestId('eyes').waitFor();
    await again.waitForFunction(shown);
    await again.getByTestId('eyes').scrollIntoViewIfNeeded();
    await shoot(again, `eyes-${look.name}`);
    await again.getByTestId('eye-change').click();
    await again.getByTestId('eye-url').waitFor();
    await shoot(again, `eye-sheet-${look.name}`);
    await other.close();
  }

  await page.goto(media);
  await page.getByTestId('eye-remove').click();
  await page.getByTestId('player').waitFor({ state: 'detached' });
  console.log('removed');
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

// A second and a half of film in some seconds.
async function goesOn(page) {
  const time = () => page.evaluate(() => document.querySelector('[data-testid="player"] video').currentTime);
  const from = await time();
  await page.waitForFunction(
    from => document.querySelector('[data-testid="player"] video').currentTime > from + 1.5, from, { timeout: 20_000 });
}
