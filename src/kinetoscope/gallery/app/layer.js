"use strict";
// What a layer looks for, drawn: directions, speeds, words, and a map of its textures; and all layers at once.
(() => {
const rowsOf = (layer) => Array.from({ length: layer.count }, (_, i) => layer.start + i);

const quartiles = (atlas, layer, key) => {
  const column = atlas.columns.get(key);
  if (!column) return [NaN, NaN, NaN];
  const values = column.slice(layer.start, layer.start + layer.count).filter((value) => value === value).sort();
  const at = (share) => {  // between two values as much of each as is its due
    const place = share * (values.length - 1), low = Math.floor(place), high = Math.ceil(place);
    return values[low] + (place - low) * (values[high] - values[low]);
  };
  return values.length ? [at(0.25), at(0.5), at(0.75)] : [NaN, NaN, NaN];
};

// Counts of one layer, or of all units.
const counted = (atlas, layer, keys) => {
  const state = K.fresh();
  if (layer) state.layers.add(layer.folder);
  return K.select(atlas, state, keys);
};

const keysOf = (atlas) => [...K.RANGES, "motion_mean_speed_px_per_frame", "indices_colour_dependence", "indices_direction_index", "indices_reconstruction_kept"].filter((key) => atlas.columns.has(key));

const labelStack = (atlas, layer, counts) => K.stack(atlas.labelOrder.filter((code) => counts[code]).map((code) => {
  const label = atlas.labels[code], eighth = K.DIRECTIONS.indexOf(label);
  return { words: label, value: counts[code], text: K.count(counts[code]), colour: eighth >= 0 ? K.hue(45 * eighth, 50) : "", class: `label ${label.replace(/[^a-z-]/g, "")}` };
}));

K.layerView = async (main, parts) => {
  const atlas = K.atlas, layer = atlas.layers.find((one) => one.folder === parts[0]);
  if (!layer) {
    K.clear(main, K.el("div", { class: "empty" }, K.el("h1", { text: "No such layer" }), K.el("p", { text: `${parts[0] || ""} is not in this atlas.` }), K.el("a", { href: "#/layers", text: "All layers" })));
    return;
  }
  document.title = `${layer.name} – ${atlas.raw.model}`;
  const keys = keysOf(atlas), all = counted(atlas, null, keys).facets, { facets } = counted(atlas, layer, keys);
  const at = atlas.layers.indexOf(layer), query = `layer=${K.quote(layer.folder)}`;
  const step = (by, sign, words) => {
    const next = atlas.layers[at + by];
    return K.el(next ? "a" : "span", { class: "button", text: sign, href: next ? `#/layer/${K.quote(next.folder)}` : null, "aria-label": words, title: next ? next.name : words, "data-step": by });
  };
  const map = K.el("div", { class: "map" }, K.el("p", { class: "hint", text: "Reading the textures…" }));
  const toggle = (sector) => { location.hash = `#/units?${query}&wheel=${sector}`; };
  K.clear(main, K.el("article", { class: "page layer" },
    K.el("header", {}, K.el("p", { class: "crumbs" }, K.el("a", { href: "#/layers", text: "Layers" })),
      K.el("div", { class: "title" }, K.el("h1", {}, layer.name || "(whole model)", K.el("small", { text: layer.units ? `${K.count(layer.count)} of ${K.units(layer.units)}` : K.units(layer.count) })),
        K.el("div", { class: "tools" }, step(-1, "‹", "Layer before"), step(1, "›", "Layer behind"), K.el("a", { class: "button", href: `#/units?${query}`, text: "Show its units" }))),
      K.el("p", { class: "headline", text: K.layerWords(atlas, layer, facets) })),
    K.el("div", { class: "cards" },
      K.el("section", { class: "card" }, K.el("h2", { text: "Directions" }), K.wheel({ counts: facets.wheel, all: all.wheel, chosen: new Set(), toggle, label: `Directions of ${layer.name}`, size: 240 }), K.el("p", { class: "hint", text: "Area counts units; the outline is the whole network. A sector leads to its units." })),
      K.el("section", { class: "card" }, K.el("h2", { text: "Motion" }), labelStack(atlas, layer, facets.labels)),
      keys.map((key) => histogram(atlas, key, facets, all))),
    K.el("section", { class: "card wide" }, K.el("h2", { text: "Texture map" }), K.el("p", { class: "hint", text: "Each unit's texture; similar ones lie side by side, sorted by what varies most from left to right, and second most from top to bottom." }), map)));
  K.say(`Layer ${layer.name}, ${K.units(layer.count)}`);
  await K.read("near.js").then(() => textureMap(atlas, at, map)).catch((error) => K.clear(map, K.el("p", { class: "empty", text: error.message })));
};

const histogram = (atlas, key, facets, all) => {
  const field = atlas.fields.get(key), ends = K.ends(atlas, key), counts = facets.bins.get(key);
  const total = counts.reduce((a, b) => a + b, 0);
  return K.el("section", { class: "card" }, K.el("h2", { text: field.title }),
    total ? K.withAxis(K.histogram({ counts, all: all.bins.get(key), ends, digits: field.digits, unit: field.unit, label: `Histogram of ${field.title}`, height: 70 }), ends, field.digits, field.unit) : K.el("p", { class: "empty small", text: "Not known of any unit here." }),
    K.el("p", { class: "hint", text: field.about }));
};

// What stands out, as a sentence.
K.layerWords = (atlas, layer, facets) => {
  const counts = [...facets.labels].map((count, code) => [count, atlas.labels[code]]).filter(([count]) => count).sort((a, b) => b[0] - a[0]);
  const parts = [];
  if (counts.length) parts.push(`Mostly ${counts.slice(0, 2).map(([count, label]) => `${label} (${Math.round((100 * count) / layer.count)} %)`).join(" and ")}`);
  const [, speed] = quartiles(atlas, layer, K.SPEED), [, need] = quartiles(atlas, layer, K.DEPENDENCE);
  if (Number.isFinite(speed)) parts.push(`median speed ${K.fmt(speed, 2, "px/frame")}`);
  if (Number.isFinite(need)) parts.push(`median motion dependence ${K.fmt(need)}`);
  return `${parts.join("; ")}.`;
};

const textureMap = (atlas, index, host) => {
  const map = K.nearData.maps[index];
  if (!map) {
    K.clear(host, K.el("p", { class: "empty small", text: "No pictures were kept of this layer." }));
    return;
  }
  const cells = K.column(map.cells, Int32Array), lines = cells.length / map.columns;
  const said = K.el("p", { class: "hint", "aria-hidden": "true", text: "Point at a texture." });
  const mark = K.el("span", { class: "here", hidden: true });
  const picture = K.el("a", { class: "sheet", href: "#", "aria-label": "Texture map; arrows move, Enter opens a unit", vars: { "--columns": map.columns, "--lines": lines } }, K.el("img", { src: `gallery/${map.file}`, alt: "" }), mark);
  let at = 0;
  const show = (cell) => {
    if (cell < 0 || cell >= cells.length || cells[cell] < 0) return false;
    at = cell;
    const row = cells[cell];
    mark.hidden = false;
    K.set(mark, { vars: { left: `${(100 * (cell % map.columns)) / map.columns}%`, top: `${(100 * Math.floor(cell / map.columns)) / lines}%`, width: `${100 / map.columns}%`, height: `${100 / lines}%` } });
    picture.setAttribute("href", atlas.href(row));
    said.textContent = `${[atlas.id(row), atlas.names[row]].filter(Boolean).join(" ")}: ${atlas.words(row)}`;
    return true;
  };
  const under = (event) => {
    const frame = picture.getBoundingClientRect();
    return Math.floor(((event.clientX - frame.left) / frame.width) * map.columns) + map.columns * Math.floor(((event.clientY - frame.top) / frame.height) * lines);
  };
  picture.addEventListener("pointermove", (event) => show(under(event)));
  picture.addEventListener("pointerdown", (event) => show(under(event)));
  picture.addEventListener("click", (event) => { if (event.detail && !show(under(event))) event.preventDefault(); });
  picture.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: map.columns, ArrowUp: -map.columns }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    if (show(at + step)) K.say(said.textContent);
  });
  picture.addEventListener("focus", () => show(at));
  show(0);
  K.clear(host, picture, said);
};

