"use strict";
// Filter: cards whose choices, and whose confidence, are those of the form.
const form = document.querySelector("form.filter");

function matches(card) {
  const chosen = [...form.querySelectorAll("select")].every(
    ({ name, value }) => value === "" || card.closest(`[data-${name}]`).dataset[name] === value,
  );
  const { from, to } = form.elements;
  const confidence = Number(card.dataset.confidence);
  return chosen && !(confidence < Number(from?.value || 0) || confidence > Number(to?.value || 100));
}

function show() {
  const { from, to, shown } = form.elements;
  const narrowed = Number(from?.value || 0) > 0 || Number(to?.value || 100) < 100;
  let count = 0;
  for (const list of form.parentElement.querySelectorAll(".cards")) {
    for (const card of list.children) {
      card.hidden = !matches(card);
      count += card.hidden ? 0 : 1;
    }
  }
  for (const section of document.querySelectorAll("section.label")) {
    section.hidden = !section.querySelector(".card:not([hidden])");
    const surest = section.querySelector("details");
    if (surest && narrowed) surest.open = true; // what matches is not to be hidden in it
  }
  shown.value = `${count} ${form.dataset.noun}${count === 1 ? "" : "s"}`;
}

if (form) {
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(show));
  // A link to a label that the filter hides would lead nowhere.
  document.querySelector("main").addEventListener("click", (event) => {
    if (event.target.closest("a[href^='#label-']")) form.reset(), show();
  });
  form.hidden = false;
  show();
}

// Sorting: a click on a head sorts the rows of its table by that column.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const original = [...body.rows];

  // The first column puts the rows back as they came; what was not measured stays last.
  function sort(column, sign) {
    const value = (row) => row.cells[column].dataset.value;
    const known = original.filter((row) => value(row));
    known.sort((a, b) => sign * (value(a) - value(b)));
    return [...known, ...original.filter((row) => !value(row))];
  }

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const order = head.getAttribute("aria-sort") === "descending" ? "ascending" : "descending";
      for (const other of heads) other.removeAttribute("aria-sort");
      if (column) head.setAttribute("aria-sort", order);
      body.append(...(column ? sort(column, order === "ascending" ? 1 : -1) : original));
    });
  });
}
