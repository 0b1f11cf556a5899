"use strict";
const form = document.querySelector("form");
const cards = [...document.querySelectorAll(".issues > .card")];

function show() {
  const pair = form.elements.pair.value;
  const split = form.elements.split.value;
  let count = 0;
  for (const card of cards) {
    const matches =
      (pair === "" || card.dataset.pair === pair) && (split === "" || card.dataset.split === split);
    card.hidden = !matches;
    count += matches ? 1 : 0;
  }
  form.elements.shown.value = count === 1 ? "1 image" : `${count} images`;
}

form.addEventListener("input", show);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(show));
form.hidden = false;
show();
