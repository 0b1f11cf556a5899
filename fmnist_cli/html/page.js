"use strict";
// Filter: cards whose choices are those of the form.
const form = document.querySelector("form.filter");

function show() {
  let count = 0;
  for (const card of form.parentElement.querySelectorAll(".cards > *")) {
    card.hidden = [...form.querySelectorAll("select")].some(
      ({ name, value }) => value !== "" && card.closest(`[data-${name}]`).dataset[name] !== value,
    );
    count += card.hidden ? 0 : 1;
  }
  form.elements.shown.value = `${count} ${form.dataset.noun}${count === 1 ? "" : "s"}`;
}

if (form) {
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(show));
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
