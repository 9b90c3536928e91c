// The pages of the app, found by its own links: every page of the side bar, and of what each leads to one of a kind.
import { settle, url } from './person.mjs';

// Pages that no link leads to.
const UNLINKED = ['/nowhere-to-be-found'];
const MOST_PAGES = 60;

// Two paths are of a kind if they differ in a VIN, a number or an identity alone.
const kind = path => path.split('/').map(level => (/\d/.test(level) && level.length > 1) || /^\d+$/.test(level) ? '*' : level).join('/');

const links = (page, where) => page.$$eval(`${where} a[href]`, found => found
  .filter(link => link.origin === location.origin && !link.hasAttribute('download') && link.target !== '_blank')
  .map(link => link.pathname));

// Calls `look(path, name)` on each page, when it is open and at rest.
export async function walk(page, look) {
  const seen = new Set();
  const waiting = [];
  const meet = paths => {
    for (const path of paths) {
      if (path.startsWith('/api/') || path.startsWith('/assets/') || seen.has(kind(path))) continue;
      seen.add(kind(path));
      waiting.push(path);
    }
  };
  const bar = await links(page, 'nav');
  if (bar.length < 3) throw new Error(`the side bar leads to ${bar.length} pages`);
  meet([...bar, ...UNLINKED]);
  for (let at = 0; at < waiting.length && at < MOST_PAGES; at += 1) {
    const path = waiting[at];
    // A page of its own load, as by a bookmark: nothing of the page before is left.
    await page.goto(new URL(path, url).href);
    await page.locator('main').waitFor();
    await page.locator('[data-testid="connection"][data-state="live"]').waitFor();
    await settle(page);
    await look(path, kind(path).replaceAll('/', '-').replaceAll('*', 'one').replace(/^-/, '') || 'start');
    meet(await links(page, 'main'));
  }
  return waiting.length;
}
