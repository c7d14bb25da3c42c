"use strict";
// The address says what is shown: #/units?q=up&layer=conv1&... so a link leads to the same view.
(() => {
K.parse = (hash) => {
  const [path, query = ""] = (hash.replace(/^#/, "") || "/units").split("?");
  const parts = path.split("/").filter(Boolean).map(K.unquote);
  const asked = new Map();
  for (const pair of query.split("&").filter(Boolean)) {
    const [key, value = ""] = pair.split("=");
    asked.set(K.unquote(key), value);
  }
  return { view: parts[0] || "units", parts: parts.slice(1), asked };
};

const list = (value) => (value ? value.split(",").filter(Boolean).map(K.unquote) : []);

K.stateOf = (asked, atlas) => {
  const state = K.fresh();
  state.q = K.unquote(asked.get("q") || "");
  const folders = new Set(atlas.layers.map((layer) => layer.folder));
  state.layers = new Set(list(asked.get("layer")).filter((folder) => folders.has(folder)));
  state.labels = new Set(list(asked.get("label")).filter((label) => atlas.labels.includes(label)));
  state.wheel = new Set(list(asked.get("wheel")).map(Number).filter((one) => one >= 0 && one < K.SECTORS && one % 1 === 0));
  const sort = K.unquote(asked.get("sort") || "");
  state.down = sort.startsWith("-");
  state.sort = sort.replace(/^-/, "");
  for (const [key, value] of asked) {
    if (!key.startsWith("n.")) continue;
    const [low, high] = value.split("~").map(Number);
    if (Number.isFinite(low) && Number.isFinite(high)) state.ranges.set(key.slice(2), [low, high]);
  }
  return state;
};

K.query = (state) => {
  const pairs = [];
  if (state.q) pairs.push(`q=${K.quote(state.q)}`);
  if (state.layers.size) pairs.push(`layer=${[...state.layers].map(K.quote).join(",")}`);
  if (state.labels.size) pairs.push(`label=${[...state.labels].map(K.quote).join(",")}`);
  if (state.wheel.size) pairs.push(`wheel=${[...state.wheel].sort((a, b) => a - b).join(",")}`);
  for (const [key, [low, high]] of state.ranges) pairs.push(`n.${K.quote(key)}=${round(low)}~${round(high)}`);
  if (state.sort || state.down) pairs.push(`sort=${state.down ? "-" : ""}${K.quote(state.sort)}`);
  return pairs.length ? `?${pairs.join("&")}` : "";
};

const round = (value) => Number(value.toPrecision(5));

// Replaces the address without a step in the history; browsers allow a few of these a second.
K.putState = K.debounced((hash) => {
  if (location.hash === hash || K.parse(location.hash).view !== K.parse(hash).view) return;  // gone elsewhere since
  try {
    history.replaceState(null, "", hash);
  } catch {
    K.quiet = true;
    location.hash = hash;
  }
}, 200);

// Numbers that a link asks for and the first script lacks.
K.missing = (state, atlas) => [state.sort, ...state.ranges.keys()].some((key) => key && key !== "unit" && !atlas.columns.has(key));
})();
