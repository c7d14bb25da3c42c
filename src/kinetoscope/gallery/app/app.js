"use strict";
// What is shown follows the address; keys, theme, and the view of all units.
(() => {
const main = document.getElementById("main");
K.state = K.fresh();
K.current = new Uint32Array(0);

K.failed = (error) => K.clear(main, K.el("div", { class: "empty" }, K.el("h1", { text: "Something is missing" }), K.el("p", { text: error.message })));
K.unitsHref = () => `#/units${K.query(K.state)}`;
K.go = (hash) => {
  if (location.hash === hash) route(); else location.hash = hash;
};

let view = null; // of all units, while it is shown
const scrolls = new Map(); // where each address was left

const unitsView = async (asked) => {
  const atlas = K.atlas;
  K.state = K.stateOf(asked, atlas);
  document.title = `${atlas.raw.model}: units`;
  if (K.missing(K.state, atlas)) await atlas.readRest().catch(K.failed);
  for (const key of [...K.state.ranges.keys()]) if (!atlas.columns.has(key)) K.state.ranges.delete(key);
  const search = K.el("input", { type: "search", id: "search", placeholder: "Search: conv2, up, conv1:7, a name…", "aria-label": "Search layers, units, names and motions", autocomplete: "off", spellcheck: "false" });
  search.value = K.state.q;
  const count = K.el("p", { class: "count" }), host = K.el("div", { class: "host" }), empty = K.el("div", { class: "empty", hidden: true });
  const panel = new K.Panel(atlas, K.state, (sliding) => update(sliding ? "sliding" : ""));
  const tools = K.el("div", { class: "bar" }, search, sorting(atlas), resting(), K.el("button", { type: "button", class: "button", text: "CSV", title: "Save the units shown as a table", onclick: () => K.save(K.current, "units") }));
  const side = K.el("aside", { "aria-label": "Filters" }, K.el("details", { class: "fold", open: innerWidth > 760 }, K.el("summary", {}, "Filters ", K.el("span", { class: "muted", id: "filters-on" })), panel.node));
  K.clear(main, K.el("div", { class: "browse" }, side, K.el("section", { class: "units", "aria-label": "Units" }, tools, count, notes(atlas), empty, host)));
  const grid = new K.Grid(atlas, host);
  const refresh = () => { if (panel.node.isConnected) panel.draw(K.select(atlas, K.state, panel.keys()).facets); };
  const refreshSoon = K.debounced(refresh, 100);
  // The units follow at once; the panel waits for the end of a word, until a slider is let go, or for first tiles.
  const update = (wait = "", first = false) => {
    const began = performance.now(), rows = K.passing(atlas, K.state);
    K.current = rows;
    if (!wait) refresh(); else if (wait !== "sliding") refreshSoon();
    grid.show(rows, atlas.fields.get(K.state.sort) || null);
    K.clear(count, K.el("b", { text: K.count(rows.length) }), ` of ${K.units(atlas.n)}`, K.query({ ...K.state, sort: "", down: false }) && K.el("button", { type: "button", class: "button lift", text: "Lift all filters", onclick: lift }));
    const on = ["layers", "labels", "wheel", "ranges"].filter((part) => K.state[part].size).length;
    document.getElementById("filters-on").textContent = on ? `${on} on` : "";
    empty.hidden = rows.length > 0;
    if (!rows.length) K.clear(empty, ...nothing(atlas));
    if (!first) {
      K.putState(K.unitsHref());
      if (scrollY > host.offsetTop) scrollTo(0, 0);
    }
    K.say(`${K.count(rows.length)} of ${K.units(atlas.n)}`);
    K.took = performance.now() - began;
  };
  const lift = () => {
    Object.assign(K.state, { q: "" });
    for (const part of ["layers", "labels", "wheel", "ranges"]) K.state[part].clear();
    search.value = "";
    update();
    search.focus();
  };
  search.addEventListener("input", () => { K.state.q = search.value; update("typing"); });
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "Enter") {
      event.preventDefault();
      grid.focus(0);
    } else if (event.key === "Escape" && search.value) {
      event.preventDefault();
      search.value = K.state.q = "";
      update();
    }
  });
  view = { grid, update, lift, close: () => grid.close() };
  update("opening", true);
};

