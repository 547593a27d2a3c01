// A microplate as an SVG grid: pointer and arrow keys choose a well. Text enters through textContent alone.
const SVG = "http://www.w3.org/2000/svg";
const SIZE = 30; // of one well, in units of the view box

function make(parent, name, attributes = {}, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.appendChild(element);
  return element;
}

function rowName(row) {
  return row < 26 ? String.fromCharCode(65 + row) : "A" + String.fromCharCode(65 + row - 26);
}

// Black or white, whichever can be read on a colour "#rrggbb".
function inkOn(colour) {
  if (!/^#[0-9a-f]{6}$/i.test(colour)) return "currentColor";
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#10202c" : "#ffffff";
}

function render({ model, el }) {
  el.classList.add("cellos-plate");
  let cells = new Map(); // well name → {group, disc, mark, title}
  let grid = null;
  let focused = "";

  function build() {
    const rows = model.get("n_rows");
    const columns = model.get("n_columns");
    cells = new Map();
    el.replaceChildren();
    if (!rows || !columns) return;
    const box = `0 0 ${(columns + 1) * SIZE} ${(rows + 1) * SIZE}`;
    grid = make(el, "svg", {
      viewBox: box, role: "grid", "aria-rowcount": rows, "aria-colcount": columns,
      style: `max-width:${Math.min((columns + 1) * 46, 760)}px`,
    });
    const heads = make(grid, "g", { "aria-hidden": "true", class: "heads" });
    for (let c = 0; c < columns; c++) make(heads, "text", { x: (c + 1.5) * SIZE, y: SIZE * 0.62 }, String(c + 1));
    for (let r = 0; r < rows; r++) make(heads, "text", { x: SIZE * 0.55, y: (r + 1.62) * SIZE }, rowName(r));
    const lines = Array.from({ length: rows }, (_, r) => make(grid, "g", { role: "row", "aria-rowindex": r + 1 }));
    for (const [name, row, column] of model.get("wells")) {
      const group = make(lines[row], "g", {
        role: "gridcell", tabindex: "-1", "aria-colindex": column + 1, "data-well": name,
        transform: `translate(${(column + 1) * SIZE} ${(row + 1) * SIZE})`,
      });
      const title = make(group, "title");
      make(group, "rect", { class: "ring", x: 1, y: 1, width: SIZE - 2, height: SIZE - 2, rx: 8 });
      const disc = make(group, "rect", { class: "disc", x: 3.5, y: 3.5, width: SIZE - 7, height: SIZE - 7, rx: 6 });
      const mark = make(group, "text", { class: "mark", x: SIZE / 2, y: SIZE * 0.65, "aria-hidden": "true" });
      cells.set(name, { group, disc, mark, title, row, column });
    }
    if (!cells.has(focused)) focused = cells.keys().next().value || "";
    paint();
    select();
  }

  function paint() {
    if (!grid) return;
    grid.setAttribute("aria-label", model.get("caption"));
    for (const [name, , , colour, mark, label] of model.get("wells")) {
      const cell = cells.get(name);
      if (!cell) continue;
      cell.disc.setAttribute("fill", colour || "none");
      cell.disc.classList.toggle("empty", !colour);
      cell.mark.textContent = mark;
      cell.mark.setAttribute("fill", inkOn(colour));
      cell.title.textContent = label;
      cell.group.setAttribute("aria-label", label);
    }
  }

  function select() {
    const selected = model.get("selected");
    if (cells.has(selected)) focused = selected;
    for (const [name, cell] of cells) {
      cell.group.setAttribute("aria-selected", String(name === selected));
      cell.group.setAttribute("tabindex", name === focused ? "0" : "-1");
    }
  }

  function choose(name) {
    model.set("selected", name);
    model.save_changes();
    select();
  }

  function move(to) {
    const cell = cells.get(to);
    if (!cell) return;
    focused = to;
    for (const [name, other] of cells) other.group.setAttribute("tabindex", name === to ? "0" : "-1");
    cell.group.focus();
  }

  function onKey(event) {
    const at = event.target.closest("[data-well]");
    if (!at) return;
    const { row, column } = cells.get(at.dataset.well);
    const [lastRow, lastColumn] = [model.get("n_rows") - 1, model.get("n_columns") - 1];
    const jump = event.ctrlKey || event.metaKey;
    const to = {
      ArrowUp: [Math.max(row - 1, 0), column],
      ArrowDown: [Math.min(row + 1, lastRow), column],
      ArrowLeft: [row, Math.max(column - 1, 0)],
      ArrowRight: [row, Math.min(column + 1, lastColumn)],
      Home: [jump ? 0 : row, 0],
      End: [jump ? lastRow : row, lastColumn],
      PageUp: [0, column],
      PageDown: [lastRow, column],
    }[event.key];
    if (to) move(rowName(to[0]) + (to[1] + 1));
    else if (event.key === "Enter" || event.key === " ") choose(at.dataset.well);
    else return;
    // Otherwise the notebook takes the key: arrows would leave the cell, Enter would edit it.
    event.preventDefault();
    event.stopPropagation();
  }

  function onClick(event) {
    const at = event.target.closest("[data-well]");
    if (!at) return;
    choose(at.dataset.well);
    at.focus();
  }

  function onWells() {
    const names = model.get("wells").map((well) => well[0]);
    if (names.length !== cells.size || names.some((name) => !cells.has(name))) build();
    else paint();
  }

  el.addEventListener("keydown", onKey);
  el.addEventListener("click", onClick);
  model.on("change:wells", onWells);
  model.on("change:caption", paint);
  model.on("change:selected", select);
  build();
  return () => {
    model.off("change:wells", onWells);
    model.off("change:caption", paint);
    model.off("change:selected", select);
    el.removeEventListener("keydown", onKey);
    el.removeEventListener("click", onClick);
  };
}

export default { render };
