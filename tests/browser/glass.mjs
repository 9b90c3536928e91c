// How old a camera's pictures are on the screen: their upper edge says when they were drawn (rtsp_server.py --clock).
//
// From the environment: what person.mjs needs; VEHICLE, CAMERA; SECONDS, how long each way is watched; CLICKS, how often it is begun.
// Prints at the end one line of JSON: milliseconds by the names `live`, `hls`, `cold` and `warm`.
import { LOOKS, arrive, launch, profile, settle, signIn, url } from './person.mjs';

const { VEHICLE, CAMERA } = process.env;
const SECONDS = Number(process.env.SECONDS);
const CLICKS = Number(process.env.CLICKS);
// The server lets a vehicle go five seconds after the last viewer has left.
const LET_GO_MS = 7_000;

const browser = await launch();
const figures = { live: [], hls: [], cold: [], warm: [] };
try {
  const context = await profile(browser, LOOKS[0], { reducedMotion: 'no-preference' });
  await signIn(await arrive(context));
  const [page] = context.pages();
  await page.addInitScript(reader);
  await page.goto(new URL(`/vehicles/${VEHICLE}`, url).href);
  await page.locator('[data-testid="connection"][data-state="live"]').waitFor();
  await settle(page);

  // Cold starts: nobody else looks.
  for (let click = 0; click < CLICKS; click++) {
    await page.waitForTimeout(LET_GO_MS);
    figures.cold.push(await begin(page));
    if (click < CLICKS - 1) await page.getByTestId('tab-trips').click();
  }
  figures.live = await page.evaluate(seconds => window.ages(document.querySelector('[data-testid="player"] video'), seconds), SECONDS);

  // Warm ones: this page goes on looking.
  const other = await context.newPage();
  await other.addInitScript(reader);
  await other.goto(new URL(`/vehicles/${VEHICLE}`, url).href);
  await other.locator('[data-testid="connection"][data-state="live"]').waitFor();
  await settle(other);
  await other.bringToFront();
  for (let click = 0; click < CLICKS; click++) {
    figures.warm.push(await begin(other));
    await other.getByTestId('tab-trips').click();
  }
  await other.close();
  await page.getByTestId('tab-trips').click();
  figures.hls = await page.evaluate(
    ([list, seconds]) => window.hls(list, seconds), [`/hls/${VEHICLE}/${CAMERA}/index.m3u8`, SECONDS]);
} finally {
  await browser.close();
}
console.log(JSON.stringify(figures));

// From the click to the first picture that says a time, in ms.
async function begin(page) {
  await page.evaluate(() => {
    window.first = new Promise(done => {
      document.querySelector('[data-testid="tab-media"]').addEventListener('click', () => {
        const began = performance.now();
        const watching = new MutationObserver(look);
        const look2 = () => {
          const video = document.querySelector('[data-testid="player"] video');
          if (!video) return;
          watching.disconnect();
          window.next(video).then(() => done(performance.now() - began));
        };
        function look() { look2(); }
        watching.observe(document.body, { childList: true, subtree: true });
        look2();
      }, { once: true });
    });
  });
  await page.getByTestId('tab-media').click();
  return page.evaluate(() => window.first);
}

