"use strict";
// The pictures in pages, a selection of them, labels given to it, and a CSV file of the result.
const PAGE = 200; // cards in the document at a time
const { run, names, unknown, rows } = JSON.parse(document.getElementById("data").textContent);
const section = document.getElementById("pictures");
const list = section.querySelector(".cards");
const blank = list.firstElementChild.cloneNode(true);
const [filter, correct, naming] = section.querySelectorAll("form");
const quick = naming.querySelector("span"); // buttons of the first ten labels
const pager = section.querySelector(".pager");
const [unsaved, saved] = ["unsaved", "saved"].map((id) => document.getElementById(id));
const KEY = `fmnist-classify-${run}`;

// What was done, in order: {rows, label}, where label null is "right as it is". All labels follow
// from it: undoing is to forget the last step, and after a reload all are done again.
let steps = [];
const given = new Map(); // row number → label
const selected = new Set(); // row numbers, of those shown
let shown = []; // row numbers that the filter lets through
let current = 0; // place in `shown` where the keyboard is
let anchor = 0; // place in `shown` from which Shift selects

const label = (row) => given.get(row) ?? rows[row].label;
const percent = (share) => `${(100 * share).toFixed(1)}%`;
const number = (count) => count.toLocaleString("en");
const escaped = (char) => `\\u${char.codePointAt(0).toString(16).padStart(4, "0")}`;
// A name must not turn the text around it, nor hide in it.
const visible = (text) => text.replace(/(?! )[\p{C}\p{Z}]/gu, escaped);

function mark(row) {
  if (!given.has(row)) return "none";
  return given.get(row) === rows[row].label ? "confirmed" : "corrected";
}

// Steps: done, undone, kept.
function give(text) {
  if (!selected.size) return void (correct.elements.done.value = "Select pictures first");
  steps.push({ rows: [...selected], label: text });
  selected.clear();
  replay();
}

function undo() {
  steps.pop();
  replay();
}

function replay() {
  given.clear();
  for (const step of steps) for (const row of step.rows) given.set(row, step.label ?? label(row));
  try {
    if (steps.length) localStorage.setItem(KEY, JSON.stringify(steps));
    else localStorage.removeItem(KEY);
    unsaved.hidden = true;
  } catch {
    unsaved.hidden = false; // storage is forbidden or full
  }
  saved.hidden = true; // what it says is no longer so
  update();
}

// What is to be seen: cards, counts, labels to choose from.
const first = () => current - (current % PAGE);

function draw() {
  list.replaceChildren(...shown.slice(first(), first() + PAGE).map(card));
  const last = first() + list.children.length;
  const [from, to, all] = [Math.min(first() + 1, last), last, shown.length].map(number);
  pager.querySelector("output").value = `${from} to ${to} of ${all}`;
  pager.hidden = shown.length <= PAGE;
  pager.children.back.disabled = first() === 0;
  pager.children.on.disabled = last === shown.length;
  update();
}

function card(row) {
  const { caption, path, pictures } = rows[row];
  const made = blank.cloneNode(true);
  made.role = "option";
  made.querySelector(".path").textContent = visible(caption);
  const images = pictures.map(([source, look]) => {
    const alt = visible(path) + (look === "frame" ? " as the model saw it" : "");
    return Object.assign(new Image(), { className: look, src: source, alt });
  });
  made.querySelector(".pictures").replaceChildren(...(images.length ? images : ["no preview"]));
  return made;
}

function update() {
  [...list.children].forEach((card, number) => paint(card, first() + number));
  const marks = [...given.keys()].map(mark);
  const count = (name) => `${number(marks.filter((one) => one === name).length)} ${name}`;
  const counts = [`${number(selected.size)} selected`, count("corrected"), count("confirmed")];
  correct.elements.done.value = counts.join(", ");
  correct.elements.undo.disabled = !steps.length;
  offer([...new Set([...names, ...given.values()])]);
}

function paint(card, place) {
  const row = shown[place];
  const { label: predicted, confidence, note } = rows[row];
  const state = mark(row);
  const [name, share] = card.querySelectorAll(".verdict span");
  name.textContent = visible(label(row));
  const sure = predicted === unknown ? "" : percent(confidence); // else it is of the best guess
  share.textContent = state === "corrected" ? "" : sure;
  const was = `corrected, was ${visible(predicted)} ${sure}`;
  const told = { corrected: was, confirmed: "confirmed", none: visible(note) };
  card.querySelector(".soft").textContent = told[state];
  card.dataset.mark = state;
  card.setAttribute("aria-selected", selected.has(row));
  card.tabIndex = place === current ? 0 : -1;
}

let offered = "";
function offer(labels) {
  if (JSON.stringify(labels) === offered) return;
  offered = JSON.stringify(labels);
  const { label: wanted } = filter.elements;
  const chosen = wanted.value;
  wanted.replaceChildren(wanted[0], ...labels.map((one) => new Option(visible(one), one)));
  wanted.value = labels.includes(chosen) ? chosen : "";
  document.getElementById("names").replaceChildren(...labels.map((one) => new Option("", one)));
  const ten = labels.filter((one) => one !== unknown).slice(0, 10);
  quick.replaceChildren(...ten.map((one, at) => {
    const textContent = `${(at + 1) % 10} ${visible(one)}`; // the key that gives it, and its name
    const button = { type: "button", value: one, textContent };
    return Object.assign(document.createElement("button"), button);
  }));
}

