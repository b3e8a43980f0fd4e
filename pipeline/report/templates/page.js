"use strict";
const form = document.querySelector("form.filter");
if (form) {
  const body = document.querySelector("table.overview tbody");
  const rows = [...body.rows];

  const filter = () => {
    const text = form.elements.text.value.trim().toLowerCase();
    const role = form.elements.role.value;
    const severity = form.elements.severity.value;
    let shown = 0;
    for (const row of rows) {
      const { name, severity: found } = row.dataset;
      const fits = name.toLowerCase().includes(text)
        && (!role || row.dataset.role === role)
        && (!severity || (severity === "any" ? found !== "" : found === severity));
      row.hidden = !fits;
      document.getElementById(row.dataset.for).hidden = !fits;
      shown += fits;
    }
    form.querySelector("output").textContent = `${shown} of ${rows.length} columns`;
  };
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  filter();

  const key = (row, index) => {
    const cell = row.cells[index];
    return cell.dataset.value === undefined ? cell.textContent.trim() : cell.dataset.value;
  };
  const order = (a, b, isNumber) => {
    if (a === "" || b === "") return a === b ? 0 : NaN;
    return isNumber ? a - b : a.localeCompare(b, undefined, { numeric: true });
  };
  document.querySelectorAll("table.overview thead th:not([data-plain])").forEach((head) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    const index = head.cellIndex;
    const isNumber = rows[0]?.cells[index].dataset.value !== undefined;
    button.addEventListener("click", () => {
      const was = head.getAttribute("aria-sort");
      // The largest number is what one looks for; the first name is.
      const next = was ? (was === "ascending" ? "descending" : "ascending")
        : (isNumber ? "descending" : "ascending");
      for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", next);
      const sign = next === "ascending" ? 1 : -1;
      const sorted = rows.map((row) => [key(row, index), row]).sort(([a], [b]) => {
        const found = order(a, b, isNumber);
        // What has no value is last, whatever the direction.
        return Number.isNaN(found) ? (a === "") - (b === "") : sign * found;
      });
      body.append(...sorted.map(([, row]) => row));
    });
  });
}

document.querySelectorAll("figure").forEach((figure) => {
  const chart = figure.querySelector("svg.chart");
  const output = figure.querySelector("output");
  const lines = [...figure.parentNode.querySelectorAll("table.values tbody tr")]
    .filter((line) => !["less", "more"].includes(line.cells[0].textContent));
  chart.addEventListener("pointermove", (event) => {
    const box = chart.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * chart.viewBox.baseVal.width;
    const { left, right } = chart.dataset;
    const line = lines[Math.floor((x - left) / (right - left) * lines.length)];
    output.textContent = line
      ? `${line.cells[0].textContent}: ${[...line.cells].slice(1).map((c) => c.textContent).join(" | ")}`
      : "";
  });
  chart.addEventListener("pointerleave", () => { output.textContent = ""; });
});

// A link to a column that is filtered out must still lead there.
addEventListener("hashchange", () => {
  const target = document.getElementById(location.hash.slice(1));
  if (target?.hidden && form) {
    form.reset();
    form.dispatchEvent(new Event("input"));
    target.scrollIntoView();
  }
});
