// Runs axe on the way in and on every page, dark and light, wide and narrow, and keeps a picture of each. Exit code 0: no
// serious and no critical fault.
//
// From the environment: what person.mjs needs; SCREENSHOTS, a folder for the pictures (optional).
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import axe from 'axe-core';
import { LOOKS, arrive, launch, profile, settle, signIn } from './person.mjs';
import { walk } from './walk.mjs';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const BAD = ['serious', 'critical'];
const folder = process.env.SCREENSHOTS;
if (folder) mkdirSync(folder, { recursive: true });

const browser = await launch();
// What is wrong → where.
const faults = new Map();
let pages = 0;

async function examine(page, look, path, name) {
  pages += 1;
  if (folder) await page.screenshot({ path: join(folder, `${name}-${look.name}.png`) });
  // The page's own policy forbids foreign scripts; evaluation is the debugger's.
  await page.evaluate(axe.source);
  const found = await page.evaluate(rules => axe.run(document, { runOnly: rules, resultTypes: ['violations'] }), RULES);
  for (const { id, impact, help, nodes } of found.violations.filter(one => BAD.includes(one.impact))) {
    for (const node of nodes) {
      const because = [...node.any, ...node.all, ...node.none].map(check => check.message)[0] ?? help;
      const fault = `${impact} ${id}: ${node.target.join(' ')}: ${because}`;
      faults.set(fault, [...(faults.get(fault) ?? []), `${path} ${look.name}`]);
    }
  }
}

try {
  let state;
  for (const look of LOOKS) {
    const stranger = await profile(browser, look);
    const door = await arrive(stranger);
    await settle(door);
    await examine(door, look, 'the way in', 'sign-in');
    // One session for all looks: to sign in too often is refused.
    if (!state) {
      await signIn(door);
      state = await stranger.storageState();
    }
    await stranger.close();
    const context = await profile(browser, look, { storageState: state });
    const page = await context.newPage();
    await page.goto(process.env.BUGBROTHER_URL);
    await page.locator('[data-testid="connection"][data-state="live"]').waitFor();
    const count = await walk(page, (path, name) => examine(page, look, path, name));
    console.log(`ok  ${look.name}: ${count} pages`);
    await context.close();
  }
} catch (error) {
  faults.set(error.stack, ['the walk itself']);
} finally {
  await browser.close();
}

for (const [fault, where] of faults) console.error(`FAULT  ${fault}\n       at ${[...new Set(where)].join(', ')}`);
console.log(`${pages} pages examined, ${faults.size} faults`);
process.exit(faults.size ? 1 : 0);
