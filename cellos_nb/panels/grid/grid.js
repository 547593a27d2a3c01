// Coloured cells as an SVG grid over a canvas: pointer and arrow keys choose one. The colours are on the canvas, since
// thousands of elements that change their paint take a page longer than all else. Text enters through textContent alone.
const LETTER = 6.6; // width of a letter of a heading, about
const LONGEST = 26; // letters of a row's name that are shown
const GAP = 2.6; // between a cell and its place
const CORNER = 4.5;

function shorten(text) {
  return text.length > LONGEST ? text.slice(0, LONGEST - 1) + "…" : text;
}

// Black or white, whichever can be read on a colour "#rrggbb".
function inkOn(colour) {
  if (!/^#[0-9a-f]{6}$/i.test(colour)) return "currentColor";
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#10202c" : "#ffffff";
}

function render({ model, el }) {
  el.classList.add("cellos-grid");
  // Otherwise JupyterLab takes Enter and the arrow keys for its own.
  el.setAttribute("data-lm-suppress-shortcuts", "true");
  let cells = new Map(); // name → its element, place, and what was last painted
  let places = new Map(); // "row,column" → name
  let shape = null; // the names and places that the grid was built of
  let grid = null;
  let canvas = null;
  let total = 0; // width of the grid in its own units
  let focused = "";
  let chosen = "";

  function shapeOf() {
    return [model.get("row_names").join("\n"), model.get("column_names").join("\n"), model.get("places")].join("\n\n");
  }

  function build() {
    shape = shapeOf();
    const [rows, columns] = [model.get("row_names"), model.get("column_names")];
    const [width, height] = model.get("cell_size");
    const longest = Math.max(1, ...rows.map((name) => shorten(name).length));
    const [left, top] = [longest * LETTER + 14, 24];
    total = left + columns.length * width + 4;
    cells = new Map();
    places = new Map();
    chosen = "";
    el.replaceChildren();
    grid = canvas = null;
    if (!rows.length || !columns.length) return;
    // Apart from the page until it is whole, so that nothing is laid out twice.
    const made = document.createDocumentFragment();
    canvas = document.createElement("canvas");
    canvas.setAttribute("aria-hidden", "true");
    const [least, most] = [`${total * model.get("least_scale")}px`, `${total * 1.4}px`];
    Object.assign(canvas.style, { minWidth: least, maxWidth: most });
    made.appendChild(canvas);
    grid = make(made, "svg", {
      viewBox: `0 0 ${total} ${top + rows.length * height + 4}`, role: "grid",
      "aria-rowcount": rows.length, "aria-colcount": columns.length,
      style: `min-width:${least}; max-width:${most}`,
    });
    const heads = make(grid, "g", { "aria-hidden": "true", class: "heads" });
    columns.forEach((name, c) => make(heads, "text", { x: left + (c + 0.5) * width, y: top - 8 }, name));
    rows.forEach((name, r) => {
      const at = { x: left - 8, y: top + (r + 0.5) * height + 4, class: "row" };
      make(make(heads, "text", at, shorten(name)), "title", {}, name);
    });
    const lines = rows.map((name, r) => make(grid, "g", { role: "row", "aria-rowindex": r + 1, "aria-label": name }));
    // One element for each cell, copied from one: a surface of 2,500 has no time for more.
    const blank = make(document.createDocumentFragment(), "rect", {
      role: "gridcell", class: "empty", tabindex: "-1", "aria-selected": "false", fill: "none",
      width: width - 2 * GAP, height: height - 2 * GAP, rx: CORNER,
    });
    for (const [name, row, column] of JSON.parse(model.get("places"))) {
      const disc = blank.cloneNode();
      const corner = [left + column * width + GAP, top + row * height + GAP];
      disc.setAttribute("x", corner[0]);
      disc.setAttribute("y", corner[1]);
      disc.setAttribute("aria-colindex", column + 1);
      disc.dataset.cell = name;
      lines[row].appendChild(disc);
      const at = [left + (column + 0.5) * width, top + (row + 0.5) * height + 4];
      cells.set(name, { disc, mark: null, title: null, at, corner, row, column, painted: ["", "", ""] });
      places.set(`${row},${column}`, name);
    }
    if (!cells.has(focused)) focused = cells.keys().next().value || "";
    cells.get(focused)?.disc.setAttribute("tabindex", "0");
    paint();
    select();
    el.appendChild(made);
    fill();
  }

  // Only what changed is written: elements and attributes are what takes time.
  function paint() {
    if (!grid) return;
    grid.setAttribute("aria-label", model.get("caption"));
    const painted = JSON.parse(model.get("paint"));
    let i = 0;
    for (const cell of cells.values()) {
      const [colour, mark, label] = painted[i++];
      const [oldColour, oldMark, oldLabel] = cell.painted;
      if (!colour !== !oldColour) cell.disc.setAttribute("class", colour ? "" : "empty");
      if (mark && !cell.mark) {
        const [x, y] = cell.at;
        cell.mark = make(cell.disc.parentNode, "text", { class: "mark", x, y, "aria-hidden": "true" });
      }
      if (cell.mark && mark !== oldMark) cell.mark.textContent = mark;
      if (cell.mark && (colour !== oldColour || mark !== oldMark)) cell.mark.setAttribute("fill", inkOn(colour));
      if (label !== oldLabel) {
        cell.disc.setAttribute("aria-label", label);
        if (cell.title) cell.title.textContent = label;
      }
      cell.painted = [colour, mark, label];
    }
  }

  // The colours, in the pixels of the screen; not while nobody can see them.
  function fill() {
    const width = canvas ? canvas.clientWidth : 0;
    if (!width) return;
    const [cellWidth, cellHeight] = model.get("cell_size");
    const scale = (width / total) * (window.devicePixelRatio || 1);
    const pen = canvas.getContext("2d");
    canvas.width = Math.round(total * scale);
    canvas.height = Math.round(grid.viewBox.baseVal.height * scale);
    pen.scale(scale, scale);
    for (const { corner, painted } of cells.values()) {
      if (!painted[0]) continue;
      pen.fillStyle = painted[0];
      pen.beginPath();
      pen.roundRect(corner[0], corner[1], cellWidth - 2 * GAP, cellHeight - 2 * GAP, CORNER);
      pen.fill();
    }
  }

  function focus(name) {
    cells.get(focused)?.disc.setAttribute("tabindex", "-1");
    focused = name;
    cells.get(name).disc.setAttribute("tabindex", "0");
  }

  function select() {
    const selected = model.get("selected");
    cells.get(chosen)?.disc.setAttribute("aria-selected", "false");
    chosen = selected;
    if (!cells.has(selected)) return;
    cells.get(selected).disc.setAttribute("aria-selected", "true");
    focus(selected);
  }

  function choose(name) {
    model.set("selected", name);
    model.save_changes();
    select();
  }

  function move(row, column) {
    const to = places.get(`${row},${column}`);
    if (to === undefined) return;
    focus(to);
    cells.get(to).disc.focus();
  }

  function onKey(event) {
    const at = event.target.closest("[data-cell]");
    if (!at) return;
    const { row, column } = cells.get(at.dataset.cell);
    const [lastRow, lastColumn] = [model.get("row_names").length - 1, model.get("column_names").length - 1];
    const jump = event.ctrlKey || event.metaKey;
    const to = {
      ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column],
      ArrowLeft: [row, column - 1],
      ArrowRight: [row, column + 1],
      Home: [jump ? 0 : row, 0],
      End: [jump ? lastRow : row, lastColumn],
      PageUp: [0, column],
      PageDown: [lastRow, column],
    }[event.key];
    if (to) move(...to);
    else if (event.key === "Enter" || event.key === " ") choose(at.dataset.cell);
    else return;
    // Otherwise the notebook takes the key: arrows would leave the cell, Enter would edit it.
    event.preventDefault();
    event.stopPropagation();
  }

  // The tooltip is made when the pointer first comes; a screen reader has the label.
  function onPointer(event) {
    const cell = cells.get(event.target.closest("[data-cell]")?.dataset.cell);
    if (cell && !cell.title) cell.title = make(cell.disc, "title", {}, cell.disc.getAttribute("aria-label"));
  }

  function onClick(event) {
    const at = event.target.closest("[data-cell]");
    if (!at) return;
    choose(at.dataset.cell);
    at.focus();
  }

  // The three lists come in one message, but one event each: draw once all have arrived.
  let isDue = false;
  function onChange() {
    if (isDue) return;
    isDue = true;
    queueMicrotask(() => {
      isDue = false;
      if (shapeOf() !== shape || !grid) build();
      else {
        paint();
        fill();
      }
    });
  }

  const sized = new ResizeObserver(fill);
  sized.observe(el);
  const drawn = ["places", "paint", "row_names", "column_names", "caption"];
  for (const name of drawn) model.on(`change:${name}`, onChange);
  model.on("change:selected", select);
  el.addEventListener("keydown", onKey);
  el.addEventListener("click", onClick);
  el.addEventListener("pointerover", onPointer);
  build();
  return () => {
    sized.disconnect();
    for (const name of drawn) model.off(`change:${name}`, onChange);
    model.off("change:selected", select);
    el.removeEventListener("keydown", onKey);
    el.removeEventListener("click", onClick);
    el.removeEventListener("pointerover", onPointer);
  };
}

export default { render };
