/* Tables: sort by a column, show only rows that hold a word, copy or save as CSV. */
"use strict";
(() => {
  const value = (cell) => cell.dataset.value ?? cell.textContent.trim();

  const compare = (column, numeric, sign) => (a, b) => {
    const x = value(a.cells[column]), y = value(b.cells[column]);
    if (x === "" || y === "") return (x === "") - (y === "");      // nothing goes last, whichever way
    return sign * (numeric ? Number(x) - Number(y) : x.localeCompare(y, undefined, { numeric: true }));
  };

  const sort = (table, head) => {
    const column = head.cellIndex, ascending = head.getAttribute("aria-sort") !== "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows].sort(compare(column, head.classList.contains("number"), ascending ? 1 : -1));
    table.tBodies[0].append(...rows);
  };

  // A cell that a spreadsheet would read as a formula is kept text by an apostrophe, as in the files of tables/.
  const quoted = (text) => {
    const safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? "'" + text : text;
    return /[",\n]/.test(safe) ? '"' + safe.replaceAll('"', '""') + '"' : safe;
  };

  const csv = (table) => [table.tHead.rows[0], ...[...table.tBodies[0].rows].filter((row) => !row.hidden)]
    .map((row) => [...row.cells].map((cell) => quoted(value(cell))).join(",")).join("\n") + "\n";

  window.il2cyto = { save(name, text, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  } };

  for (const box of document.querySelectorAll("[data-table]")) {
    const table = box.querySelector("table");
    for (const head of table.tHead.rows[0].cells) head.querySelector("button").onclick = () => sort(table, head);
    const filter = box.querySelector("input");
    if (filter) filter.oninput = () => {
      const word = filter.value.toLowerCase();
      for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(word);
    };
    box.querySelector(".save").onclick = () => window.il2cyto.save(box.dataset.table + ".csv", csv(table), "text/csv");
    const copy = box.querySelector(".copy");
    copy.onclick = async () => {
      try { await navigator.clipboard.writeText(csv(table)); copy.textContent = "Copied"; }
      catch { copy.textContent = "Not allowed here: save it instead"; }
      setTimeout(() => { copy.textContent = "Copy as CSV"; }, 1500);
    };
  }

  const theme = document.getElementById("theme");
  theme.onclick = () => {
    const dark = document.documentElement.dataset.theme
      ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = dark ? "light" : "dark";
  };
})();
