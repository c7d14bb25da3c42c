"use strict";
// One unit: its films, its numbers in words, everything else that its record says, and its neighbours.
(() => {
const RESPONSES = {
  optimal: "optimal input", reconstruction: "reconstruction", static_only: "still texture", flat_colour: "mean colour",
  reversed: "played backwards", shuffled: "frames shuffled", slowed: "half speed", sped_up: "double speed",
  grey: "without colour", random_input: "random input",
};
const SHOWN = new Set(["activation", "indices", "confidence", "motion", "decomposition", "history", "search", "layer", "unit", "unit_name", "settings"]);
const MOTION = ["motion_mean_speed_px_per_frame", "motion_coherence", "motion_divergence_per_frame", "motion_rotation_per_frame"];

K.unitView = async (main, parts) => {
  const atlas = K.atlas, row = atlas.find(parts[0] || "", Number(parts[1]));
  if (row < 0) {
    K.clear(main, K.el("div", { class: "empty" }, K.el("h1", { text: "No such unit" }), K.el("p", { text: `${parts.join(" / ")} is not in this atlas, or is not finished.` }), K.el("a", { href: "#/units", text: "All units" })));
    return;
  }
  document.title = `${atlas.id(row)} ${atlas.names[row] || ""} – ${atlas.raw.model}`;
  const rest = K.el("div", { class: "record" }, K.el("p", { class: "hint", text: "Reading the record…" }));
  const near = K.el("div", { class: "near" });
  K.clear(main, K.el("article", { class: "page unit" }, head(atlas, row), films(atlas, row), rest, K.counterparts(row), near));
  K.say(`${atlas.id(row)}, ${atlas.words(row)}`);
  const chunk = Math.floor(row / atlas.raw.chunk);
  await Promise.all([
    K.read(`units/${chunk}.js`).then(() => K.clear(rest, whole(atlas, row, K.chunks.get(chunk)[row % atlas.raw.chunk]))).catch((error) => K.clear(rest, K.el("p", { class: "empty", text: error.message }))),
    K.read("near.js").then(() => K.clear(near, ["texture", "motion"].map((kind) => neighbours(atlas, row, kind)))).catch((error) => K.clear(near, K.el("p", { class: "empty", text: error.message }))),
  ]);
};

const head = (atlas, row) => {
  const rows = K.current.length ? K.current : K.ordered(atlas, "", false), at = rows.indexOf(row);
  const step = (by, words, sign) => {
    const next = at < 0 ? -1 : at + by;
    const there = next >= 0 && next < rows.length;
    return K.el(there ? "a" : "span", { class: "button", href: there ? atlas.href(rows[next]) : null, text: sign, "aria-label": words, title: words, "data-step": by });
  };
  const link = K.el("button", { type: "button", class: "button", text: "Copy link", onclick: () => copy(link) });
  return K.el("header", {},
    K.el("p", { class: "crumbs" }, K.el("a", { href: K.unitsHref(), text: "Units" }), " / ", K.el("a", { href: `#/layer/${K.quote(atlas.layer(row).folder)}`, text: atlas.layer(row).name || "(whole model)" })),
    K.el("div", { class: "title" }, K.el("h1", {}, atlas.names[row] || `Unit ${atlas.unit[row]}`, K.el("small", { text: atlas.id(row) })),
      K.el("div", { class: "tools" }, step(-1, "Previous of those shown (left arrow)", "‹"), step(1, "Next of those shown (right arrow)", "›"), K.pickButton(row), link)),
    K.el("p", { class: "headline" }, K.mark(atlas.word(row)), K.el("b", { text: atlas.words(row) }), K.verdict(atlas, row)));
};

// What the first numbers say, as a sentence.
K.verdict = (atlas, row) => {
  const word = atlas.word(row), need = atlas.value(row, K.DEPENDENCE), same = atlas.value(row, K.AGREEMENT);
  if (word === "dead") return " No clip changes its response.";
  if (word === "flat") return " Noise or a plain colour does as well as what was found.";
  const said = [];
  if (Number.isFinite(need)) said.push(need > 0.5 ? `It needs motion: ${Math.round(100 * need)} % of its response is gone when the texture stands still.` : need > 0.15 ? `Motion helps: ${Math.round(100 * need)} % of its response is gone when the texture stands still.` : "The still texture does nearly as well.");
  if (Number.isFinite(same)) said.push(same === 1 ? "All seeds agree on the motion." : `${Math.round(100 * same)} % of the seeds agree on the motion.`);
  return said.length ? ` ${said.join(" ")}` : "";
};

const copy = async (button) => {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(location.href);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Copy it from the address";
  }
  K.say(button.textContent);
  setTimeout(() => { button.textContent = before; }, 1600);
};

const films = (atlas, row) => {
  const figure = (inside, words) => K.el("figure", {}, inside, K.el("figcaption", { text: words }));
  if (!atlas.raw.layouts[atlas.layout[row]]) {
    return K.el("div", { class: "films" }, K.el("p", { class: "empty", text: "This atlas keeps numbers only: no films, no strips." }));
  }
  const film = (name, words) => {
    if (!atlas.films[row]) return K.strip(atlas, row, { rest: "film", eager: true });
    const video = K.el("video", { src: atlas.file(row, name), loop: true, controls: true, playsinline: true, "aria-label": words });
    video.muted = true;
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) video.autoplay = true;
    return video;
  };
  const scale = K.fmt(atlas.raw.scale, 1);
  return K.el("div", { class: "films" },
    figure(film("optimal.mp4", "Film of the optimal input"), "Optimal input: the clip it answers to most"),
    figure(K.strip(atlas, row, { rest: "texture", eager: true }), "Texture: what moves"),
    Boolean(atlas.films[row]) && figure(film("motion.mp4", "Film of the motion as colour"), `Motion as colour: hue is direction, full brightness ${scale} px/frame`),
    figure(K.strip(atlas, row, { rest: "motion", eager: true }), "Its coherent part, mean over time"),
    figure(K.colourWheel(), `Red right, yellow-green up, cyan left, violet down; brighter is faster`));
};

