"use strict";
// The units of an atlas: columns of numbers, and what a unit is called.
(() => {
K.DIRECTIONS = ["right", "up-right", "up", "up-left", "left", "down-left", "down", "down-right"];
K.ARROWS = "→↗↑↖←↙↓↘";
K.SPEED = "motion_speed_px_per_frame";
K.DIRECTION = "motion_direction_deg";
K.DEPENDENCE = "indices_motion_dependence";
K.AGREEMENT = "confidence_label_agreement";
K.CONFIDENCE = "confidence_steadiness";
K.SHARES = ["coherent", "light", "jitter", "residual"];
K.SHARE_WORDS = { coherent: "coherent motion", light: "light", jitter: "jitter", residual: "residual" };

const ORDER = [
  ...K.DIRECTIONS, "expansion", "contraction", "counter-clockwise", "clockwise",
  "still", "flicker", "jitter", "unexplained", "flat", "dead",
];

K.Atlas = class {
  constructor(raw, base) {
    this.raw = raw;
    this.base = base;
    this.n = raw.count;
    this.layers = raw.layers;
    this.unit = K.column(raw.unit, Uint32Array);
    this.label = K.column(raw.label, Uint8Array);
    this.labels = raw.labels;
    this.layout = K.column(raw.layout, Uint8Array);
    this.films = K.column(raw.films, Uint8Array);
    this.names = raw.names;
    this.layerOf = new Uint16Array(this.n);
    this.layers.forEach((layer, index) => this.layerOf.fill(index, layer.start, layer.start + layer.count));
    this.fields = new Map();
    this.columns = new Map();
    this.addFields(raw);
    this.labelOrder = this.labels.map((_, index) => index).sort((a, b) => rank(this.labels[a]) - rank(this.labels[b]));
  }

  addFields(more) {
    for (const field of more.fields) {
      this.fields.set(field.key, field);
      this.columns.set(field.key, K.column(more.columns[field.key], Float32Array));
    }
  }

  // Every other number of the units, read when one is first asked for.
  async readRest() {
    if (!this.whole) {
      await K.read("rest.js");
      this.addFields(K.more);
      this.whole = true;
    }
  }

  value(row, key) {
    const column = this.columns.get(key);
    return column ? column[row] : NaN;
  }

  // What a search looks in, made once.
  get text() {
    if (!this.texts) {
      this.texts = new Array(this.n);
      for (let row = 0; row < this.n; row++) {
        const layer = this.layers[this.layerOf[row]].name;
        this.texts[row] = `${layer}:${this.unit[row]} ${this.names[row] || ""} ${this.labels[this.label[row]]}`.toLowerCase();
      }
    }
    return this.texts;
  }

  find(folder, unit) {
    const layer = this.layers.find((one) => one.folder === folder);
    if (!layer) return -1;
    let low = layer.start, high = layer.start + layer.count - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (this.unit[middle] === unit) return middle;
      if (this.unit[middle] < unit) low = middle + 1; else high = middle - 1;
    }
    return -1;
  }

  layer(row) { return this.layers[this.layerOf[row]]; }
  word(row) { return this.labels[this.label[row]] || "unknown"; }
  name(row) { return this.names[row] || `unit ${this.unit[row]}`; }
  id(row) { return `${this.layer(row).name}:${this.unit[row]}`; }
  key(row) { return `${K.quote(this.layer(row).folder)}/${this.unit[row]}`; }
  href(row) { return `#/unit/${this.key(row)}`; }
  file(row, name) { return `${this.base}${this.layer(row).path}/${this.unit[row]}/${name}`; }

  // Of eight, or -1 where a direction says nothing.
  compass(row) {
    const direction = this.value(row, K.DIRECTION);
    return Number.isFinite(direction) ? Math.round(direction / 45) % 8 : -1;
  }

  hue(row) {
    const direction = this.value(row, K.DIRECTION);
    return Number.isFinite(direction) ? K.hue(direction) : null;
  }

  // Beside its mark, on a tile: how fast, or what else it is.
  short(row) {
    const word = this.word(row);
    return K.DIRECTIONS.includes(word) ? K.fmt(this.value(row, K.SPEED), 2, "px/frame") : word;
  }

  // The motion in a few words: what it is and how fast.
  words(row) {
    const word = this.word(row), eighth = K.DIRECTIONS.indexOf(word);
    if (eighth >= 0) return `${word} ${K.ARROWS[eighth]} ${K.fmt(this.value(row, K.SPEED), 2, "px/frame")}`;
    if (word === "expansion" || word === "contraction") {
      return `${word} ${K.fmt(this.value(row, "motion_divergence_per_frame"), 3, "/frame")}`;
    }
    if (word.endsWith("clockwise")) return `${word} ${K.fmt(this.value(row, "motion_rotation_per_frame"), 3, "rad/frame")}`;
    return word;
  }
};

const rank = (word) => { const at = ORDER.indexOf(word); return at < 0 ? ORDER.length : at; };

// Direction as colour: as everywhere in this program, 0 is red, 90 yellow-green, 180 cyan, 270 violet.
K.hue = (degrees, light = 50) => `hsl(${Math.round(degrees)} 85% ${light}%)`;

// A word's mark: an arrow in its direction's colour, or a sign.
K.SIGNS = {
  expansion: "⤢", contraction: "⤡", "counter-clockwise": "↺", clockwise: "↻", still: "▪",
  flicker: "☀", jitter: "≈", unexplained: "?", flat: "–", dead: "×",
};
K.mark = (word) => {
  const eighth = K.DIRECTIONS.indexOf(word);
  const sign = eighth >= 0 ? K.ARROWS[eighth] : K.SIGNS[word] || "·";
  return K.el("i", { class: "mark", "aria-hidden": "true", text: sign, vars: { "--hue": eighth >= 0 ? K.hue(45 * eighth, 45) : "var(--muted)" } });
};
})();