K.layersView = (main) => {
  const atlas = K.atlas, keys = keysOf(atlas), all = counted(atlas, null, keys).facets;
  document.title = `Layers – ${atlas.raw.model}`;
  const through = (key) => {
    const field = atlas.fields.get(key);
    if (!field) return null;
    const rows = atlas.layers.map((layer) => {
      const [low, middle, high] = quartiles(atlas, layer, key);
      return { name: layer.name, href: `#/layer/${K.quote(layer.folder)}`, low, middle, high };
    });
    const most = Math.max(...rows.map((row) => row.high).filter(Number.isFinite), 1e-3);
    return K.depth({ title: field.title, rows, ends: field.range || [0, most], digits: field.digits, unit: field.unit, about: `median and middle half, layer by layer: ${field.about}` });
  };
  K.clear(main, K.el("article", { class: "page layers-page" },
    K.el("header", {}, K.el("h1", { text: "Layers" }), K.el("p", { class: "headline", text: `${K.units(atlas.n)} of ${atlas.layers.length} layers, in the order of the forward pass.` })),
    K.el("div", { class: "through" }, through(K.DEPENDENCE), through(K.SPEED)),
    K.el("div", { class: "cards" }, atlas.layers.map((layer) => {
      const { facets } = counted(atlas, layer, keys);
      return K.el("section", { class: "card small" }, K.el("h2", {}, K.el("a", { class: "cut", href: `#/layer/${K.quote(layer.folder)}`, text: layer.name || "(whole model)", title: layer.name })),
        K.wheel({ counts: facets.wheel, all: all.wheel, label: `Directions of ${layer.name}`, size: 130 }), labelStack(atlas, layer, facets.labels), K.el("p", { class: "hint", text: K.layerWords(atlas, layer, facets) }));
    }))));
  K.say(`${atlas.layers.length} layers`);
};
})();
