"use strict";
const form = document.querySelector("form");
const sections = [...document.querySelectorAll("section.label")];

function show() {
  const label = form.elements.label.value;
  const from = Number(form.elements.from.value || 0);
  const to = Number(form.elements.to.value || 100);
  const narrowed = from > 0 || to < 100;
  let count = 0;
  for (const section of sections) {
    let here = 0;
    for (const card of section.querySelectorAll(".card")) {
      const confidence = Number(card.dataset.confidence);
      card.hidden = confidence < from || confidence > to;
      here += card.hidden ? 0 : 1;
    }
    section.hidden = (label !== "" && section.id !== label) || here === 0;
    count += section.hidden ? 0 : here;
    const surest = section.querySelector("details");
    if (surest && narrowed) surest.open = true; // what matches is not to be hidden in it
  }
  form.elements.shown.value = count === 1 ? "1 picture" : `${count} pictures`;
}

form.addEventListener("input", show);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(show));
// A link to a label that the filter hides would lead nowhere.
document.querySelector("main").addEventListener("click", (event) => {
  if (event.target.closest("a[href^='#label-']")) form.reset(), show();
});
form.hidden = false;
show();
