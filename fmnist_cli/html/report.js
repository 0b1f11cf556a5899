"use strict";
(() => {
  const NARROW = 600;
  const SMALL = 420; // buttons would cover the chart
  const CONFIG = {
    displaylogo: false,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
  };
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const percent = (share) => `${(100 * share).toFixed(1)}\u00a0%`;

  // Charts: colours are names from the style sheet, so that they follow light and dark.
  function coloured(value, style) {
    if (typeof value === "string") {
      return value.startsWith("$") ? style.getPropertyValue(`--${value.slice(1)}`).trim() : value;
    }
    if (Array.isArray(value)) {
      return typeof value[0] === "number" ? value : value.map((one) => coloured(one, style));
    }
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, coloured(one, style)]));
    }
    return value;
  }

  function merged(low, high) {
    const both = { ...low };
    for (const [key, value] of Object.entries(high ?? {})) {
      const inner = value !== null && typeof value === "object" && !Array.isArray(value);
      both[key] = inner ? merged(low[key] ?? {}, value) : value;
    }
    return both;
  }

  function base(narrow) {
    const axis = {
      color: "$soft", gridcolor: "$line", linecolor: "$line", zeroline: false, automargin: true,
      tickfont: { color: "$ink" }, title: { font: { color: "$ink", size: 13 }, standoff: 8 },
    };
    const font = { color: "$ink", size: 13, family: getComputedStyle(document.body).fontFamily };
    return {
      font,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 60, r: 15, t: 34, b: 50 }, // at the top, room for the buttons
      xaxis: axis,
      yaxis: axis,
      legend: { font, bgcolor: "rgba(0,0,0,0)" },
      hoverlabel: { bgcolor: "$card", bordercolor: "$soft", font },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: "$soft", activecolor: "$ink" },
      dragmode: narrow ? false : "zoom", // so that a finger scrolls the page
    };
  }

  // Labels beside points: the first of the places around each that hits nothing.
  function labels(plot, points, lines) {
    const { xaxis, yaxis } = plot._fullLayout;
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const spots = points.map((one) => ({
      text: one.name, x: xaxis.d2p(one.x[0]), y: yaxis.d2p(one.y[0]), width: pen.measureText(one.name).width + 6,
    }));
    const boxes = spots.map(({ x, y }) => ({ left: x - 8, right: x + 8, top: y - 8, bottom: y + 8 }));
    for (const { x, y } of lines) {
      for (let at = 1; at < x.length; at++) {
        const [from, to] = [at - 1, at].map((end) => [xaxis.d2p(x[end]), yaxis.d2p(y[end])]);
        const steps = Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) / 4);
        for (let step = 0; step <= steps; step++) {
          const [left, top] = [0, 1].map((axis) => from[axis] + ((to[axis] - from[axis]) * step) / steps);
          boxes.push({ left, right: left + 1, top, bottom: top + 1 });
        }
      }
    }
    const hit = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
    const written = [];
    // Neither the label nor the line that leads to it may cover anything.
    const clear = (spot, one) =>
      !boxes.some((box) => hit(one, box)) &&
      [0.2, 0.4, 0.6, 0.8].every((part) => {
        const [x, y] = [spot.x + part * (one.x - spot.x), spot.y + part * (one.y - spot.y)];
        return !written.some((box) => hit({ left: x - 1, right: x + 1, top: y - 1, bottom: y + 1 }, box));
      });
    return spots.map((spot, at) => {
      const [w, h] = [spot.width / 2, 8];
      const near = [[w + 11, 0], [-w - 11, 0], [0, -18], [0, 18]];
      const far = [];
      for (let x = w; x <= xaxis._length - w; x += 9) {
        for (let y = h; y <= yaxis._length - h; y += 9) far.push([x - spot.x, y - spot.y]);
      }
      // Labels are wide: a step up or down leads further away from the point than one aside.
      const distance = ([x, y]) => Math.hypot(Math.max(Math.abs(x) - w, 0), y);
      const places = [...near, ...far.sort((a, b) => distance(a) - distance(b))].map(([right, down]) => {
        const [x, y] = [spot.x + right, spot.y + down];
        return { x, y, left: x - w, right: x + w, top: y - h, bottom: y + h };
      });
      const inside = places.filter((one) =>
        one.left >= 0 && one.right <= xaxis._length && one.top >= 0 && one.bottom <= yaxis._length);
      const chosen = inside.find((one) => clear(spot, one)) ?? inside[0] ?? places[0];
      boxes.push(chosen);
      written.push(chosen);
      for (const part of [0.2, 0.4, 0.6, 0.8]) {
        const [x, y] = [spot.x + part * (chosen.x - spot.x), spot.y + part * (chosen.y - spot.y)];
        boxes.push({ left: x, right: x + 1, top: y, bottom: y + 1 });
      }
      const gap = [Math.abs(chosen.x - spot.x) - w, Math.abs(chosen.y - spot.y) - h];
      const away = Math.hypot(...gap.map((one) => Math.max(one, 0))) > 13;
      return {
        text: spot.text, xref: "x", yref: "y", axref: "pixel", ayref: "pixel",
        x: Math.log10(points[at].x[0]), y: points[at].y[0],
        ax: chosen.x - spot.x, ay: chosen.y - spot.y,
        showarrow: true, arrowhead: 0, standoff: 7, arrowwidth: 1,
        arrowcolor: away ? "$soft" : "rgba(0,0,0,0)", font: { size: 12, color: "$ink" }, borderpad: 1,
      };
    });
  }

  const drawn = new Map(); // plot → its width when it was drawn

  async function draw(figure) {
    const plot = figure.querySelector(".plot");
    const spec = read(figure.id.replace("chart-", "spec-"));
    const width = plot.clientWidth;
    drawn.set(plot, width);
    const style = getComputedStyle(document.documentElement);
    const narrow = width < NARROW;
    const layout = merged(merged(base(narrow), spec.layout), narrow ? spec.narrow : {});
    Object.assign(layout, { width, height: plot.clientHeight });
    const config = { ...CONFIG, displayModeBar: width < SMALL ? false : "hover" };
    await Plotly.react(plot, coloured(spec.data, style), coloured(layout, style), config);
    if (spec.layout.meta?.labels) {
      const points = spec.data.filter((one) => one.mode === "markers");
      const lines = spec.data.filter((one) => one.mode === "lines");
      await Plotly.relayout(plot, { annotations: coloured(labels(plot, points, lines), style) });
    }
    if (figure.id === "chart-map") watch(plot);
    figure.dataset.drawn = "";
  }

  const figures = [...document.querySelectorAll("figure.chart")];
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (isIntersecting) {
          observer.unobserve(target);
          draw(target);
        }
      }
    },
    { rootMargin: "400px" },
  );
  figures.forEach((one) => observer.observe(one));
  const redraw = () => [...drawn.keys()].forEach((plot) => draw(plot.closest("figure")));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  // Colours are those of the screen again only once the browser has left the paper.
  matchMedia("screen").addEventListener("change", ({ matches }) => matches && redraw());
  let waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      if ([...drawn].some(([plot, width]) => plot.clientWidth !== width)) redraw();
    }, 150);
  });
  const root = document.documentElement;
  addEventListener("beforeprint", () => {
    root.classList.add("printing");
    figures.forEach(draw);
  });
  addEventListener("afterprint", () => {
    root.classList.remove("printing");
    redraw();
  });

  // Pictures: cut from sheets.
  async function paint(canvas, sheet, number, { side, columns }) {
    await sheet.decode();
    const x = side * (number % columns);
    const y = side * Math.floor(number / columns);
    canvas.getContext("2d").drawImage(sheet, x, y, side, side, 0, 0, side, side);
  }

  // The map: pointing, tapping or the slider shows a picture.
  const loupe = document.getElementById("loupe");
  function watch(plot) {
    if (loupe === null || loupe.dataset.watching === "") return;
    loupe.dataset.watching = "";
    const points = read("map-points");
    const sheet = document.getElementById("sheet-map");
    const canvas = loupe.querySelector("canvas");
    const slider = loupe.querySelector("input");
    const output = loupe.querySelector("output");
    const at = new Map(points.order.map((number, place) => [number, place + 1]));
    function show(number) {
      const words = `${points.classes[points.class_id[number]]}, ${points.split} ${points.index[number]}`;
      paint(canvas, sheet, number, points);
      canvas.setAttribute("aria-label", words);
      canvas.dataset.number = number;
      output.value = words;
      slider.value = at.get(number);
      slider.setAttribute("aria-valuetext", words);
    }
    function mark(number) {
      const style = getComputedStyle(document.documentElement);
      const ring = {
        type: "circle", xsizemode: "pixel", ysizemode: "pixel", xanchor: points.x[number], yanchor: points.y[number],
        x0: -9, x1: 9, y0: -9, y1: 9, line: { color: style.getPropertyValue("--ink"), width: 2.5 },
      };
      Plotly.relayout(plot, { shapes: [ring] });
    }
    for (const event of ["plotly_hover", "plotly_click"]) {
      plot.on(event, ({ points: [point] }) => show(point.customdata));
    }
    show(points.order[0]);
    slider.addEventListener("input", () => {
      const number = points.order[slider.value - 1];
      show(number);
      mark(number);
    });
  }

  // Models: one at a time, the same everywhere.
  const pickers = [...document.querySelectorAll(".picker")];
  function choose(model) {
    for (const picker of pickers) picker.elements.model.value = model;
    for (const article of document.querySelectorAll("article.model")) article.hidden = article.dataset.model !== model;
  }
  for (const picker of pickers) {
    picker.hidden = false;
    picker.addEventListener("submit", (event) => event.preventDefault());
    picker.elements.model.addEventListener("input", (event) => choose(event.target.value));
  }
  if (pickers.length) choose(pickers[0].elements.model.value);

  // Confusion matrices: a cell shows its pictures.
  function reveal(button, known) {
    const article = button.closest("article");
    const list = article.querySelector(".wrong ul");
    const output = article.querySelector(".wrong output");
    const open = button.getAttribute("aria-expanded") === "true";
    for (const other of article.querySelectorAll("button")) other.setAttribute("aria-expanded", "false");
    list.replaceChildren();
    output.value = "";
    if (open) return;
    button.setAttribute("aria-expanded", "true");
    const [label, said] = [Number(button.dataset.true), Number(button.dataset.predicted)];
    const found = known.models[article.dataset.model].filter((one) => one[1] === label && one[2] === said);
    const names = `labelled ${known.classes[label]}, predicted ${known.classes[said]}`;
    output.value = `${found.length.toLocaleString("en")} ${names}, the most confident first`;
    const sheet = document.getElementById("sheet-mistakes");
    for (const [tile, , , confidence] of found) {
      const item = document.createElement("li");
      const canvas = document.createElement("canvas");
      const words = document.createElement("span");
      const place = document.createElement("span");
      canvas.width = canvas.height = known.side;
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${known.split} image ${known.places[tile]}, ${names}`);
      place.textContent = `${known.split} ${known.places[tile]}`;
      place.className = "soft";
      words.append(percent(confidence / known.full), document.createElement("br"), place);
      item.append(canvas, words);
      list.append(item);
      paint(canvas, sheet, tile, known);
    }
  }

  const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  function beside(matrix, button, [down, right], count) {
    let row = Number(button.dataset.true) + down;
    let column = Number(button.dataset.predicted) + right;
    for (; row >= 0 && row < count && column >= 0 && column < count; row += down, column += right) {
      const found = matrix.querySelector(`[data-true="${row}"][data-predicted="${column}"]`);
      if (found !== null) return found;
    }
    return null;
  }

  if (document.getElementById("mistakes") !== null) {
    const known = read("mistakes");
    for (const matrix of document.querySelectorAll(".confusion")) {
      const buttons = [...matrix.querySelectorAll("button")];
      // One stop of the tabulator; arrow keys go on from there.
      buttons.forEach((button, at) => {
        button.tabIndex = at === 0 ? 0 : -1;
        button.setAttribute("aria-expanded", "false");
      });
      matrix.addEventListener("focusin", ({ target }) => {
        buttons.forEach((button) => (button.tabIndex = button === target ? 0 : -1));
      });
      matrix.addEventListener("click", ({ target }) => {
        if (target instanceof HTMLButtonElement) reveal(target, known);
      });
      matrix.addEventListener("keydown", (event) => {
        if (!(event.key in STEPS) || !(event.target instanceof HTMLButtonElement)) return;
        event.preventDefault();
        beside(matrix, event.target, STEPS[event.key], known.classes.length)?.focus();
      });
    }
  }
})();
