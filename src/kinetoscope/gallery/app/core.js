"use strict";
// What every other script builds on: elements without markup, numbers as words, scripts read when needed.
// Names out of the data are only ever set as text or attributes, so none can become markup.
const K = {};

K.el = (tag, props = {}, ...children) => {
  const node = document.createElement(tag);
  K.set(node, props);
  K.add(node, ...children);
  return node;
};

K.svg = (tag, props = {}, ...children) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  K.set(node, props);
  K.add(node, ...children);
  return node;
};

K.set = (node, props) => {
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "text") node.textContent = value;
    else if (key === "class") node.setAttribute("class", value);
    else if (key === "vars") for (const [name, one] of Object.entries(value)) node.style.setProperty(name, one);
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
};

K.add = (node, ...children) => {
  for (const child of children.flat(Infinity)) if (child !== null && child !== undefined && child !== false) node.append(child);
};

K.clear = (node, ...children) => {
  node.replaceChildren();
  K.add(node, ...children);
};

// Bytes of a column: base64, little end first.
K.column = (text, Kind) => {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new Kind(bytes.buffer);
};

K.MISSING = "–";

K.fmt = (value, digits = 2, unit = "") => {
  if (typeof value !== "number" || !Number.isFinite(value)) return K.MISSING;
  const size = Math.abs(value);
  let text = size >= 1e5 ? value.toExponential(1) : value.toFixed(digits);
  if (Number(text) === 0) text = text.replace("-", "");
  return text.replace("-", "−") + (unit === "°" ? "°" : unit ? ` ${unit}` : "");
};

// Of numbers in no fixed scale, such as a layer's own responses.
K.sig = (value) => {
  if (typeof value !== "number" || !Number.isFinite(value)) return K.MISSING;
  const size = Math.abs(value);
  return (size && (size < 1e-3 || size >= 1e5) ? value.toExponential(1) : String(Number(value.toPrecision(3)))).replaceAll("-", "−");
};

K.count = (value) => value.toLocaleString("en-GB");

K.units = (value) => `${K.count(value)} ${value === 1 ? "unit" : "units"}`;

// Scripts beside the page are the only way to read more from disk: no fetch works from file://.
K.reads = new Map();
K.read = (file) => {
  if (!K.reads.has(file)) {
    K.reads.set(file, new Promise((done, failed) => {
      const script = K.el("script", { src: `gallery/${file}` });
      script.onload = () => done();
      script.onerror = () => {
        K.reads.delete(file);
        failed(new Error(`gallery/${file} cannot be read; keep the folder beside the page`));
      };
      document.head.append(script);
    }));
  }
  return K.reads.get(file);
};

K.chunks = new Map();
K.chunk = (number, records) => K.chunks.set(number, records);
K.rest = (more) => { K.more = more; };
K.near = (near) => { K.nearData = near; };

// Said to screen readers; the last word counts.
K.say = (words) => {
  clearTimeout(K.saying);
  K.saying = setTimeout(() => { document.getElementById("live").textContent = words; }, 350);
};

K.debounced = (run, wait) => {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...given), wait);
  };
};

K.remember = (key, value) => {
  try {
    if (value === undefined) return localStorage.getItem(`kinetoscope-${key}`);
    localStorage.setItem(`kinetoscope-${key}`, value);
  } catch { /* some browsers keep nothing for pages on disk */ }
  return null;
};

// Names may hold halves of characters, which addresses cannot.
K.quote = (text) => encodeURIComponent(String(text).toWellFormed ? String(text).toWellFormed() : String(text));
K.unquote = (text) => { try { return decodeURIComponent(text); } catch { return text; } };