const nothing = (atlas) => [
  K.el("h2", { text: atlas.n ? "No unit is like that" : "No unit is finished yet" }),
  K.el("p", { text: atlas.n ? `Nothing among ${K.units(atlas.n)} passes all filters at once.` : "Run the atlas on, then make the gallery again." }),
  atlas.n ? K.el("button", { type: "button", class: "button", text: "Lift all filters", onclick: () => view.lift() }) : null,
];

const notes = (atlas) => {
  const { count, asked, problems } = atlas.raw;
  if (count >= asked && !problems.length) return null;
  const words = [count < asked && `${K.count(count)} of ${K.units(asked)} that were asked for are finished.`, problems.length && `${K.count(problems.length)} records are damaged and left out.`].filter(Boolean).join(" ");
  return K.el("details", { class: "notes" }, K.el("summary", { text: words }), K.el("ul", {}, problems.slice(0, 100).map((problem) => K.el("li", { text: problem }))));
};

const sorting = (atlas) => {
  const menu = K.fieldChoice(atlas, K.state.sort, "as in the network", (key) => {
    const wait = key && key !== "unit" && !atlas.columns.has(key) ? atlas.readRest() : Promise.resolve();
    K.state.sort = key;
    K.state.down = Boolean(key) && key !== "unit";
    turn();
    wait.then(() => view.update()).catch(K.failed);
  });
  menu.id = "sort";
  menu.setAttribute("aria-label", "Sort by");
  const way = K.el("button", { type: "button", class: "button", onclick: () => { K.state.down = !K.state.down; turn(); view.update(); } });
  const turn = () => {
    way.textContent = K.state.down ? "↓" : "↑";
    way.setAttribute("aria-label", K.state.down ? "Largest first; turn round" : "Smallest first; turn round");
    way.title = K.state.down ? "largest first" : "smallest first";
  };
  turn();
  return K.el("span", { class: "joined" }, K.el("label", { for: "sort", text: "Sort" }), menu, way);
};

// What tiles rest on.
const resting = () => K.el("span", { class: "joined", role: "group", "aria-label": "Tiles show" }, ["film", "texture", "motion"].map((one) => K.el("button", {
  type: "button", class: "button", text: one, "aria-pressed": K.shown === one ? "true" : "false",
  onclick: (event) => {
    K.shown = one;
    for (const button of event.target.parentNode.children) button.setAttribute("aria-pressed", button === event.target ? "true" : "false");
    view.grid.renew();
  },
})));

const route = () => {
  const { view: name, parts, asked } = K.parse(location.hash);
  if (view) view.close();
  view = null;
  for (const link of document.querySelectorAll(".top nav a")) {
    const here = link.dataset.view === name || (name === "unit" && link.dataset.view === "units") || (name === "layer" && link.dataset.view === "layers");
    if (here) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
    if (link.dataset.view === "units") link.href = K.unitsHref();
    if (link.dataset.view === "compare") link.href = K.picked.size ? K.compareHref() : "#/compare";
  }
  const shows = { unit: () => K.unitView(main, parts), layer: () => K.layerView(main, parts), layers: () => K.layersView(main), compare: () => K.compareView(main, parts, asked) };
  scrollTo(0, 0);
  Promise.resolve((shows[name] || (() => unitsView(asked)))()).catch(K.failed);
  K.tray();
  const before = scrolls.get(location.hash);
  if (before) {
    scrollTo(0, before.top);
    if (view && before.at) view.grid.focus(before.at);
  } else if (name !== "units") main.focus({ preventScroll: true });
  K.here = location.hash;
};

// Left for a unit and come back to, a view stands where it was.
addEventListener("click", (event) => {
  const link = event.target.closest && event.target.closest("a[href^='#/']");
  if (link) scrolls.set(location.hash, { top: scrollY, at: view ? view.grid.active : 0 });
}, true);

