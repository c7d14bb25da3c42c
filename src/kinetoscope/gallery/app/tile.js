"use strict";
// A unit small: one cell of its strip, which runs while a person looks at it.
(() => {
K.shown = "film"; // or texture, or motion: what a strip rests on

K.strip = (atlas, row, { rest = K.shown, size = null, eager = false } = {}) => {
  const layout = atlas.raw.layouts[atlas.layout[row]];
  const word = atlas.word(row);
  if (!layout) {
    return K.el("span", { class: "strip none" }, K.el("i", { "aria-hidden": "true" }, K.mark(word)), K.el("small", { text: "no picture kept" }));
  }
  const [frames, height, width] = layout, cells = frames + 2;
  const at = { film: frames >> 1, texture: frames, motion: frames + 1 }[rest];
  const wide = width >= height;
  const box = K.el("span", {
    class: `strip ${rest}`,
    vars: {
      "--cells": cells, "--frames": frames, "--at": at, "--ratio": `${width} / ${height}`,
      "--w": wide ? "100%" : `${(100 * width) / height}%`, ...(size ? { "--side": size } : {}),
    },
  });
  const image = K.el("img", { alt: "", decoding: "async", loading: eager ? "eager" : "lazy", draggable: "false" });
  image.addEventListener("error", () => {
    box.classList.add("none");
    K.clear(box, K.el("small", { text: "picture missing" }));
  });
  image.src = atlas.file(row, "tile.webp");
  box.append(K.el("span", { class: "window" }, image));
  return box;
};

K.tileLabel = (atlas, row) => {
  const parts = [`${atlas.id(row)}`, atlas.names[row], atlas.words(row)];
  const need = atlas.value(row, K.DEPENDENCE);
  if (Number.isFinite(need)) parts.push(`motion dependence ${K.fmt(need)}`);
  if (K.picked.has(row) && atlas === K.atlas) parts.push("picked");
  return parts.filter(Boolean).join(", ");
};

// A link with a strip, a name, the motion, and the number that units are sorted by.
K.tile = (atlas, row, { note = null, linked = true } = {}) => K.el(linked ? "a" : "div", {
  class: `tile${atlas === K.atlas && K.picked.has(row) ? " picked" : ""}`,
  href: linked ? atlas.href(row) : null, "data-row": row, "aria-label": linked ? K.tileLabel(atlas, row) : null, title: atlas.names[row] || null,
}, K.strip(atlas, row), K.el("span", { class: "under" },
  K.el("span", { class: "name" }, K.el("b", { text: atlas.names[row] || String(atlas.unit[row]) }), K.el("small", { text: atlas.names[row] ? atlas.id(row) : atlas.layer(row).name })),
  K.el("span", { class: "what" }, K.mark(atlas.word(row)), K.el("span", { text: note === null ? atlas.short(row) : note }))));
})();
