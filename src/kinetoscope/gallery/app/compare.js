"use strict";
// Side by side: units that were picked, and two networks, with what changed between counterparts.
(() => {
const PAGE = 40;

K.picked = new Set();

K.pair = () => {
  if (!K.other) return null;
  if (!K.pairs) {
    const said = window.KINETOSCOPE_OTHER.pairs;
    K.pairs = { by: said.by, kept: said.kept, rows: K.column(said.rows, Int32Array), numbers: said.numbers ? K.column(said.numbers, Float32Array) : null };
  }
  return K.pairs;
};

// Rows of the other atlas that belong to a unit, with what they answer.
K.partners = (row) => {
  const pairs = K.pair(), found = [];
  if (pairs) for (let i = row * pairs.kept; i < (row + 1) * pairs.kept; i++) if (pairs.rows[i] >= 0) found.push([pairs.rows[i], pairs.numbers ? pairs.numbers[i] : NaN]);
  return found;
};

// Two checkpoints may be called alike; then the digest of their weights tells them apart.
const title = (atlas) => {
  const alike = K.other.raw.model === K.atlas.raw.model && K.other.raw.weights === K.atlas.raw.weights;
  return `${atlas.raw.model}, ${atlas.raw.weights}${alike ? ` (${atlas.raw.sha256.slice(0, 7)})` : ""}`;
};
K.otherName = () => title(K.other);
const answer = (number) => (Number.isFinite(number) ? `answers with ${Math.round(100 * number)} % of its own optimum` : "same layer and number");

K.counterparts = (row) => {
  if (!K.other) return null;
  const found = K.partners(row);
  return K.el("section", { class: "near" }, K.el("h2", { text: `In ${K.otherName()}` }),
    K.el("p", { class: "hint", text: found.length ? K.pair().by === "response" ? "the units that answer most to this one's optimal input" : "the unit of the same layer and number" : "No counterpart: that unit is not in the other atlas." }),
    K.el("div", { class: "row" }, found.map(([other, number]) => K.el("div", { class: "with" }, K.tile(K.other, other, { linked: false }), K.el("small", { text: `${K.other.id(other)}: ${answer(number)}` }))), found.length ? changes(row, found[0][0]) : null));
};

const turned = (a, b) => { const apart = Math.abs(a - b) % 360; return Math.min(apart, 360 - apart); };

const CHANGES = [
  ["direction", "turned by", (row, other) => turned(K.atlas.value(row, K.DIRECTION), K.other.value(other, K.DIRECTION)), 0, "°"],
  ["speed", "speed", (row, other) => K.other.value(other, K.SPEED) - K.atlas.value(row, K.SPEED), 2, "px/frame"],
  ["dependence", "motion dependence", (row, other) => K.other.value(other, K.DEPENDENCE) - K.atlas.value(row, K.DEPENDENCE), 2, ""],
];

const signed = (value, digits, unit) => (Number.isFinite(value) && value > 0 && unit !== "°" ? "+" : "") + K.fmt(value, digits, unit);

const changes = (row, other) => K.el("table", { class: "rows changes" }, K.el("tbody", {},
  K.el("tr", {}, K.el("th", { scope: "row", text: "motion" }), K.el("td", {}, K.mark(K.atlas.word(row)), K.atlas.word(row), " → ", K.mark(K.other.word(other)), K.other.word(other))),
  CHANGES.map(([, words, of, digits, unit]) => K.el("tr", {}, K.el("th", { scope: "row", text: words }), K.el("td", { class: "number", text: signed(of(row, other), digits, unit) })))));

K.pick = (row) => {
  if (K.picked.has(row)) K.picked.delete(row); else K.picked.add(row);
  document.querySelectorAll(`.tile[data-row="${row}"]`).forEach((tile) => {
    if (tile.tagName !== "A") return;
    tile.classList.toggle("picked", K.picked.has(row));
    tile.setAttribute("aria-label", K.tileLabel(K.atlas, row));
  });
  document.querySelectorAll("[data-pick]").forEach((button) => dressPick(button, Number(button.dataset.pick)));
  K.say(`${K.atlas.id(row)} ${K.picked.has(row) ? "picked" : "put back"}, ${K.picked.size} picked`);
  K.tray();
};

const dressPick = (button, row) => {
  const on = K.picked.has(row);
  button.textContent = on ? "Picked" : "Pick to compare";
  button.setAttribute("aria-pressed", on ? "true" : "false");
};

K.pickButton = (row) => {
  const button = K.el("button", { type: "button", class: "button", "data-pick": row, title: "c", onclick: () => K.pick(row) });
  dressPick(button, row);
  return button;
};

K.tray = () => {
  const tray = document.getElementById("tray");
  tray.hidden = !K.picked.size || K.parse(location.hash).view === "compare";
  if (tray.hidden) return;
  K.clear(tray, K.el("b", { text: `${K.units(K.picked.size)} picked` }),
    K.el("a", { class: "button", href: K.compareHref(), text: "Side by side" }),
    K.el("button", { type: "button", class: "button", text: "CSV", onclick: () => K.save(Uint32Array.from(K.picked), "picked") }),
    K.el("button", { type: "button", class: "button", text: "Put back", onclick: () => [...K.picked].forEach(K.pick) }));
};

K.compareHref = () => `#/compare?picked=${[...K.picked].map((row) => `${K.quote(K.atlas.layer(row).folder)}:${K.atlas.unit[row]}`).join(",")}`;

K.compareView = (main, parts, asked) => {
  document.title = `Compare – ${K.atlas.raw.model}`;
  for (const one of (asked.get("picked") || "").split(",").filter(Boolean)) {
    const [folder, unit] = [one.slice(0, one.lastIndexOf(":")), one.slice(one.lastIndexOf(":") + 1)];
    const row = K.atlas.find(K.unquote(folder), Number(unit));
    if (row >= 0) K.picked.add(row);
  }
  const rows = [...K.picked];
  K.clear(main, K.el("article", { class: "page compare" },
    K.el("header", {}, K.el("h1", { text: "Compare" })),
    rows.length ? K.el("section", {}, K.el("h2", { text: "Picked units" }), K.el("div", { class: "sides" }, rows.map(side)))
      : K.el("p", { class: "empty small" }, "Pick units with ", K.el("kbd", { text: "c" }), " on a tile, or on a unit's page, to see them side by side here."),
    K.other ? networks(asked) : K.el("p", { class: "empty small" }, "Another network or checkpoint stands beside this one after ", K.el("code", { text: "kinetoscope gallery DIR --compare OTHER" }), ".")));
};

const side = (row) => {
  const atlas = K.atlas, fields = [K.SPEED, K.DIRECTION, K.DEPENDENCE, K.AGREEMENT, K.CONFIDENCE, "indices_direction_index", "indices_colour_dependence", "activation_optimal"].filter((key) => atlas.fields.has(key));
  const partner = K.partners(row)[0];
  return K.el("section", { class: "card side" }, K.tile(atlas, row),
    K.el("table", { class: "rows" }, K.el("tbody", {}, fields.map((key) => { const field = atlas.fields.get(key); return K.el("tr", {}, K.el("th", { scope: "row", text: field.title }), K.el("td", { class: "number", text: K.fmt(atlas.value(row, key), field.digits, field.unit) })); }))),
    partner && K.el("div", { class: "with" }, K.el("small", { text: `in ${K.otherName()}` }), K.tile(K.other, partner[0], { linked: false }), K.el("small", { text: answer(partner[1]) })),
    K.el("button", { type: "button", class: "button", text: "Put back", onclick: () => { K.pick(row); K.go("#/compare"); } }));
};

// Of each unit with a counterpart: the counterpart and what changed.
const paired = () => {
  if (!K.pairedRows) {
    K.pairedRows = [];
    for (let row = 0; row < K.atlas.n; row++) {
      const [first] = K.partners(row);
      if (first) K.pairedRows.push({ row, other: first[0], number: first[1] });
    }
  }
  return K.pairedRows;
};

const networks = (asked) => {
  const by = K.pair().by, folder = K.unquote(asked.get("layer") || ""), from = K.unquote(asked.get("from") || ""), to = K.unquote(asked.get("to") || "");
  const sort = asked.get("sort") || (by === "response" ? "answer" : "direction");
  const inLayer = paired().filter((one) => !folder || K.atlas.layer(one.row).folder === folder);
  const found = inLayer.filter((one) => (!from || K.atlas.word(one.row) === from) && (!to || K.other.word(one.other) === to));
  const same = inLayer.filter((one) => K.atlas.word(one.row) === K.other.word(one.other)).length;
  const measure = sort === "answer" ? (one) => one.number : (one) => Math.abs((CHANGES.find(([name]) => name === sort) || CHANGES[0])[2](one.row, one.other));
  const sorted = found.map((one) => ({ ...one, by: measure(one) })).sort((a, b) => (Number.isFinite(b.by) ? b.by : -1) - (Number.isFinite(a.by) ? a.by : -1) || a.row - b.row);
  const href = (change) => {
    const all = { layer: folder, from, to, sort, ...change };
    return `#/compare?${Object.entries(all).filter(([, value]) => value).map(([key, value]) => `${key}=${K.quote(value)}`).join("&")}`;
  };
  const choice = (label, value, options, key) => {
    const menu = K.el("select", { onchange: (event) => K.go(href({ [key]: event.target.value })) }, options.map(([one, words]) => K.el("option", { value: one, text: words })));
    menu.value = value;
    return K.el("label", { class: "choice" }, `${label} `, menu);
  };
  const list = K.el("div", { class: "pairs", role: "list" }), more = K.el("button", { type: "button", class: "button more", text: "Show more" });
  let shown = 0;
  const extend = () => {
    K.add(list, sorted.slice(shown, shown + PAGE).map(pairRow));
    shown += PAGE;
    more.hidden = shown >= sorted.length;
  };
  more.addEventListener("click", extend);
  extend();
  return K.el("section", { class: "networks" },
    K.el("h2", {}, `${title(K.atlas)} `, K.el("span", { class: "muted", text: "beside" }), ` ${K.otherName()}`),
    K.el("p", { class: "headline", text: by === "response"
      ? `For each unit, the unit of the other network that answers most to its optimal input. ${K.count(same)} of ${K.count(inLayer.length)} have the same motion word.`
      : `Counterparts by layer and number${window.KINETOSCOPE_OTHER.same ? "" : ", which says little for networks of different architecture"}. ${K.count(same)} of ${K.count(inLayer.length)} keep their motion word.` }),
    K.el("div", { class: "choices" },
      choice("Layer", folder, [["", "all layers"], ...K.atlas.layers.map((layer) => [layer.folder, layer.name])], "layer"),
      choice("Most changed first, by", sort, [...(by === "response" ? [["answer", "answer (strongest first)"]] : []), ...CHANGES.map(([name, words]) => [name, words === "turned by" ? "direction" : words])], "sort"),
      (from || to) && K.el("a", { class: "button", href: href({ from: "", to: "" }), text: `${from || "any"} → ${to || "any"} ×`, "aria-label": "Lift the choice of motions" }),
      K.el("button", { type: "button", class: "button", text: "CSV", onclick: () => K.save(Uint32Array.from(sorted, (one) => one.row), "compared") })),
    matrix(inLayer, href, from, to),
    K.el("p", { class: "hint", text: `${K.count(sorted.length)} pairs` }), sorted.length ? list : K.el("p", { class: "empty small", text: "No pairs of this kind." }), more);
};

// Which word became which: rows are this network's, columns the other one's.
const matrix = (found, href, from, to) => {
  const counts = new Map(), rows = new Map(), columns = new Map();
  for (const one of found) {
    const a = K.atlas.word(one.row), b = K.other.word(one.other);
    counts.set(`${a}>${b}`, (counts.get(`${a}>${b}`) || 0) + 1);
    rows.set(a, (rows.get(a) || 0) + 1);
    columns.set(b, 1);
  }
  const order = (atlas, held) => atlas.labelOrder.map((code) => atlas.labels[code]).filter((label) => held.has(label));
  const across = order(K.other, columns), down = order(K.atlas, rows);
  if (!down.length) return null;
  return K.el("figure", { class: "matrix" }, K.el("figcaption", { class: "hint", text: "Which motion became which; a cell leads to its pairs." }), K.el("div", { class: "scroll" }, K.el("table", {},
    K.el("thead", {}, K.el("tr", {}, K.el("td", {}), across.map((b) => K.el("th", { scope: "col" }, K.el("span", {}, b), K.mark(b))))),
    K.el("tbody", {}, down.map((a) => K.el("tr", {}, K.el("th", { scope: "row" }, a, " ", K.mark(a)), across.map((b) => {
      const count = counts.get(`${a}>${b}`) || 0;
      return K.el("td", { class: a === b ? "same" : "", vars: { "--share": count / rows.get(a) } }, count ? K.el("a", { href: href({ from: a, to: b }), "aria-label": `${a} became ${b}: ${K.units(count)}`, "aria-current": from === a && to === b ? "true" : null, text: K.count(count) }) : null);
    })))))));
};

const pairRow = ({ row, other, number }) => K.el("div", { class: "pair", role: "listitem" },
  K.tile(K.atlas, row), K.el("span", { class: "arrow", "aria-hidden": "true", text: "→" }), K.tile(K.other, other, { linked: false }),
  K.el("div", {}, changes(row, other), K.el("small", { class: "muted", text: `${K.other.id(other)}: ${answer(number)}` })));
})();
