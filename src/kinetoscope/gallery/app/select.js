"use strict";
// Which units are shown, in which order, and how many would be if one filter were lifted.
(() => {
K.SECTORS = 16;
K.BINS = 24;

K.fresh = () => ({ q: "", layers: new Set(), labels: new Set(), wheel: new Set(), ranges: new Map(), sort: "", down: false });

K.sector = (degrees) => Math.floor(degrees / (360 / K.SECTORS) + 0.5) % K.SECTORS;

// Ends of a number, over all units: those it can have at most, or those it has.
K.ends = (atlas, key) => {
  atlas.endsOf = atlas.endsOf || new Map();
  if (!atlas.endsOf.has(key)) {
    const field = atlas.fields.get(key), column = atlas.columns.get(key);
    let low = Infinity, high = -Infinity;
    for (const value of column || []) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    if (field && field.range) [low, high] = [Math.min(field.range[0], low), Math.max(field.range[1], high)];
    if (!(high >= low)) [low, high] = [0, 1];
    if (high === low) high = low + 1;
    if (low > 0 && low < 0.3 * high) low = 0;
    atlas.endsOf.set(key, [low, high]);
  }
  return atlas.endsOf.get(key);
};

// The bin of each unit for a number's histogram; 255 where it is not known.
K.bins = (atlas, key) => {
  atlas.binsOf = atlas.binsOf || new Map();
  if (!atlas.binsOf.has(key)) {
    const column = atlas.columns.get(key), [low, high] = K.ends(atlas, key);
    const bins = new Uint8Array(atlas.n).fill(255);
    for (let row = 0; row < atlas.n; row++) {
      const share = (column[row] - low) / (high - low);
      if (share === share) bins[row] = Math.min(K.BINS - 1, Math.max(0, Math.floor(share * K.BINS)));
    }
    atlas.binsOf.set(key, bins);
  }
  return atlas.binsOf.get(key);
};

K.sectors = (atlas) => {
  if (!atlas.sectorOf) {
    const column = atlas.columns.get(K.DIRECTION);
    atlas.sectorOf = new Uint8Array(atlas.n).fill(255);
    if (column) for (let row = 0; row < atlas.n; row++) if (column[row] === column[row]) atlas.sectorOf[row] = K.sector(column[row]);
  }
  return atlas.sectorOf;
};

// All units in an order; kept, so that a keystroke sorts nothing.
K.ordered = (atlas, key, down) => {
  atlas.orders = atlas.orders || new Map();
  const which = `${down ? "-" : ""}${key}`;
  if (!atlas.orders.has(which)) {
    const order = new Uint32Array(atlas.n).map((_, row) => row);
    const column = key === "unit" ? atlas.unit : atlas.columns.get(key);
    if (column) {
      const sign = down ? -1 : 1;
      order.sort((a, b) => {
        const first = column[a], second = column[b];
        if (first !== first || second !== second) return (first !== first) - (second !== second) || a - b;
        return sign * (first - second) || a - b;
      });
    } else if (down) order.reverse();
    if (atlas.orders.size > 8) atlas.orders.clear();
    atlas.orders.set(which, order);
  }
  return atlas.orders.get(which);
};

// Which units have a word in their text. A longer word is looked for among those that have its beginning, so
// that each letter typed costs less than the one before.
const withWord = (atlas, word) => {
  atlas.kept = atlas.kept || new Map();
  const kept = atlas.kept;
  if (!kept.has(word)) {
    const texts = atlas.text, before = kept.get(word.slice(0, -1)), found = new Uint8Array(atlas.n);
    for (let row = 0; row < atlas.n; row++) if ((!before || before[row]) && texts[row].includes(word)) found[row] = 1;
    if (kept.size > 60) kept.clear();
    kept.set(word, found);
  }
  return kept.get(word);
};

const textTest = (atlas, text) => {
  const found = text.toLowerCase().split(/\s+/).filter(Boolean).map((word) => withWord(atlas, word));
  if (!found.length) return null;
  return found.length === 1 ? (row) => found[0][row] : (row) => found.every((one) => one[row]);
};

// The tests a choice makes, by the part of the panel that each belongs to.
K.tests = (atlas, state) => {
  const tests = [];
  const text = textTest(atlas, state.q);
  if (text) tests.push(["q", text]);
  if (state.layers.size) {
    const on = atlas.layers.map((layer) => state.layers.has(layer.folder));
    tests.push(["layers", (row) => on[atlas.layerOf[row]]]);
  }
  if (state.labels.size) {
    const on = atlas.labels.map((label) => state.labels.has(label));
    tests.push(["labels", (row) => on[atlas.label[row]]]);
  }
  if (state.wheel.size) {
    const sectors = K.sectors(atlas);
    tests.push(["wheel", (row) => state.wheel.has(sectors[row])]);
  }
  for (const [key, [low, high]] of state.ranges) {
    const column = atlas.columns.get(key);
    if (column) tests.push([key, (row) => column[row] >= low - 1e-6 && column[row] <= high + 1e-6]);
  }
  return tests;
};

// Rows that pass, in order: what a keystroke waits for.
K.passing = (atlas, state) => {
  const tests = K.tests(atlas, state).map(([, test]) => test), order = K.ordered(atlas, state.sort, state.down);
  const rows = new Uint32Array(atlas.n);
  let count = 0;
  next: for (const row of order) {
    for (const test of tests) if (!test(row)) continue next;
    rows[count++] = row;
  }
  return rows.slice(0, count);
};

// Rows that pass, in order, and per part of the panel the counts that pass all other parts.
K.select = (atlas, state, keys) => {
  const tests = K.tests(atlas, state), order = K.ordered(atlas, state.sort, state.down);
  const rows = new Uint32Array(atlas.n);
  const facets = {
    layers: new Uint32Array(atlas.layers.length), labels: new Uint32Array(atlas.labels.length + 1),
    wheel: new Uint32Array(K.SECTORS), bins: new Map(keys.map((key) => [key, new Uint32Array(K.BINS)])),
  };
  const sectors = K.sectors(atlas), binned = keys.map((key) => [key, K.bins(atlas, key), facets.bins.get(key)]);
  let count = 0;
  for (const row of order) {
    let failed = null, failures = 0;
    for (const [part, test] of tests) {
      if (!test(row)) {
        failed = part;
        if (++failures > 1) break;
      }
    }
    if (failures > 1) continue;
    if (failures === 0) rows[count++] = row;
    if (!failures || failed === "layers") facets.layers[atlas.layerOf[row]]++;
    if (!failures || failed === "labels") facets.labels[Math.min(atlas.label[row], atlas.labels.length)]++;
    if ((!failures || failed === "wheel") && sectors[row] < 255) facets.wheel[sectors[row]]++;
    for (const [key, bins, counts] of binned) if ((!failures || failed === key) && bins[row] < 255) counts[bins[row]]++;
  }
  return { rows: rows.slice(0, count), facets };
};
})();
