"use strict";
// The choices beside the units: layers, words, a wheel of directions, and numbers with their histograms.
(() => {
K.RANGES = [K.SPEED, K.DEPENDENCE, K.AGREEMENT, K.CONFIDENCE];

K.Panel = class {
  constructor(atlas, state, changed) {
    this.atlas = atlas;
    this.state = state;
    this.changed = changed;
    this.open = new Map();
    this.node = K.el("div", { class: "panel" });
    this.all = null; // counts of the whole network
  }

  // Numbers that have a slider: the usual ones, and those that were asked for.
  keys() {
    return [...new Set([...K.RANGES, ...this.state.ranges.keys(), ...(this.extra || [])])].filter((key) => this.atlas.columns.has(key));
  }

  draw(facets) {
    if (!this.all || this.keys().some((key) => !this.all.bins.has(key))) this.all = K.select(this.atlas, K.fresh(), this.keys()).facets;
    this.node.querySelectorAll("details[data-part]").forEach((part) => this.open.set(part.dataset.part, part.open));
    const focus = this.focusKey();
    K.clear(this.node, this.wheel(facets), this.labels(facets), this.layers(facets), this.keys().map((key) => this.range(key, facets)), this.more());
    if (focus) this.refocus(focus);
  }

  focusKey() {
    const at = document.activeElement;
    if (!this.node.contains(at)) return null;
    if (at.dataset.sector !== undefined) return `[data-sector="${at.dataset.sector}"]`;
    return at.dataset.key ? `[data-key="${CSS.escape(at.dataset.key)}"]` : null;
  }

  refocus(selector) {
    const node = this.node.querySelector(selector);
    if (node) node.focus({ preventScroll: true });
  }

  part(name, title, on, clear, ...inside) {
    const open = this.open.has(name) ? this.open.get(name) : true;
    return K.el("details", { class: "part", "data-part": name, open },
      K.el("summary", {}, K.el("span", { class: "name", text: title }), Boolean(on) && K.el("button", { type: "button", class: "lift", text: "clear", "aria-label": `Clear ${title}`, onclick: (event) => { event.preventDefault(); clear(); this.changed(); } })),
      ...inside);
  }

  wheel(facets) {
    const chosen = this.state.wheel;
    const toggle = (index) => {
      if (chosen.has(index)) chosen.delete(index); else chosen.add(index);
      this.changed();
    };
    return this.part("wheel", "Direction", chosen.size, () => chosen.clear(),
      K.wheel({ counts: facets.wheel, all: this.all.wheel, chosen, toggle, label: "Directions; choose sectors" }),
      K.el("p", { class: "hint", text: "Click the wheel: the direction of the mean velocity. Units without one are then left out." }));
  }

  labels(facets) {
    const chosen = this.state.labels;
    return this.part("labels", "Motion", chosen.size, () => chosen.clear(), K.el("div", { class: "chips" }, this.atlas.labelOrder.map((code) => {
      const label = this.atlas.labels[code], on = chosen.has(label), count = facets.labels[code];
      return K.el("button", {
        type: "button", class: `chip${count ? "" : " void"}`, "aria-pressed": on ? "true" : "false", "data-key": `label ${label}`,
        onclick: () => { if (on) chosen.delete(label); else chosen.add(label); this.changed(); },
      }, K.mark(label), K.el("span", { text: label }), K.el("small", { text: K.count(count) }));
    })));
  }

  layers(facets) {
    const chosen = this.state.layers, most = Math.max(1, ...facets.layers);
    return this.part("layers", "Layer", chosen.size, () => chosen.clear(), K.el("ul", { class: "layers" }, this.atlas.layers.map((layer, index) => {
      const count = facets.layers[index];
      const box = K.el("input", { type: "checkbox", "data-key": `layer ${layer.folder}`, onchange: () => { if (chosen.has(layer.folder)) chosen.delete(layer.folder); else chosen.add(layer.folder); this.changed(); } });
      box.checked = chosen.has(layer.folder);
      return K.el("li", { vars: { "--share": count / most } }, K.el("label", {}, box, K.el("span", { class: "cut", text: layer.name || "(whole model)", title: layer.name }), K.el("small", { text: K.count(count) })),
        K.el("a", { href: `#/layer/${K.quote(layer.folder)}`, "aria-label": `What ${layer.name} looks for`, title: "What this layer looks for", text: "›" }));
    })));
  }

  range(key, facets) {
    const field = this.atlas.fields.get(key), ends = K.ends(this.atlas, key), span = ends[1] - ends[0];
    const now = this.state.ranges.get(key) || ends, on = this.state.ranges.has(key);
    const said = K.el("output", { text: `${K.fmt(now[0], field.digits)} to ${K.fmt(now[1], field.digits)}${field.unit ? ` ${field.unit}` : ""}` });
    const slider = (which) => {
      const input = K.el("input", { type: "range", min: 0, max: 1000, step: 1, "data-key": `${which} ${key}`, "aria-label": `${field.title}, ${which === "low" ? "at least" : "at most"}` });
      input.value = Math.round(((now[which === "low" ? 0 : 1] - ends[0]) / span) * 1000);
      const words = () => input.setAttribute("aria-valuetext", K.fmt(ends[0] + (span * input.value) / 1000, field.digits, field.unit));
      words();
      input.addEventListener("input", () => {
        words();
        this.slid(key, ends, low, high, said);
      });
      input.addEventListener("change", () => this.changed());
      return input;
    };
    const low = slider("low"), high = slider("high");
    return this.part(`n.${key}`, field.title, on, () => this.state.ranges.delete(key),
      K.el("div", { class: "range", vars: { "--from": (now[0] - ends[0]) / span, "--to": (now[1] - ends[0]) / span } },
        K.histogram({ counts: facets.bins.get(key) || new Uint32Array(K.BINS), all: this.all.bins.get(key), ends, digits: field.digits, unit: field.unit, label: `Histogram of ${field.title}` }), low, high),
      K.el("p", { class: "hint" }, said, field.about ? ` · ${field.about}` : ""));
  }

  // While a slider is held the units follow, and the panel stays as it is.
  slid(key, ends, low, high, said) {
    const at = (input) => ends[0] + ((ends[1] - ends[0]) * input.value) / 1000;
    const pair = [Math.min(at(low), at(high)), Math.max(at(low), at(high))];
    if (Number(low.value) <= 0 && Number(high.value) >= 1000) this.state.ranges.delete(key);
    else this.state.ranges.set(key, pair);
    const field = this.atlas.fields.get(key);
    said.textContent = `${K.fmt(pair[0], field.digits)} to ${K.fmt(pair[1], field.digits)}${field.unit ? ` ${field.unit}` : ""}`;
    const box = low.parentNode;
    K.set(box, { vars: { "--from": Math.min(low.value, high.value) / 1000, "--to": Math.max(low.value, high.value) / 1000 } });
    this.changed(true);
  }

  more() {
    const choice = K.fieldChoice(this.atlas, "", "Another number…", (key) => {
      this.extra = [...(this.extra || []), key];
      this.changed();
    });
    return K.el("div", { class: "part" }, choice);
  }
};

// A menu of all numbers; those beyond the first ones are read when it is opened.
K.fieldChoice = (atlas, chosen, first, choose) => {
  const menu = K.el("select", { "aria-label": first });
  const fill = () => {
    K.clear(menu, K.el("option", { value: "", text: first }), first === "as in the network" && K.el("option", { value: "unit", text: "unit number" }),
      [...atlas.fields.values()].map((field) => K.el("option", { value: field.key, text: `${field.title}${field.unit ? `, ${field.unit}` : ""}` })));
    menu.value = chosen;
  };
  fill();
  const whole = () => { if (!atlas.whole && atlas === K.atlas) atlas.readRest().then(() => { chosen = menu.value; fill(); }).catch(K.failed); };
  menu.addEventListener("pointerdown", whole);
  menu.addEventListener("focus", whole);
  menu.addEventListener("change", () => choose(menu.value));
  return menu;
};
})();
