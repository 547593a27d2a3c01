// Lines, areas, strokes and dots as one SVG path for each mark, drawn anew in the next frame after a change: the newest state
// alone, and nothing at all while nobody can see it. Text enters through textContent alone.
const MARGIN = { top: 8, right: 16, bottom: 46 };
const REACH = 16; // px between the pointer and a dot that still answers

// A message's bytes may begin anywhere; numbers may not.
function numbersIn(view) {
  return new Float64Array(new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice().buffer);
}

// Of half the height `y`; its tip lies there, twice as far from the middle as its base.
const triangle = (y) => [`m0 ${2 * y}`, `l${1.732 * y} ${-3 * y}h${-3.464 * y}z`];

const OUTLINES = {
  circle: (area) => {
    const r = Math.sqrt(area / Math.PI);
    const half = `a${r} ${r} 0 1 0 `;
    return [`m${-r} 0`, `${half}${2 * r} 0${half}${-2 * r} 0z`];
  },
  square: (area) => {
    const side = Math.sqrt(area);
    return [`m${-side / 2} ${-side / 2}`, `h${side}v${side}h${-side}z`];
  },
  "triangle-up": (area) => triangle(-Math.sqrt(area / 5.196)),
  "triangle-down": (area) => triangle(Math.sqrt(area / 5.196)),
  cross: (area) => {
    const a = Math.sqrt(area / 5);
    const arm = (x, y) => `h${x * a}v${y * a}`;
    return [`m${-a / 2} ${-1.5 * a}`, `${arm(1, 1)}${arm(1, 1)}${arm(-1, 1)}h${-a}v${-a}h${-a}v${-a}h${a}z`];
  },
  diamond: (area) => {
    const [w, h] = [Math.sqrt(area / 3.4), Math.sqrt(area / 1.2)];
    return [`m0 ${-h / 1.2}`, `l${w} ${h / 1.2}l${-w} ${h / 1.2}l${-w} ${-h / 1.2}z`];
  },
};

const at = (value) => Math.round(value * 10) / 10;

const PATHS = {
  line(look, x, y, [xs, ys]) {
    let [path, isOpen] = ["", false];
    for (let i = 0; i < look.n; i++) {
      const [px, py] = [at(x(xs[i])), at(y(ys[i]))];
      if (Number.isNaN(px) || Number.isNaN(py)) isOpen = false;
      else if (!isOpen) [path, isOpen] = [`${path}M${px} ${py}`, true];
      else path += look.is_step ? `H${px}V${py}` : `L${px} ${py}`;
    }
    return path;
  },
  area(look, x, y, [xs, ys]) {
    let [path, isOpen] = ["", false];
    for (let i = 0; i < look.n; i++) {
      const [px, py] = [at(x(xs[i])), at(y(ys[i]))];
      const isGap = Number.isNaN(px) || Number.isNaN(py);
      if (isGap && isOpen) path += "z";
      else if (!isGap) path += `${isOpen ? "L" : "M"}${px} ${py}`;
      isOpen = !isGap;
    }
    return isOpen ? `${path}z` : path;
  },
  strokes(look, x, y, [xs, lows, highs]) {
    let path = "";
    for (let i = 0; i < look.n; i++) {
      const [px, low, high] = [at(x(xs[i])), at(y(lows[i])), at(y(highs[i]))];
      if (!Number.isNaN(px + low + high)) path += `M${px} ${low}V${high}`;
    }
    return path;
  },
  dots(look, x, y, [xs, ys]) {
    const [start, outline] = OUTLINES[look.shape](look.area);
    let path = "";
    for (let i = 0; i < look.n; i++) {
      const [px, py] = [at(x(xs[i])), at(y(ys[i]))];
      if (!Number.isNaN(px + py)) path += `M${px} ${py}${start}${outline}`;
    }
    return path;
  },
};
const N_ROWS = { line: 2, area: 2, strokes: 3, dots: 2 };