function narrow() {
  const { label: wanted, from, to, mark: state, shown: told } = filter.elements;
  const [low, high] = [(from.value || 0) / 100, (to.value || 100) / 100];
  shown = [...rows.keys()].filter((row) =>
    (wanted.value === "" || label(row) === wanted.value) &&
    (state.value === "" || mark(row) === state.value) &&
    rows[row].confidence >= low && rows[row].confidence <= high);
  selected.clear(); // what is not to be seen is not to be changed
  current = anchor = 0;
  told.value = `${number(shown.length)} picture${shown.length === 1 ? "" : "s"}`;
  draw();
}

// The selection, and where the keyboard is.
function choose(some) {
  selected.clear();
  for (const row of some) selected.add(row);
  update();
}

function select(place, range) {
  const [low, high] = range ? [anchor, place].sort((a, b) => a - b) : [place, place];
  const drop = !range && selected.has(shown[place]);
  for (const row of shown.slice(low, high + 1)) selected[drop ? "delete" : "add"](row);
  if (!range) anchor = place;
  update();
}

function go(place) {
  const before = first();
  current = Math.max(0, Math.min(place, shown.length - 1));
  if (first() === before) update();
  else draw();
  list.children[current - first()]?.focus();
}

function press(event) {
  const { key, shiftKey, altKey } = event;
  const command = event.ctrlKey || event.metaKey;
  const name = key.toLowerCase();
  if (altKey || (command && name !== "a" && name !== "z")) return;
  const top = list.children[0].offsetTop;
  const columns = [...list.children].filter((card) => card.offsetTop === top).length;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key];
  const digit = /^\d$/.test(key) ? quick.children[(Number(key) + 9) % 10] : undefined;
  const text = name === "r" ? null : digit?.value;
  const alone = !selected.size && (text !== undefined || name === "l");
  if (alone) choose([shown[current]]);
  if (step) {
    go(current + step);
    if (shiftKey) select(current, true);
    else anchor = current;
  } else if (key === " ") select(current, shiftKey);
  else if (key === "Escape") choose([]);
  else if (name === "a") choose(shown);
  else if (name === "z" ? command : name === "u") undo();
  else if (name === "l") naming.elements.label.focus();
  else if (text !== undefined) give(text), go(current + alone);
  else return;
  event.preventDefault();
}

// The file, by the rules of the command's own CSV (sinks/csv.py and sinks/base.py).
function cell(text) {
  text = text.replace(/\p{Surrogate}|\\(?=u(?:d[89a-f][0-9a-f]{2}|005c))/gu, escaped);
  if (/^[=+\-@\t\r\n'＝＋－＠]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function save() {
  const lines = ["path,label,predicted,confidence,mark"];
  const counts = { corrected: 0, confirmed: 0, none: 0, unknown: 0 };
  rows.forEach(({ path, label: predicted, confidence }, row) => {
    const state = mark(row);
    if (state === "none" && correct.elements.marked.checked) return;
    counts[label(row) === unknown ? "unknown" : state] += 1;
    if (label(row) === unknown) return; // there is nothing to learn from it
    const texts = [path, label(row), predicted].map(cell);
    lines.push([...texts, confidence, state === "none" ? "" : state].join(","));
  });
  const file = new Blob([`${lines.join("\n")}\n`], { type: "text/csv" });
  const link = document.createElement("a");
  Object.assign(link, { href: URL.createObjectURL(file), download: "corrected.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  for (const [name, count] of Object.entries({ all: lines.length - 1, ...counts })) {
    saved.querySelector(`[data-count=${name}]`).textContent = number(count);
  }
  saved.hidden = false;
}

list.addEventListener("keydown", press);
list.addEventListener("click", (event) => {
  const at = [...list.children].indexOf(event.target.closest(".card"));
  if (at < 0) return;
  select(first() + at, event.shiftKey);
  go(first() + at);
});
const [all, none, right] = [() => choose(shown), () => choose([]), () => give(null)];
const buttons = { all, none, right, undo, save };
for (const name in buttons) correct.elements[name].addEventListener("click", buttons[name]);
quick.addEventListener("click", ({ target }) => target.value && give(target.value));
naming.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = naming.elements.label.value.trim();
  naming.elements.label.value = "";
  if (text) give(text);
  go(current);
});
pager.addEventListener("click", ({ target }) => {
  if (!target.name) return;
  current = anchor = first() + (target.name === "on" ? PAGE : -PAGE);
  draw();
  section.scrollIntoView();
});
filter.addEventListener("input", narrow);
filter.addEventListener("submit", (event) => event.preventDefault());
filter.addEventListener("reset", () => setTimeout(narrow));
document.querySelectorAll("a[data-name]").forEach((link) => link.addEventListener("click", () => {
  filter.reset();
  filter.elements.label.value = names[link.dataset.name];
}));
const warn = (event) => !unsaved.hidden && steps.length && event.preventDefault();
addEventListener("beforeunload", warn);
Object.assign(list, { role: "listbox", ariaLabel: "Pictures", ariaMultiSelectable: "true" });
for (const one of section.querySelectorAll(".tools, .keys")) one.hidden = false;
narrow();
try {
  steps = JSON.parse(localStorage.getItem(KEY)) ?? [];
} catch {} // there is no storage, as `replay` will tell
replay();
