"use strict";
const form = document.querySelector("form.explorer");
if (form) {
  const rows = [...document.querySelectorAll("table.thresholds tbody tr")];
  const number = (text) => (text === "" ? NaN : Number(text.replaceAll(",", "")));
  const points = rows.map((row) => {
    const [at, hits, alarms, misses, rejected, precision, recall, accuracy] =
      [...row.cells].map((cell) => number(cell.textContent));
    return { at, hits, alarms, misses, rejected, precision, recall, accuracy };
  });
  const slider = form.querySelector("input[type=range]");
  const output = form.querySelector("output");
  const cost = (point) => point.alarms * (form.elements.alarm.valueAsNumber || 0)
    + point.misses * (form.elements.miss.valueAsNumber || 0);
  const shown = (value) => (Number.isNaN(value) ? "none"
    : value.toLocaleString("en", { maximumFractionDigits: 4 }));

  const show = () => {
    const index = slider.valueAsNumber;
    const point = points[index];
    const total = point.hits + point.alarms + point.misses + point.rejected;
    slider.setAttribute("aria-valuetext", `threshold ${point.at}`);
    output.replaceChildren(...[
      ["threshold", point.at], ["precision", point.precision], ["recall", point.recall],
      ["accuracy", point.accuracy], ["hits", point.hits], ["false alarms", point.alarms],
      ["misses", point.misses], ["rightly rejected", point.rejected], ["cost", cost(point)],
      ["cost a row", cost(point) / total],
    ].map(([name, value]) => {
      const part = document.createElement("span");
      const bold = document.createElement("b");
      bold.textContent = shown(value);
      part.append(bold, ` ${name}`);
      return part;
    }));
    rows.forEach((row, at) => row.classList.toggle("now", at === index));
  };
  const cheapest = () => points.reduce(
    (best, point, at) => (cost(point) < cost(points[best]) ? at : best), 0);

  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.querySelector("button").addEventListener("click", () => {
    slider.value = cheapest();
    show();
  });
  // The middle is where a classifier answers unless it is told otherwise.
  slider.value = points.findIndex((point) => point.at >= 0.5);
  form.hidden = false;
  show();
}
