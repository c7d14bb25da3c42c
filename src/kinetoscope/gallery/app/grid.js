"use strict";
// The units that pass, as tiles; only those near the window exist, however many there are.
(() => {
K.Grid = class {
  constructor(atlas, host) {
    this.atlas = atlas;
    this.rows = new Uint32Array(0);
    this.tiles = new Map();
    this.active = 0;
    this.field = null;
    this.pool = new Map();
    this.list = K.el("div", { class: "grid", role: "list", "aria-label": "Units" });
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.list.addEventListener("focusin", (event) => {
      const tile = event.target.closest("[data-at]");
      if (tile) this.focused(Number(tile.dataset.at));
    });
    host.append(this.list);
    this.onscroll = () => { if (!this.waiting) this.waiting = requestAnimationFrame(() => { this.waiting = 0; this.draw(); }); };
    addEventListener("scroll", this.onscroll, { passive: true });
    this.watch = new ResizeObserver(() => this.measure());
    this.watch.observe(this.list);
  }

  close() {
    removeEventListener("scroll", this.onscroll);
    this.watch.disconnect();
  }

  // Other units; tiles of those that stay are kept.
  show(rows, field) {
    const kept = field === this.field ? [...this.tiles] : [];
    this.pool = new Map(kept.map(([at, tile]) => [this.rows[at], tile]));
    this.rows = rows;
    this.field = field;
    this.active = 0;
    this.tiles.clear();
    this.measured = "";
    this.measure();
    const used = new Set(this.tiles.values());
    for (const tile of [...this.list.children]) if (!used.has(tile)) tile.remove();
    this.pool.clear();
  }

  // Everything drawn anew: other units, other cells.
  renew() {
    this.tiles.clear();
    this.list.replaceChildren();
    this.measured = "";
    this.measure();
  }

  measure() {
    const width = this.list.clientWidth;
    if (!width) return;
    const least = width < 520 ? 104 : 132, gap = 10;
    this.columns = Math.max(1, Math.floor((width + gap) / (least + gap)));
    this.side = (width - gap * (this.columns - 1)) / this.columns;
    this.pitch = this.side + gap;
    this.tall = this.side + 44 + gap;
    const layout = `${width} ${this.rows.length}`;
    if (layout !== this.measured) {
      this.measured = layout;
      this.list.style.height = `${Math.ceil(this.rows.length / this.columns) * this.tall}px`;
      for (const [at, tile] of this.tiles) this.place(tile, at);
    }
    this.draw();
  }

  place(tile, at) {
    const line = Math.floor(at / this.columns), column = at % this.columns;
    tile.style.width = `${this.side}px`;
    tile.style.transform = `translate(${(column * this.pitch).toFixed(2)}px, ${(line * this.tall).toFixed(2)}px)`;
  }

  draw() {
    if (!this.columns || !this.list.isConnected) return;
    const above = this.list.getBoundingClientRect().top, spare = 1.2 * this.tall;
    const first = Math.max(0, Math.floor((-above - spare) / this.tall)) * this.columns;
    const last = Math.min(this.rows.length, Math.ceil((innerHeight - above + spare) / this.tall) * this.columns);
    for (const [at, tile] of this.tiles) {
      if ((at < first || at >= last) && !tile.contains(document.activeElement)) {
        tile.remove();
        this.tiles.delete(at);
      }
    }
    const parts = document.createDocumentFragment();
    for (let at = first; at < last; at++) if (!this.tiles.has(at)) parts.append(this.made(at));
    this.list.append(parts);
  }

  made(at) {
    const row = this.rows[at], old = this.pool.get(row);
    if (old) {
      K.set(old, { "aria-setsize": this.rows.length, "aria-posinset": at + 1, "data-at": at });
      old.firstChild.tabIndex = at === this.active ? 0 : -1;
      this.tiles.set(at, old);
      this.place(old, at);
      return old;
    }
    const note = this.field ? K.fmt(this.atlas.value(row, this.field.key), this.field.digits, this.field.unit) : null;
    const link = K.tile(this.atlas, row, { note });
    const tile = K.el("div", { class: "cell", role: "listitem", "aria-setsize": this.rows.length, "aria-posinset": at + 1, "data-at": at }, link);
    link.tabIndex = at === this.active ? 0 : -1;
    this.tiles.set(at, tile);
    this.place(tile, at);
    return tile;
  }

  focused(at) {
    const before = this.tiles.get(this.active);
    if (before) before.firstChild.tabIndex = -1;
    this.active = at;
    this.tiles.get(at).firstChild.tabIndex = 0;
  }

  // Bring one into view and give it the keyboard.
  focus(at) {
    at = Math.max(0, Math.min(this.rows.length - 1, at));
    if (at < 0 || !this.columns) return;
    const top = this.list.getBoundingClientRect().top + Math.floor(at / this.columns) * this.tall;
    const head = document.querySelector(".top").offsetHeight + 8;
    if (top < head) scrollBy(0, top - head);
    else if (top + this.tall > innerHeight) scrollBy(0, top + this.tall - innerHeight);
    this.draw();
    const tile = this.tiles.get(at);
    if (tile) tile.firstChild.focus({ preventScroll: true });
  }

  key(event) {
    const page = Math.max(1, Math.floor(innerHeight / this.tall) - 1) * this.columns;
    const step = {
      ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns, PageDown: page, PageUp: -page,
      Home: -this.rows.length, End: this.rows.length,
    }[event.key];
    if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    if (event.key === "ArrowDown" && this.active + step >= this.rows.length && Math.floor(this.active / this.columns) === Math.floor((this.rows.length - 1) / this.columns)) return;
    if (event.key === "ArrowUp" && this.active + step < 0) return;
    this.focus(this.active + step);
  }
};
})();