K.colourWheel = () => K.el("span", { class: "colours", role: "img", "aria-label": "Colour wheel of directions" });

const table = (rows) => K.el("table", { class: "rows" }, K.el("tbody", {}, rows.map(([words, text, about]) => K.el("tr", { title: about || null }, K.el("th", { scope: "row", text: words }), K.el("td", { class: text.length < 28 ? "number" : "number long", text })))));

const known = (atlas, row, keys) => keys.filter((key) => atlas.fields.has(key)).map((key) => {
  const field = atlas.fields.get(key);
  return [field.title, K.fmt(atlas.value(row, key), field.digits, field.unit), field.about];
});

const box = (title, ...inside) => K.el("section", { class: "card" }, K.el("h2", { text: title }), ...inside);

const whole = (atlas, row, record) => {
  const parts = record.decomposition || {}, colours = { coherent: "var(--coherent)", light: "var(--light)", jitter: "var(--jitter)", residual: "var(--residual)" };
  const shares = parts.variance_explained || {};
  const direction = atlas.value(row, K.DIRECTION), eighth = atlas.compass(row);
  return [
    K.el("div", { class: "cards" },
      box("Motion", table([
        ["direction", eighth < 0 ? K.MISSING : `${K.fmt(direction, 0)}° ${K.ARROWS[eighth]} ${K.DIRECTIONS[eighth]}`],
        ...known(atlas, row, [K.SPEED, ...MOTION]),
      ])),
      box("What it needs", table(known(atlas, row, [K.DEPENDENCE, "indices_direction_index", "indices_colour_dependence", "indices_reconstruction_kept"]))),
      box("What its film is made of", K.stack(K.SHARES.filter((key) => Number.isFinite(shares[key])).map((key) => ({ words: K.SHARE_WORDS[key], value: shares[key], text: `${Math.round(100 * shares[key])} %`, colour: colours[key] }))),
        table([["PSNR of texture and motion", K.fmt(parts.psnr_db, 1, "dB")], ["carried between frames", K.fmt(parts.carried)], ["texture lasts", K.fmt(parts.texture_lifetime_frames, 1, "frames")], ["share of change", K.fmt(parts.change_share)]])),
      box("What it answers to", K.barRows(Object.entries(RESPONSES).filter(([key]) => key in (record.activation || {})).map(([key, words]) => [words, record.activation[key]]))),
      confidence(record.confidence), search(record)),
    K.el("details", { class: "all" }, K.el("summary", { text: "Everything else in the record" }), tree(rest(atlas, record)),
      K.el("p", { class: "hint" }, K.el("a", { href: atlas.file(row, "unit.json"), text: "unit.json" }), " has every digit.")),
  ];
};