const THEMES = ["auto", "light", "dark"];
const dress = (theme) => {
  document.documentElement.dataset.theme = theme;
  const button = document.getElementById("theme");
  button.textContent = { auto: "◐", light: "☀", dark: "☾" }[theme];
  button.setAttribute("aria-label", `Colours: ${theme === "auto" ? "as the system says" : theme}; change`);
};

const KEYS = [
  ["/", "search"], ["← ↑ → ↓", "move among tiles; on a unit's page, the one before or behind"], ["Enter", "open the unit"],
  ["c", "pick a unit to compare, or put it back"], ["Esc", "back to the units; in the search, empty it"], ["?", "this"],
];
const conventions = () => [
  K.el("h2", { id: "keys-title", text: "Keys and conventions" }),
  K.el("table", { class: "rows" }, K.el("tbody", {}, KEYS.map(([key, words]) => K.el("tr", {}, K.el("th", { scope: "row" }, K.el("kbd", { text: key })), K.el("td", { text: words }))))),
  K.el("p", {}, K.colourWheel(), " Directions are as seen on screen: 0° right, 90° up. Hue is direction wherever motion is coloured."),
  K.el("p", { text: "A tile rests on the middle frame of the optimal input and plays while it is pointed at or has the keyboard. A number that is not known is –." }),
  K.el("form", { method: "dialog" }, K.el("button", { class: "button", text: "Close" })),
];
const help = () => {
  const dialog = document.getElementById("keys");
  K.clear(dialog, ...conventions());
  dialog.showModal();
};

const typing = (node) => node.matches && node.matches("input:not([type=checkbox]):not([type=range]), select, textarea");

addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
  if (document.getElementById("keys").open) return;
  const { view: name } = K.parse(location.hash);
  if (event.key === "/" && !typing(event.target)) {
    event.preventDefault();
    if (name !== "units") K.go(K.unitsHref());
    setTimeout(() => { const search = document.getElementById("search"); if (search) { scrollTo(0, 0); search.focus(); search.select(); } }, name === "units" ? 0 : 60);
  } else if (typing(event.target)) {
    return;
  } else if (event.key === "c") {
    const tile = document.activeElement.closest("a.tile[data-row]") || document.querySelector(".unit [data-pick]");
    if (tile) K.pick(Number(tile.dataset.row ?? tile.dataset.pick));
  } else if (event.key === "?") help();
  else if (event.key === "Escape" && name !== "units") K.go(K.unitsHref());
  else if ((event.key === "ArrowLeft" || event.key === "ArrowRight") && (name === "unit" || name === "layer") && !event.target.closest("video, svg")) {
    const link = document.querySelector(`a[data-step="${event.key === "ArrowLeft" ? -1 : 1}"]`);
    if (link) location.hash = link.getAttribute("href");
  } else if (["ArrowDown", "ArrowRight"].includes(event.key) && view && (event.target === document.body || event.target === main)) {
    event.preventDefault();
    view.grid.focus(view.grid.active);
  }
});

const start = () => {
  if (!window.KINETOSCOPE_ATLAS) {
    K.failed(new Error("gallery/data.js cannot be read; keep the folder beside the page, or make the gallery again."));
    return;
  }
  K.atlas = new K.Atlas(window.KINETOSCOPE_ATLAS, "");
  if (window.KINETOSCOPE_OTHER) K.other = new K.Atlas(window.KINETOSCOPE_OTHER.atlas, "gallery/other/");
  dress(THEMES.includes(K.remember("theme")) ? K.remember("theme") : "auto");
  document.getElementById("theme").addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
    K.remember("theme", next);
    dress(next);
    K.say(`Colours ${next}`);
  });
  document.getElementById("help").addEventListener("click", help);
  document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
  addEventListener("hashchange", () => { if (K.quiet) { K.quiet = false; return; } if (location.hash !== K.here) route(); });
  route();
  setTimeout(() => K.atlas.text, 400); // what the first keystroke looks in
};
start();
})();
