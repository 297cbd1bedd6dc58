// Diagrams as SVG, from what `fastnn.course.play.records.panel` describes.

const SPACE = "http://www.w3.org/2000/svg";
const COLORS = ["--zero", "--one", "--two", "--c4", "--soft"];
const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [440, 300, 56, 12, 26, 44];

const color = (index) => `var(${COLORS[index % COLORS.length]})`;

function make(parent, tag, attributes = {}, text = "") {
  const element = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  parent.append(element);
  return element;
}

export function drawPanels(element, panels) {
  element.replaceChildren(...panels.map(drawPanel));
}

function drawPanel(panel) {
  const svg = document.createElementNS(SPACE, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", [panel.title, panel.y, panel.x].filter(Boolean).join(", "));
  const kinds = panel.marks.map((mark) => mark.kind);
  if (panel.title) label(svg, WIDTH / 2, 17, panel.title);
  if (kinds.includes("image")) {
    drawImage(svg, panel.marks[0].rows);
    return svg;
  }
  const scale = kinds.includes("bars") ? scaleOfBars(panel) : scaleOf(panel);
  const field = panel.marks.find((mark) => mark.kind === "field");
  if (field) drawField(svg, field, scale);
  drawAxes(svg, panel, scale);
  for (const mark of panel.marks) {
    if (mark.kind === "line") drawLine(svg, mark, scale);
    if (mark.kind === "points") drawPoints(svg, mark, scale);
    if (mark.kind === "bars") drawBars(svg, mark, scale);
  }
  drawLegend(svg, panel.marks.filter((mark) => mark.name));
  return svg;
}

const label = (svg, x, y, text, attributes = {}) =>
  make(svg, "text", { x, y, "text-anchor": "middle", "font-size": 13, fill: "currentColor", ...attributes }, text);

// From values to pixels; null for what a logarithm does not have.
function scaleOf(panel, bars = null) {
  const marks = panel.marks.filter((mark) => mark.x && mark.kind !== "field");
  const values = (name) => marks.flatMap((mark) => mark[name]).filter((v) => v !== null && !(panel.log && name === "y" && v <= 0));
  const [x0, x1] = panel.xlim ?? span(values("x"), 0);
  const ys = bars ?? values("y");
  const [y0, y1] = panel.ylim ?? (panel.log ? logSpan(ys) : span(ys, 0.06));
  const up = panel.log ? Math.log10 : (v) => v;
  const [low, high] = [up(y0), up(y1)];
  return {
    x0, x1, y0, y1, log: panel.log,
    x: (v) => LEFT + ((v - x0) / (x1 - x0)) * (WIDTH - LEFT - RIGHT),
    y: (v) => (v === null || (panel.log && v <= 0) ? null : HEIGHT - BOTTOM - ((up(v) - low) / (high - low)) * (HEIGHT - TOP - BOTTOM)),
  };
}

function span(values, margin) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (high - low) * margin || (high === low ? 1 : 0);
  return [low - room, high + room];
}

function logSpan(values) {
  const positive = values.filter((v) => v > 0);
  if (!positive.length) return [0.1, 1];
  return [10 ** Math.floor(Math.log10(Math.min(...positive))), 10 ** Math.ceil(Math.log10(Math.max(...positive)) + 1e-9)];
}

function scaleOfBars(panel) {
  const values = panel.marks[0].y.filter((v) => v !== null && (!panel.log || v > 0));
  const scale = scaleOf({ ...panel, xlim: [0, panel.marks[0].labels.length] }, panel.log ? values : [0, ...values]);
  return { ...scale, bars: true };
}

// Round numbers, about five of them.
function ticks(low, high) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= rough);
  const found = [];
  for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-6; v += step) found.push(Math.abs(v) < step * 1e-6 ? 0 : v);
  return found;
}

function logTicks(low, high) {
  const [from, to] = [Math.log10(low), Math.log10(high)];
  const step = Math.max(1, Math.ceil((to - from) / 6));
  const found = [];
  for (let power = Math.ceil(from); power <= to + 1e-9; power += step) found.push(10 ** power);
  return found;
}

const shown = (v) => (v !== 0 && (Math.abs(v) < 1e-3 || Math.abs(v) >= 1e5) ? v.toExponential(0) : String(Number(v.toPrecision(6))));

function drawAxes(svg, panel, scale) {
  const [right, bottom] = [WIDTH - RIGHT, HEIGHT - BOTTOM];
  for (const v of scale.log ? logTicks(scale.y0, scale.y1) : ticks(scale.y0, scale.y1)) {
    make(svg, "line", { x1: LEFT, x2: right, y1: scale.y(v), y2: scale.y(v), stroke: "var(--line)" });
    label(svg, LEFT - 6, scale.y(v) + 4, shown(v), { "text-anchor": "end", "font-size": 12, fill: "var(--soft)" });
  }
  if (!scale.bars) {
    for (const v of ticks(scale.x0, scale.x1)) {
      make(svg, "line", { x1: scale.x(v), x2: scale.x(v), y1: bottom, y2: bottom + 4, stroke: "var(--soft)" });
      label(svg, scale.x(v), bottom + 17, shown(v), { "font-size": 12, fill: "var(--soft)" });
    }
  }
  make(svg, "rect", { x: LEFT, y: TOP, width: right - LEFT, height: bottom - TOP, fill: "none", stroke: "var(--soft)" });
  label(svg, (LEFT + right) / 2, HEIGHT - 8, panel.x);
  const at = [13, (TOP + bottom) / 2];
  label(svg, ...at, panel.y, { transform: `rotate(-90 ${at.join(" ")})` });
}