// What runs in the page.
function reader() {
  const canvas = new OffscreenCanvas(1280, 32);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  // The time that a picture says, or nothing.
  const told = video => {
    context.drawImage(video, 0, 0, 1280, 32, 0, 0, 1280, 32);
    const { data } = context.getImageData(0, 16, 1280, 1);
    let word = 0n;
    for (let block = 0; block < 32; block++) word = word << 1n | (data[(block * 40 + 20) * 4] > 128 ? 1n : 0n);
    const value = Number(word >> 8n);
    const check = (value >> 16 ^ value >> 8 ^ value) & 0xff;
    return check === Number(word & 0xffn) ? value : undefined;
  };
  // When the next picture is on the screen that says a time, and how old it is then.
  window.next = video => new Promise(done => {
    const look = (now, { expectedDisplayTime }) => {
      const shown = Math.max(performance.now(), expectedDisplayTime);
      const value = told(video);
      if (value === undefined) return video.requestVideoFrameCallback(look);
      const today = Math.round(performance.timeOrigin + shown) % 0x1000000;
      done((today - value + 0x1000000) % 0x1000000);
    };
    video.requestVideoFrameCallback(look);
  });
  // Ages of all pictures for so long, once it has settled.
  window.ages = async (video, seconds) => {
    const settled = performance.now() + 3_000;
    while (performance.now() < settled) await window.next(video);
    const ages = [];
    const until = performance.now() + seconds * 1000;
    while (performance.now() < until) ages.push(await window.next(video));
    return ages;
  };
  // A player of HLS with parts: what the list names is appended in its order, and it plays as far behind as the list says.
  window.hls = async (address, seconds) => {
    const video = document.body.appendChild(document.createElement('video'));
    Object.assign(video, { muted: true, playsInline: true });
    Object.assign(video.style, { position: 'fixed', inset: '0', width: '640px', zIndex: '99' });
    const source = new MediaSource();
    video.src = URL.createObjectURL(source);
    await new Promise(done => source.addEventListener('sourceopen', done, { once: true }));
    const text = async at => {
      const answer = await fetch(at);
      if (!answer.ok) throw new Error(`${at}: ${answer.status}`);
      return answer.text();
    };
    let top = await text(address);
    const codecs = top.match(/CODECS="([^"]+)"/)[1];
    let list = new URL(top.trim().split('\n').find(line => line && !line.startsWith('#')), new URL(address, location.href));
    const buffer = source.addSourceBuffer(`video/mp4; codecs="${codecs}"`);
    const append = async at => {
      const bytes = await (await fetch(at)).arrayBuffer();
      await new Promise((done, fail) => {
        buffer.addEventListener('updateend', done, { once: true });
        buffer.addEventListener('error', fail, { once: true });
        buffer.appendBuffer(bytes);
      });
    };
    const had = new Set();
    let result, over = false, behind;
    const deadline = performance.now() + 120_000;
    while (!over) {
      if (performance.now() > deadline) throw new Error('HLS does not play');
      const said = await text(list);
      behind ??= Number(said.match(/PART-HOLD-BACK=([\d.]+)/)[1]);
      const map = said.match(/#EXT-X-MAP:URI="([^"]+)"/)[1];
      if (!had.has(map)) {
        had.add(map);
        await append(new URL(map, list));
      }
      const parts = [...said.matchAll(/#EXT-X-PART:[^\n]*URI="([^"]+)"([^\n]*)/g)];
      // It begins with the last part that a decoder can start with.
      const start = had.size > 1 ? 0 : parts.findLastIndex(([, , more]) => more.includes('INDEPENDENT=YES'));
      for (const [, part] of parts.slice(Math.max(0, start))) {
        if (had.has(part)) continue;
        had.add(part);
        await append(new URL(part, list));
      }
      const ranges = video.buffered;
      if (ranges.length && had.size > 2) {
        const end = ranges.end(ranges.length - 1);
        if (video.paused && end - ranges.start(0) >= behind) {
          video.currentTime = end - behind;
          video.play();
          result = window.ages(video, seconds).then(ages => { over = true; return ages; });
        }
      }
      // Blocks until there is more.
      const sequence = Number(said.match(/#EXT-X-MEDIA-SEQUENCE:(\d+)/)[1]);
      const whole = (said.match(/#EXTINF/g) ?? []).length;
      const open = said.slice(said.lastIndexOf('#EXTINF')).match(/#EXT-X-PART:/g) ?? [];
      list = new URL(list);
      list.searchParams.set('_HLS_msn', sequence + whole);
      list.searchParams.set('_HLS_part', open.length);
    }
    video.remove();
    return result;
  };
}