const confidence = (said) => {
  if (!said) return box("Other seeds", K.el("p", { class: "hint", text: "One seed was run, so nothing is known about agreement." }));
  const rows = (said.labels || []).map((label, i) => [`seed ${(said.seeds || [])[i] ?? i}`, `${label} ${K.fmt((said.speeds_px_per_frame || [])[i], 2)} px/frame`]);
  return box("Other seeds", table([...rows, ["agreement", K.fmt(said.label_agreement)], ["variance of direction", K.fmt(said.circular_variance)], ["variance of the field", K.fmt(said.field_circular_variance)], ["speed spread", K.fmt(said.speed_spread_px_per_frame, 2, "px/frame")]]));
};

const search = (record) => {
  const history = (record.history || []).filter(Number.isFinite);
  const said = record.search || {};
  const words = [["steps", K.fmt(record.steps, 0)], ["best response", K.sig(said.best_response)], ["best of the bank", said.bank_stimulus || K.MISSING], ["its response", K.sig(said.bank_response)], ["began from", said.start || K.MISSING]];
  return box("How it was found", history.length > 1 && curve(history), table(words));
};

const curve = (values) => {
  const low = Math.min(...values), span = Math.max(...values) - low || 1;
  const points = values.map((value, i) => `${((100 * i) / (values.length - 1)).toFixed(2)},${(44 - (40 * (value - low)) / span).toFixed(2)}`).join(" ");
  return K.el("div", { class: "axis" }, K.svg("svg", { viewBox: "0 0 100 46", preserveAspectRatio: "none", class: "curve", role: "img", "aria-label": `Objective over ${values.length} steps, from ${K.fmt(values[0], 3)} to ${K.fmt(values.at(-1), 3)}` }, K.svg("polyline", { points })),
    K.el("div", { class: "ends", "aria-hidden": "true" }, K.el("span", { text: K.sig(values[0]) }), K.el("span", { text: `objective over ${values.length} steps` }), K.el("span", { text: K.sig(values.at(-1)) })));
};

const rest = (atlas, record) => {
  const said = {};
  for (const [key, value] of Object.entries(record)) if (!SHOWN.has(key)) said[key] = value;
  return { ...said, search: record.search, settings: record.settings || atlas.raw.settings, decomposition: record.decomposition, confidence: record.confidence };
};

// Any record as nested rows.
const tree = (value, depth = 0) => {
  if (value === null || typeof value !== "object") return document.createTextNode(value === null ? K.MISSING : String(value));
  if (Array.isArray(value) && value.every((one) => typeof one !== "object" || one === null)) return document.createTextNode(value.join(", ") || K.MISSING);
  const entries = Object.entries(value);
  return K.el("dl", { class: depth ? "" : "tree" }, entries.map(([key, one]) => [K.el("dt", { text: key }), K.el("dd", {}, depth > 8 ? JSON.stringify(one) : tree(one, depth + 1))]));
};

const neighbours = (atlas, row, kind) => {
  const data = K.nearData.neighbours[kind], words = kind === "texture" ? "Nearest in texture" : "Nearest in motion";
  data.list = data.list || K.column(data.rows, Uint32Array);
  data.away = data.away || K.column(data.far, Uint16Array);
  const found = [];
  for (let i = row * data.kept; i < (row + 1) * data.kept; i++) if (data.list[i] < atlas.n) found.push([data.list[i], data.away[i] / 1000]);
  const about = kind === "texture" ? "by grain and colour of the texture, wherever it lies" : "by direction, speed, growth, turning, and what the response needs";
  return K.el("section", {}, K.el("h2", { text: words }), K.el("p", { class: "hint", text: found.length ? `${about}; a usual pair is 1 apart` : kind === "texture" ? "Nothing to compare: no picture was kept, or it shows nothing." : "Nothing to compare: it has no motion to speak of." }),
    K.el("div", { class: "row" }, found.map(([other, away]) => K.tile(atlas, other, { note: `${K.fmt(away)} apart` }))));
};
})();
