// A table of which the page holds only the rows in sight. Text enters through textContent alone.
const ROW = 24; // height of a row in px, as in table.css
const SPARE = 30; // rows above and below those in sight
const PACE_MS = 300; // between two pieces of a file: the Jupyter server drops what comes faster than 1 MB/s

function make(parent, name, attributes = {}, text) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.appendChild(element);
  return element;
}

function render({ model, el }) {
  el.classList.add("cellos-results");
  // Otherwise JupyterLab takes letters typed into a filter for shortcuts.
  el.setAttribute("data-lm-suppress-shortcuts", "true");
  let sort = [];
  let filters = {};
  let timer = null;
  let pieces = null; // of the file under way

  el.replaceChildren();
  const bar = make(el, "div", { class: "bar" });
  const count = make(bar, "span", { class: "count", role: "status" });
  const clear = make(bar, "button", { type: "button", class: "jupyter-button" }, "Clear filters");
  const csv = make(bar, "button", { type: "button", class: "jupyter-button" }, "Download CSV");
  const parquet = make(bar, "button", { type: "button", class: "jupyter-button" }, "Download Parquet");
  const saving = make(bar, "span", { role: "status" });
  const view = make(el, "div", { class: "view", tabindex: "0", role: "region", "aria-label": "Results, scrollable" });
  const table = make(view, "table", { role: "grid" });
  const widths = make(table, "colgroup");
  const head = make(table, "thead");
  const names = make(head, "tr", { role: "row" });
  const typed = make(head, "tr", { role: "row" });
  const body = make(table, "tbody");

  function buildHead() {
    for (const part of [widths, names, typed]) part.replaceChildren();
    for (const [name, isNumber] of model.get("columns")) {
      make(widths, "col", { style: `width:${Math.max(isNumber ? 92 : 116, name.length * 7 + 34)}px` });
      const cell = make(names, "th", { scope: "col", role: "columnheader", "aria-sort": "none" });
      cell.dataset.column = name;
      const button = make(cell, "button", { type: "button", title: `Sort by ${name}` }, name);
      button.addEventListener("click", () => sortBy(name));
      const hint = isNumber ? ">0.5, 1..2" : "contains";
      const input = make(make(typed, "th"), "input", { "aria-label": `Filter ${name}`, placeholder: hint });
      input.value = filters[name] || "";
      input.dataset.column = name;
      input.addEventListener("input", () => filterBy(name, input.value));
    }
    markSort();
  }

  function markSort() {
    for (const cell of names.children) {
      const isChosen = cell.dataset.column === sort[0];
      cell.setAttribute("aria-sort", isChosen ? sort[1] : "none");
    }
  }

  function sortBy(name) {
    if (sort[0] !== name) sort = [name, "ascending"];
    else if (sort[1] === "ascending") sort = [name, "descending"];
    else sort = [];
    markSort();
    ask();
  }

  function filterBy(name, text) {
    if (text.trim()) filters[name] = text;
    else delete filters[name];
    view.scrollTop = 0;
    askSoon(150);
  }

  function ask() {
    timer = null;
    const first = Math.max(Math.floor(view.scrollTop / ROW) - SPARE, 0);
    const n = Math.ceil((view.clientHeight || 380) / ROW) + 2 * SPARE;
    model.set("asked", { first, n, sort: [...sort], filters: { ...filters } });
    model.save_changes();
  }

  // Scrolling and typing come in bursts; one question for each burst.
  function askSoon(delay) {
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(ask, delay);
  }

  function spacer(rows) {
    if (rows > 0) make(body, "tr", { "aria-hidden": "true", style: `height:${rows * ROW}px` });
  }

  function draw() {
    const answer = model.get("answer");
    if (!answer.rows) return;
    const columns = model.get("columns");
    const isAll = answer.n_matching === answer.n_all;
    const total = answer.n_all.toLocaleString("en");
    count.textContent = isAll ? `${total} rows` : `${answer.n_matching.toLocaleString("en")} of ${total} rows`;
    clear.disabled = !Object.keys(filters).length;
    table.setAttribute("aria-rowcount", answer.n_matching + 2);
    table.setAttribute("aria-colcount", columns.length);
    table.setAttribute("aria-label", model.get("caption"));
    const at = view.scrollTop;
    body.replaceChildren();
    spacer(answer.first);
    answer.rows.forEach((row, i) => {
      const line = make(body, "tr", { role: "row", "aria-rowindex": answer.first + i + 3 });
      if ((answer.first + i) % 2) line.className = "odd";
      row.forEach((text, c) => {
        const cell = make(line, "td", { role: "gridcell", title: text }, text);
        if (columns[c]?.[1]) cell.className = "number";
      });
    });
    spacer(answer.n_matching - answer.first - answer.rows.length);
    view.scrollTop = at;
  }

  function onScroll() {
    const { first, rows, n_matching: n } = model.get("answer");
    if (!rows) return;
    const top = Math.floor(view.scrollTop / ROW);
    const bottom = Math.min(top + Math.ceil(view.clientHeight / ROW), n);
    if (top < first || bottom > first + rows.length) askSoon(40);
  }

  function download(format) {
    saving.textContent = "preparing …";
    model.send({ kind: "download", format });
  }

  async function save() {
    const packed = new Blob(pieces.content).stream().pipeThrough(new DecompressionStream("gzip"));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await new Response(packed).blob());
    link.download = pieces.name;
    link.click();
    URL.revokeObjectURL(link.href);
    saving.textContent = `saved ${pieces.name}`;
    pieces = null;
  }

  function onMessage(content, buffers) {
    if (content.kind === "file") {
      pieces = { name: content.name, n: content.n_chunks, content: [] };
      model.send({ kind: "chunk", n: 0 });
    } else if (content.kind === "chunk" && pieces && content.n === pieces.content.length) {
      pieces.content.push(buffers[0]);
      saving.textContent = `${Math.round((100 * pieces.content.length) / pieces.n)} %`;
      if (pieces.content.length === pieces.n) save();
      else setTimeout(() => model.send({ kind: "chunk", n: content.n + 1 }), PACE_MS);
    } else if (content.kind === "failed") {
      saving.textContent = "";
    }
  }

  clear.addEventListener("click", () => {
    filters = {};
    for (const input of typed.querySelectorAll("input")) input.value = "";
    ask();
  });
  csv.addEventListener("click", () => download("csv"));
  parquet.addEventListener("click", () => download("parquet"));
  view.addEventListener("scroll", onScroll);
  model.on("change:columns", buildHead);
  model.on("change:answer", draw);
  model.on("msg:custom", onMessage);
  const last = model.get("asked");
  sort = last.sort ? [...last.sort] : [];
  filters = { ...(last.filters || {}) };
  buildHead();
  draw();
  return () => {
    clearTimeout(timer);
    model.off("change:columns", buildHead);
    model.off("change:answer", draw);
    model.off("msg:custom", onMessage);
  };
}

export default { render };