const clip = (v) => Math.min(Math.max(v, -3000), 3000);

function drawLine(svg, mark, scale) {
  const places = mark.x.map((x, i) => [scale.x(x), scale.y(mark.y[i])]).filter(([, y]) => y !== null);
  const stroke = color(mark.color);
  const clipped = nested(svg);
  make(clipped, "polyline", {
    points: places.map(([x, y]) => `${(clip(x) - LEFT).toFixed(1)},${(clip(y) - TOP).toFixed(1)}`).join(" "),
    fill: "none", stroke, "stroke-width": 2, "stroke-linejoin": "round", ...(mark.dashed ? { "stroke-dasharray": "5 4" } : {}),
  });
  if (mark.dots) {
    for (const [x, y] of places) make(clipped, "circle", { cx: clip(x) - LEFT, cy: clip(y) - TOP, r: 3.5, fill: stroke });
  }
}

// A part of the picture that cuts off what lies outside the axes.
function nested(svg) {
  return make(svg, "svg", { x: LEFT, y: TOP, width: WIDTH - LEFT - RIGHT, height: HEIGHT - TOP - BOTTOM, overflow: "hidden" });
}

function drawPoints(svg, mark, scale) {
  mark.x.forEach((x, i) => {
    const y = scale.y(mark.y[i]);
    if (y !== null) make(svg, "circle", { cx: scale.x(x), cy: y, r: 6, fill: color(mark.color), stroke: "var(--card)", "stroke-width": 1.5 });
  });
}

function drawBars(svg, mark, scale) {
  const zero = scale.y(scale.log ? scale.y0 : 0);
  mark.labels.forEach((text, i) => {
    const y = scale.y(mark.y[i]) ?? zero;
    const [x, width] = [scale.x(i + 0.15), scale.x(i + 0.85) - scale.x(i + 0.15)];
    make(svg, "rect", { x, width, y: Math.min(y, zero), height: Math.abs(y - zero), fill: color(mark.colors[i]) });
    label(svg, x + width / 2, HEIGHT - BOTTOM + 17, text, { "font-size": 12, fill: "var(--soft)" });
  });
  if (!scale.log) make(svg, "line", { x1: LEFT, x2: WIDTH - RIGHT, y1: zero, y2: zero, stroke: "currentColor" });
}

function drawImage(svg, rows) {
  const side = (HEIGHT - 40) / rows.length;
  rows.forEach((row, r) => row.forEach((ink, c) => {
    make(svg, "rect", {
      x: (WIDTH - side * row.length) / 2 + c * side, y: 28 + r * side, width: side + 0.4, height: side + 0.4,
      fill: "currentColor", "fill-opacity": ink,
    });
  }));
}

// Heights as shades: bright is low.
function drawField(svg, field, scale) {
  const all = field.rows.flat();
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const [ny, nx] = [field.rows.length, field.rows[0].length];
  const [dx, dy] = [(field.x[1] - field.x[0]) / (nx - 1), (field.y[1] - field.y[0]) / (ny - 1)];
  const clipped = nested(svg);
  field.rows.forEach((row, r) => row.forEach((height, c) => {
    const level = Math.floor(((height - low) / (high - low)) * 13) / 13; // in steps: lines of equal height
    make(clipped, "rect", {
      x: scale.x(field.x[0] + (c - 0.5) * dx) - LEFT, y: scale.y(field.y[0] + (r + 0.5) * dy) - TOP,
      width: scale.x(dx) - scale.x(0) + 0.5, height: scale.y(0) - scale.y(dy) + 0.5,
      style: `fill: color-mix(in srgb, var(--zero) ${(80 * level).toFixed()}%, var(--card))`,
    });
  }));
}

function drawLegend(svg, marks) {
  let x = LEFT;
  for (const mark of marks) {
    const stroke = color(mark.color);
    if (mark.kind === "points") make(svg, "circle", { cx: x + 9, cy: 13, r: 5, fill: stroke });
    else make(svg, "line", { x1: x, x2: x + 18, y1: 13, y2: 13, stroke, "stroke-width": 2.5, ...(mark.dashed ? { "stroke-dasharray": "5 4" } : {}) });
    label(svg, x + 23, 17, mark.name, { "text-anchor": "start", "font-size": 12 });
    x += 38 + [...mark.name].reduce((sum, c) => sum + (c > "⺀" ? 12 : 6.6), 0);
  }
}
