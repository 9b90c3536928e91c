// Measures what a person waits for: the first paint, the size of the app, and how evenly the map moves with a large fleet.
// Prints one line of JSON.
//
// From the environment: what person.mjs needs; BUGBROTHER_HERD, the address of the large fleet; VIEWS, its maps, such as
// `{"country": "/?m=47,3,6"}`; SECONDS and ROUNDS, how long each is watched and how often.
import { request } from 'node:http';
import { LOOKS, arrive, launch, median, profile, quantile, signIn, url } from './person.mjs';

const { BUGBROTHER_HERD: herd, VIEWS = '{}', SECONDS = '10', ROUNDS = '1' } = process.env;
const PAINTS = 5;

const browser = await launch();
const measured = { paint_ms: await paint(), wasm_bytes: await wasm(), views: {} };
if (herd) {
  for (const [name, path] of Object.entries(JSON.parse(VIEWS))) {
    measured.views[name] = await watch(path);
  }
}
await browser.close();
console.log(JSON.stringify(measured));

// First contentful paint of somebody who has never been here.
async function paint() {
  const all = [];
  for (let i = 0; i < PAINTS; i += 1) {
    const context = await profile(browser, LOOKS[0]);
    const page = await arrive(context);
    await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint').length > 0);
    all.push(await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime));
    await context.close();
  }
  return median(all);
}

// The app as the server sends it to a browser.
async function wasm() {
  const context = await profile(browser, LOOKS[0]);
  const page = await arrive(context);
  const path = await page.evaluate(() => document.querySelector('link[rel="preload"][type="application/wasm"]').href);
  await context.close();
  return new Promise((done, fail) => request(path, { headers: { 'accept-encoding': 'br, gzip' } }, answer => {
    if (answer.statusCode !== 200 || answer.headers['content-encoding'] !== 'br') {
      return fail(new Error(`${path}: ${answer.statusCode}, ${answer.headers['content-encoding'] ?? 'not compressed'}`));
    }
    let bytes = 0;
    answer.on('data', piece => { bytes += piece.length; }).on('end', () => done(bytes));
  }).on('error', fail).end());
}

// Frames and long tasks of a map on which everything moves.
async function watch(path) {
  const context = await profile(browser, LOOKS[0], { reducedMotion: 'no-preference' });
  const page = await context.newPage();
  await page.goto(new URL(path, herd).href);
  await page.getByTestId('sign-in-submit').waitFor();
  await signIn(page);
  await page.locator('[data-testid^="row-"][data-lat]').first().waitFor();
  const vehicles = () => page.getByTestId('filter-moving').locator('b').textContent();
  await page.waitForFunction(() => Number(document.querySelector('[data-testid="filter-moving"] b').textContent) >= 1000);
  // What came with the page has been read and drawn.
  await page.evaluate(() => new Promise(done => setTimeout(done, 3000)));
  const rounds = [];
  for (let round = 0; round < Number(ROUNDS); round += 1) {
    rounds.push(await page.evaluate(frames, Number(SECONDS) * 1000));
  }
  const seen = Number(await vehicles());
  await context.close();
  const gaps = rounds.flatMap(round => round.gaps);
  const rates = rounds.map(round => round.gaps.length / (round.ms / 1000));
  return {
    vehicles: seen,
    frames_per_second: median(rates),
    frame_p99_ms: quantile(gaps, 0.99),
    worst_task_ms: rounds.map(round => Math.max(0, ...round.tasks)),
    long_tasks: rounds.flatMap(round => round.tasks).length,
  };
}

function frames(ms) {
  return new Promise(done => {
    const gaps = [];
    const tasks = [];
    const observer = new PerformanceObserver(list => tasks.push(...list.getEntries().map(entry => entry.duration)));
    observer.observe({ type: 'longtask' });
    const began = performance.now();
    let last = began;
    requestAnimationFrame(function step(now) {
      if (now > last) gaps.push(now - last);
      last = now;
      if (now - began < ms) return requestAnimationFrame(step);
      tasks.push(...observer.takeRecords().map(entry => entry.duration));
      observer.disconnect();
      done({ gaps, tasks, ms: now - began });
    });
  });
}
