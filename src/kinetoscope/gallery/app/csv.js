"use strict";
// The units that are shown as a table for spreadsheets.
(() => {
// Text that a spreadsheet would take for a formula begins with a mark that makes it text.
const cell = (value) => {
  if (typeof value === "number") return Number.isFinite(value) ? String(Number(value.toPrecision(7))) : "";
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

K.csv = (rows) => {
  const atlas = K.atlas, keys = [...atlas.fields.keys()];
  const compared = K.other ? ["other_layer", "other_unit", "other_label", "other_answer"] : [];
  const lines = [["layer", "unit", "unit_name", "label", ...keys, ...compared].map(cell).join(",")];
  for (const row of rows) {
    const values = [atlas.layer(row).name, atlas.unit[row], atlas.names[row] || "", atlas.word(row), ...keys.map((key) => atlas.value(row, key))];
    if (K.other) {
      const [first] = K.partners(row);
      values.push(...(first ? [K.other.layer(first[0]).name, K.other.unit[first[0]], K.other.word(first[0]), first[1]] : ["", "", "", ""]));
    }
    lines.push(values.map(cell).join(","));
  }
  return `${lines.join("\n")}\n`;
};

K.save = async (rows, name) => {
  await K.atlas.readRest().catch(() => {}); // without it, the first numbers
  const file = new Blob(["\ufeff", K.csv(rows)], { type: "text/csv" });
  const link = K.el("a", { href: URL.createObjectURL(file), download: `${name}.csv` });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  K.say(`${K.units(rows.length)} saved as ${name}.csv`);
};
})();