function render({ model, el }) {
  el.classList.add("cellos-chart");
  el.style.height = `${model.get("height")}px`;
  el.replaceChildren();
  const svg = make(el, "svg", { role: "group", "aria-roledescription": "chart", tabindex: "0" });
  // Otherwise JupyterLab takes the arrow keys for its own.
  el.setAttribute("data-lm-suppress-shortcuts", "true");
  const frame = make(svg, "g", { "aria-hidden": "true" });
  const id = `cellos-${crypto.randomUUID()}`;
  const inside = make(make(svg, "clipPath", { id }), "rect");
  const drawn = make(svg, "g", { "aria-hidden": "true", "clip-path": `url(#${id})` });
  const ring = make(svg, "path", { class: "ring", "aria-hidden": "true" });
  const told = document.createElement("div");
  told.className = "told";
  told.setAttribute("role", "status");
  el.appendChild(told);

  let width = 0;
  let framed = ""; // what the axes were drawn of
  let parts = []; // the path of each mark, and its look
  let spots = null; // dots with names, as [x, y, name, place] in px, made when they are first asked for
  let walked = -1; // the spot that the arrow keys are at
  let due = 0;

  function scales() {
    const height = model.get("height");
    const between = ({ low, high }, first, last) => (value) => first + ((value - low) / (high - low)) * (last - first);
    const x = between(model.get("across"), model.get("up").room, width - MARGIN.right);
    return [x, between(model.get("up"), height - MARGIN.bottom, MARGIN.top)];
  }

  function drawFrame(x, y) {
    const [across, up, height] = [model.get("across"), model.get("up"), model.get("height")];
    const asked = JSON.stringify([across, up, width, height]);
    if (asked === framed) return;
    framed = asked;
    frame.replaceChildren();
    const [left, right, top, bottom] = [up.room, width - MARGIN.right, MARGIN.top, height - MARGIN.bottom];
    // A little wider, so that dots and lines at an end are whole.
    for (const [name, value] of Object.entries({ x: left - 4, y: top - 4, width: right - left + 8, height: bottom - top + 8 }))
      inside.setAttribute(name, value);
    let [grid, marks] = ["", `M${left} ${top}V${bottom}H${right}`];
    const ticks = make(frame, "g", { class: "tick" });
    for (const [value, text] of across.ticks) {
      const px = at(x(value));
      if (across.has_grid) grid += `M${px} ${top}V${bottom}`;
      marks += `M${px} ${bottom}v5`;
      make(ticks, "text", { x: px, y: bottom + 18, "text-anchor": "middle" }, text);
    }
    for (const [value, text] of up.ticks) {
      const py = at(y(value));
      if (up.has_grid) grid += `M${left} ${py}H${right}`;
      marks += `M${left} ${py}h-5`;
      make(ticks, "text", { x: left - 9, y: py + 4, "text-anchor": "end" }, text);
    }
    make(frame, "path", { class: "grid", d: grid });
    make(frame, "path", { class: "axis", d: marks });
    const middle = (top + bottom) / 2;
    make(frame, "text", { x: (left + right) / 2, y: height - 8, "text-anchor": "middle" }, across.label);
    make(frame, "text", { x: 16, y: middle, transform: `rotate(-90 16 ${middle})`, "text-anchor": "middle" }, up.label);
  }

  function pathOf(look, i) {
    const { kind, colour, width, opacity, rim, is_dashed } = look;
    const text = JSON.stringify([kind, colour, width, opacity, rim, is_dashed]);
    if (parts[i]?.text === text) return parts[i].path;
    const isFilled = kind === "dots" || kind === "area";
    const path = make(drawn, "path", {
      class: kind, fill: isFilled ? colour : "none", stroke: isFilled ? rim || "none" : colour,
      "stroke-width": width ?? 1.5, opacity: opacity ?? 1, ...(is_dashed && { "stroke-dasharray": "6 4" }),
    });
    if (parts[i]) parts[i].path.replaceWith(path);
    parts[i] = { text, path };
    return path;
  }

  function eachMark(visit) {
    const numbers = numbersIn(model.get("numbers"));
    let [first, firstName] = [0, 0];
    for (const [i, look] of model.get("marks").entries()) {
      const rows = Array.from({ length: N_ROWS[look.kind] }, (_, k) =>
        numbers.subarray(first + k * look.n, first + (k + 1) * look.n));
      visit(look, rows, firstName, i);
      first += look.n * rows.length;
      firstName += look.n_names ?? 0;
    }
  }

  function draw() {
    due = 0;
    if (!width) return;
    el.style.height = `${model.get("height")}px`;
    const [x, y] = scales();
    svg.setAttribute("aria-label", model.get("caption"));
    drawFrame(x, y);
    eachMark((look, rows, _, i) => pathOf(look, i).setAttribute("d", PATHS[look.kind](look, x, y, rows)));
    for (const { path } of parts.splice(model.get("marks").length)) path.remove();
    spots = null;
    tell(null);
  }

  function onChange() {
    due ||= requestAnimationFrame(draw);
  }

  // In the order in which the arrow keys walk: from left to right.
  function allSpots() {
    if (spots) return spots;
    const [x, y] = scales();
    const names = JSON.parse(model.get("names"));
    spots = [];
    eachMark((look, [xs, ys], firstName) => {
      for (let k = 0; k < (look.n_names ?? 0); k++) {
        const spot = [x(xs[k]), y(ys[k]), names[firstName + k], firstName + k];
        if (!Number.isNaN(spot[0] + spot[1])) spots.push(spot);
      }
    });
    spots.sort((a, b) => a[0] - b[0]);
    walked = -1;
    return spots;
  }

  function tell(spot) {
    const name = spot ? spot[2] : "";
    if (told.textContent !== name) told.textContent = name;
    ring.setAttribute("d", spot ? `M${spot[0] - 7} ${spot[1]}a7 7 0 1 0 14 0a7 7 0 1 0 -14 0z` : "");
    if (!spot) return;
    const isRight = spot[0] > width / 2;
    told.style.left = isRight ? "" : `${spot[0] + 12}px`;
    told.style.right = isRight ? `${width - spot[0] + 12}px` : "";
    told.style.top = `${Math.max(spot[1] - 12, 0)}px`;
  }

  function spotUnder(event) {
    const box = svg.getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    let [nearest, least] = [null, REACH * REACH];
    for (const spot of allSpots()) {
      const distance = (spot[0] - px) ** 2 + (spot[1] - py) ** 2;
      if (distance <= least) [nearest, least] = [spot, distance];
    }
    return nearest;
  }

  function pick(spot) {
    if (spot && model.get("can_pick")) model.send({ picked: spot[3] });
  }

  const onPointer = (event) => tell(spotUnder(event));
  const onClick = (event) => pick(spotUnder(event));

  function onKey(event) {
    const all = allSpots();
    const last = all.length - 1;
    if (event.key === "Enter" && model.get("can_pick")) {
      pick(all[walked]);
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    const to = {
      ArrowRight: Math.min(walked + 1, last),
      ArrowLeft: walked < 0 ? last : Math.max(walked - 1, 0),
      Home: 0,
      End: last,
      Escape: -1,
    }[event.key];
    if (to === undefined) return;
    walked = to;
    tell(all[to] ?? null);
    // Otherwise the notebook takes the key.
    event.preventDefault();
    event.stopPropagation();
  }

  const hide = () => tell(null);
  const seen = new ResizeObserver(([entry]) => {
    width = Math.round(entry.contentRect.width);
    onChange();
  });
  seen.observe(el);
  const followed = ["marks", "numbers", "across", "up", "caption", "names", "height"];
  for (const name of followed) model.on(`change:${name}`, onChange);
  svg.addEventListener("pointermove", onPointer);
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("click", onClick);
  svg.addEventListener("keydown", onKey);
  svg.addEventListener("blur", hide);
  return () => {
    seen.disconnect();
    cancelAnimationFrame(due);
    for (const name of followed) model.off(`change:${name}`, onChange);
  };
}

export default { render };
