"use strict";
// Distributions as pictures: directions on a wheel, numbers as histograms, shares as stacks.
(() => {
const polar = (radius, degrees) => {
  const angle = (degrees * Math.PI) / 180;
  return [radius * Math.cos(angle), -radius * Math.sin(angle)];
};

const wedge = (inner, outer, from, to) => {
  const points = [polar(outer, from), polar(outer, to), polar(inner, to), polar(inner, from)].map((p) => p.map((v) => v.toFixed(2)).join(" "));
  return `M${points[0]}A${outer} ${outer} 0 0 0 ${points[1]}L${points[2]}A${inner} ${inner} 0 0 1 ${points[3]}Z`;
};

// Directions on a wheel: a sector's area grows with its units; with `chosen`, sectors are switches.
// counts and all: units per sector, of the choice and of everything.
K.wheel = ({ counts, all = null, chosen = null, toggle = null, label, size = 190 }) => {
  const most = Math.max(1, ...counts), mostAll = all ? Math.max(1, ...all) : 1;
  const step = 360 / K.SECTORS, half = step / 2 - 0.8, inner = 10, reach = 68;
  const radius = (share) => Math.sqrt(inner * inner + share * (reach * reach - inner * inner));
  const picture = K.svg("svg", { viewBox: "-100 -100 200 200", class: "wheel", role: toggle ? "group" : "img", "aria-label": label, vars: { "--size": `${size}px` } });
  picture.append(K.svg("circle", { r: reach, class: "face" }), K.svg("circle", { r: radius(0.5), class: "ring" }));
  counts.forEach((count, index) => {
    const at = index * step, words = `${Math.round(at)}° ${K.DIRECTIONS[Math.round(at / 45) % 8]}, ${K.units(count)}`;
    const part = K.svg("g", { class: "sector", vars: { "--hue": K.hue(at), "--rim": K.hue(at, 55) } });
    part.append(K.svg("title", { text: words }));
    part.append(K.svg("path", { class: "hit", d: wedge(inner, 84, at - step / 2, at + step / 2) }));
    if (all) part.append(K.svg("path", { class: "outline", d: wedge(inner, radius(all[index] / mostAll), at - half, at + half) }));
    if (count) part.append(K.svg("path", { class: "petal", d: wedge(inner, radius(count / most), at - half, at + half) }));
    part.append(K.svg("path", { class: "rim", d: wedge(74, 82, at - step / 2 + 0.4, at + step / 2 - 0.4) }));
    if (toggle) {
      K.set(part, { role: "checkbox", "aria-checked": chosen.has(index) ? "true" : "false", "aria-label": words, tabindex: index === 0 ? 0 : -1, "data-sector": index, onclick: () => toggle(index) });
      if (chosen.size && !chosen.has(index)) part.classList.add("off");
    }
    picture.append(part);
  });
  for (const [text, x, y] of [["right", 88, 0], ["up", 0, -88], ["left", -88, 0], ["down", 0, 88]]) {
    const upright = x !== 0 ? `rotate(${x > 0 ? 90 : -90} ${x} ${y})` : null;
    picture.append(K.svg("text", { x, y, class: "tip", text, transform: upright, "aria-hidden": "true" }));
  }
  if (toggle) picture.addEventListener("keydown", (event) => wheelKeys(event, picture, toggle));
  return picture;
};

const wheelKeys = (event, picture, toggle) => {
  const at = Number(event.target.dataset.sector);
  const step = { ArrowRight: -1, ArrowDown: -1, ArrowLeft: 1, ArrowUp: 1 }[event.key];
  if (step) {
    event.preventDefault();
    event.stopPropagation();
    const next = picture.querySelector(`[data-sector="${(at + step + K.SECTORS) % K.SECTORS}"]`);
    event.target.setAttribute("tabindex", -1);
    next.setAttribute("tabindex", 0);
    next.focus();
  } else if (event.key === " " || event.key === "Enter") {
    event.preventDefault();
    event.stopPropagation();
    toggle(at);
  }
};

// Bars over equal steps of a number; `all` is drawn as an outline behind, to its own height.
K.histogram = ({ counts, all = null, ends = null, digits = 2, unit = "", label = "", height = 46 }) => {
  const most = Math.max(1, ...counts), mostAll = all ? Math.max(1, ...all) : 1, wide = 100 / counts.length;
  const picture = K.svg("svg", { viewBox: `0 0 100 ${height}`, preserveAspectRatio: "none", class: "bars", role: "img", "aria-label": label, vars: { "--height": `${height}px` } });
  if (all) {
    const line = [...all].map((count, i) => `H${(i * wide).toFixed(2)}V${(height - (count / mostAll) * (height - 2)).toFixed(2)}H${((i + 1) * wide).toFixed(2)}`).join("");
    picture.append(K.svg("path", { class: "outline", d: `M0 ${height}${line}V${height}Z` }));
  }
  counts.forEach((count, i) => {
    if (!count) return;
    const tall = Math.max(1, (count / most) * (height - 2));
    const bar = K.svg("rect", { x: i * wide + wide * 0.08, width: wide * 0.84, y: height - tall, height: tall });
    if (ends) {
      const edge = (k) => K.fmt(ends[0] + ((ends[1] - ends[0]) * k) / counts.length, digits);
      bar.append(K.svg("title", { text: `${edge(i)} to ${edge(i + 1)}${unit ? ` ${unit}` : ""}: ${K.units(count)}` }));
    }
    picture.append(bar);
  });
  return picture;
};

K.withAxis = (picture, ends, digits, unit) => K.el("div", { class: "axis" }, picture,
  K.el("div", { class: "ends", "aria-hidden": "true" },
    K.el("span", { text: K.fmt(ends[0], digits) }), K.el("span", { text: unit }), K.el("span", { text: K.fmt(ends[1], digits) })));

// Shares of one whole, side by side, with a legend in words.
K.stack = (parts) => {
  const total = parts.reduce((sum, part) => sum + part.value, 0) || 1;
  return K.el("div", { class: "stack" },
    K.el("div", { class: "whole", "aria-hidden": "true" }, parts.map((part) => K.el("i", { class: part.class || "", vars: { width: `${(100 * part.value) / total}%`, "--part": part.colour || "" }, title: `${part.words} ${part.text}` }))),
    K.el("ul", {}, parts.map((part) => K.el("li", {}, K.el("i", { class: part.class || "", vars: { "--part": part.colour || "" }, "aria-hidden": "true" }), `${part.words} `, K.el("b", { text: part.text })))));
};

// Bars from a common zero, for values of either sign.
K.barRows = (rows) => {
  const known = rows.map(([, value]) => value).filter(Number.isFinite);
  const low = Math.min(0, ...known), high = Math.max(0, ...known), span = high - low || 1;
  return K.el("table", { class: "rows barred" }, K.el("tbody", {}, rows.map(([words, value]) => K.el("tr", {},
    K.el("th", { scope: "row", text: words }),
    K.el("td", { class: "bar" }, Number.isFinite(value) && K.el("i", { vars: { left: `${(100 * (Math.min(value, 0) - low)) / span}%`, width: `${(100 * Math.abs(value)) / span}%` } })),
    K.el("td", { class: "number", text: K.sig(value) })))));
};

// Through the network: per layer the middle half of a number's values, and its median.
K.depth = ({ title, rows, ends, digits, unit, about }) => {
  const width = 640, height = 150, left = 44, floor = height - 24;
  const x = (i) => left + ((i + 0.5) * (width - left - 8)) / Math.max(1, rows.length);
  const y = (value) => floor - ((value - ends[0]) / (ends[1] - ends[0])) * (floor - 10);
  const picture = K.svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "depth", role: "img", "aria-label": `${title} by layer: ${rows.map((row) => `${row.name} ${K.fmt(row.middle, digits)}`).join(", ")}` });
  for (const value of [ends[0], (ends[0] + ends[1]) / 2, ends[1]]) {
    picture.append(K.svg("line", { x1: left, x2: width, y1: y(value), y2: y(value), class: "grid" }), K.svg("text", { x: left - 6, y: y(value) + 4, class: "tick", text: K.fmt(value, digits) }));
  }
  const known = rows.map((row, i) => ({ ...row, i })).filter((row) => Number.isFinite(row.middle));
  for (const row of known) {
    const mark = K.svg("a", { href: row.href });
    mark.append(K.svg("title", { text: `${row.name}: median ${K.fmt(row.middle, digits, unit)}, half between ${K.fmt(row.low, digits)} and ${K.fmt(row.high, digits)}` }),
      K.svg("line", { x1: x(row.i), x2: x(row.i), y1: y(row.low), y2: y(row.high), class: "span" }), K.svg("circle", { cx: x(row.i), cy: y(row.middle), r: 4.5 }));
    picture.append(mark);
  }
  picture.append(K.svg("polyline", { class: "line", points: known.map((row) => `${x(row.i)},${y(row.middle)}`).join(" ") }));
  const named = Math.max(1, Math.ceil(rows.length / 6)); // as many names as there is room for
  rows.forEach((row, i) => i % named === 0 && picture.append(K.svg("text", { x: x(i), y: height - 6, class: "tick middle", text: row.name.length > 15 ? `…${row.name.slice(-14)}` : row.name })));
  return K.el("figure", { class: "depths" }, K.el("figcaption", {}, K.el("b", { text: title }), ` ${about}`), picture);
};
})();
