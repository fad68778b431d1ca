"use strict";
// A click on a column's title sorts by what its cells say, units and all.
const UNITS = { ns: 1e-9, "µs": 1e-6, ms: 1e-3 };
["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"].forEach((unit, power) => UNITS[unit] = 1024 ** (power + 1));
function figure(text) {
  const [, number, unit] = /^[^\d−-]*([−-]?[\d.,]+) ?(\S*)/.exec(text) ?? [];
  return number === undefined ? NaN : number.replaceAll(",", "").replace("−", "-") * (UNITS[unit] ?? 1);
}
for (const table of document.querySelectorAll("table.sorts")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((title, column) => {
    if (!title.textContent) return;
    const isFigure = title.className === "n";
    const button = document.createElement("button");
    button.textContent = title.textContent;
    title.replaceChildren(button);
    button.addEventListener("click", () => {
      const was = title.getAttribute("aria-sort") ?? (isFigure ? "ascending" : "descending");
      const direction = was === "ascending" ? -1 : 1;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      title.setAttribute("aria-sort", direction < 0 ? "descending" : "ascending");
      const said = row => row.cells[column].textContent;
      const order = isFigure
        ? (a, b) => isNaN(a) - isNaN(b) || direction * (a - b) || 0
        : (a, b) => direction * a.localeCompare(b);
      const rows = [...body.rows].map(row => [isFigure ? figure(said(row)) : said(row), row]);
      body.append(...rows.sort((a, b) => order(a[0], b[0])).map(([, row]) => row));
    });
  });
}
