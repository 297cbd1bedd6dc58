// The picture: regions or curve, points, and a hand that moves them.

import { colours, paint, paintClasses, sharp } from "./colours.js";
import { packTable } from "./protocol.js";
import { word } from "./words.js";

const MARGIN = { left: 34, right: 10, top: 10, bottom: 26 };
const REACH = 14; // pixels

export class Picture {
  constructor(canvas, player, { editable = true } = {}) {
    this.canvas = canvas;
    this.player = player;
    this.tool = "move"; // or "erase", or the number of a class
    this.shown = null; // the number of a unit; null: the output
    this.points = [];
    this.held = null;
    this.cursor = null;
    player.on("data", () => this.take());
    player.on("frame", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(canvas);
    if (editable) this.listen();
  }

  get box() {
    return this.player.data.box;
  }

  get isLine() {
    return this.player.data.kind === "line";
  }

  // Take over the points of the server, unless they are the ones in hand.
  take() {
    if (this.player.data.kind === "images" || this.held !== null) return;
    const { points, y, is_test: isTest } = this.player.samples;
    const width = points.shape[1];
    this.points = Array.from(y, (value, i) =>
      this.isLine
        ? { x: points[i], y: value, label: 0, test: isTest[i] }
        : { x: points[width * i], y: points[width * i + 1], label: value, test: isTest[i] },
    );
    // Of drawn points the label says the colour, of others the place of the class.
    this.numbers = this.player.data.classes.map((name, i) =>
      this.player.settings?.data === "drawn" && /^\d$/.test(name) ? Number(name) : i,
    );
  }

  measure() {
    const width = this.canvas.clientWidth;
    const height = this.canvas.clientHeight;
    const [left, right, lower, upper] = this.box;
    const w = width - MARGIN.left - MARGIN.right;
    const h = height - MARGIN.top - MARGIN.bottom;
    this.toX = (x) => MARGIN.left + ((x - left) / (right - left)) * w;
    this.toY = (y) => MARGIN.top + ((upper - y) / (upper - lower)) * h;
    this.fromX = (px) => left + ((px - MARGIN.left) / w) * (right - left);
    this.fromY = (py) => upper - ((py - MARGIN.top) / h) * (upper - lower);
    return { width, height, w, h };
  }

  draw() {
    const { player, canvas } = this;
    if (!player.data || player.data.kind === "images" || !player.frame || !canvas.clientWidth) return;
    const { width, height, w, h } = this.measure();
    const context = sharp(canvas, width, height);
    const all = colours();
    context.save();
    context.beginPath();
    context.roundRect(MARGIN.left, MARGIN.top, w, h, 6);
    context.fillStyle = all.card;
    context.fill();
    context.clip();
    if (!this.isLine) this.drawField(context, w, h, all);
    this.drawPoints(context, all);
    if (this.isLine) this.drawLine(context, all);
    if (this.cursor) this.drawCursor(context, all);
    context.restore();
    this.drawAxes(context, width, height, w, h, all);
  }

  drawField(context, w, h, all) {
    const { arrays } = this.player.frame;
    const { field, sure, units } = arrays;
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "low";
    const isUnit = this.shown !== null && units && this.shown < units.shape[0];
    if (isUnit) {
      const size = units.shape[1] * units.shape[2];
      const own = units.subarray(this.shown * size, (this.shown + 1) * size);
      this.paper = paint(own, units.shape[2], units.shape[1], this.paper);
    } else if (!field) {
      return;
    } else if (sure) {
      this.paper = paintClasses(field, sure, this.numbers, field.shape[1], field.shape[0], this.paper);
    } else {
      this.paper = paint(field, field.shape[1], field.shape[0], this.paper);
    }
    context.drawImage(this.paper, MARGIN.left, MARGIN.top, w, h);
    if (field && !sure && !isUnit) this.drawBoundary(context, field, w, h, all);
  }

  // Where the field changes its sign: straight pieces through the squares of four values.
  drawBoundary(context, field, w, h, all) {
    const [rows, columns] = field.shape;
    const dx = w / columns;
    const dy = h / rows;
    const at = (r, c) => field[r * columns + c] - 127.5;
    context.beginPath();
    for (let r = 0; r + 1 < rows; r++) {
      for (let c = 0; c + 1 < columns; c++) {
        const corners = [at(r, c), at(r, c + 1), at(r + 1, c + 1), at(r + 1, c)];
        const ends = [];
        for (let side = 0; side < 4; side++) {
          const a = corners[side];
          const b = corners[(side + 1) % 4];
          if (a < 0 === b < 0) continue;
          const t = a / (a - b);
          const x = [c + t, c + 1, c + 1 - t, c][side];
          const y = [r, r + t, r + 1, r + 1 - t][side];
          ends.push([MARGIN.left + (x + 0.5) * dx, MARGIN.top + (y + 0.5) * dy]);
        }
        for (let i = 0; i + 1 < ends.length; i += 2) {
          context.moveTo(...ends[i]);
          context.lineTo(...ends[i + 1]);
        }
      }
    }
    context.strokeStyle = all.text;
    context.lineWidth = 1.6;
    context.globalAlpha = 0.75;
    context.stroke();
    context.globalAlpha = 1;
  }

  drawLine(context, all) {
    const { line } = this.player.frame.arrays;
    if (!line) return;
    const [left, right] = this.box;
    context.beginPath();
    line.forEach((y, i) => {
      const x = this.toX(left + ((right - left) * i) / (line.length - 1));
      if (i) context.lineTo(x, this.toY(y));
      else context.moveTo(x, this.toY(y));
    });
    context.strokeStyle = all.one;
    context.lineWidth = 3;
    context.lineJoin = "round";
    context.stroke();
  }

  drawPoints(context, all) {
    const many = this.points.length > 150;
    const radius = this.isLine ? (many ? 2.4 : 4) : many ? 3.6 : 5;
    const batch = new Set(this.player.frame.arrays.batch ?? []);
    const isReal = !this.isLine && !this.player.data.classes.length;
    this.points.forEach((point, i) => {
      const x = this.toX(point.x);
      const y = this.toY(point.y);
      const number = isReal ? Number(point.label > 0) : this.colourOf(point);
      context.fillStyle = this.isLine ? all.zero : all.classes[number % 10];
      context.strokeStyle = point.test ? all.text : all.card;
      context.lineWidth = 1.3;
      context.beginPath();
      if (point.test && !this.isLine) context.rect(x - radius, y - radius, 2 * radius, 2 * radius);
      else context.arc(x, y, radius, 0, 7);
      context.globalAlpha = this.isLine ? 0.55 : 1;
      context.fill();
      context.globalAlpha = 1;
      if (!this.isLine) context.stroke();
      if (batch.has(i) || this.held === i) {
        context.beginPath();
        context.arc(x, y, radius + 4, 0, 7);
        context.strokeStyle = all.text;
        context.lineWidth = 2;
        context.stroke();
      }
    });
  }

  colourOf(point) {
    return point.isNew ? point.label : (this.numbers[point.label] ?? point.label);
  }

  drawCursor(context, all) {
    const x = this.toX(this.cursor.x);
    const y = this.toY(this.cursor.y);
    context.strokeStyle = all.text;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(x - 9, y);
    context.lineTo(x + 9, y);
    context.moveTo(x, y - 9);
    context.lineTo(x, y + 9);
    context.stroke();
  }

  drawAxes(context, width, height, w, h, all) {
    const [left, right, lower, upper] = this.box;
    const [first, second] = this.player.data.axes;
    const name = (axis) => axis?.[0] ?? "";
    const value = (axis, c) => number(axis ? axis[1] + c * axis[2] : c);
    context.fillStyle = all.soft;
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "top";
    context.textAlign = "left";
    context.fillText(value(first, left), MARGIN.left, height - MARGIN.bottom + 5);
    context.textAlign = "right";
    context.fillText(value(first, right), MARGIN.left + w, height - MARGIN.bottom + 5);
    context.textAlign = "center";
    context.fillText(name(first).slice(0, 24), MARGIN.left + w / 2, height - MARGIN.bottom + 5);
    context.textAlign = "right";
    context.fillText(value(second, upper), MARGIN.left - 4, MARGIN.top);
    context.textBaseline = "bottom";
    context.fillText(value(second, lower), MARGIN.left - 4, MARGIN.top + h);
    context.save();
    context.translate(MARGIN.left - 14, MARGIN.top + h / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = "center";
    context.fillText(name(second).slice(0, 24), 0, 6);
    context.restore();
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    // A finger on a point moves it; elsewhere it scrolls the page.
    canvas.addEventListener("touchstart", (event) => this.held !== null && event.preventDefault(), { passive: false });
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", () => this.release());
    canvas.addEventListener("pointercancel", () => this.release());
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => {
      this.cursor = null;
      this.release();
      this.draw();
    });
  }

  nearest(px, py) {
    let best = null;
    let least = REACH ** 2;
    this.points.forEach((point, i) => {
      const d = (this.toX(point.x) - px) ** 2 + (this.toY(point.y) - py) ** 2;
      if (d < least) [best, least] = [i, d];
    });
    return best;
  }

  place(event) {
    const edge = this.canvas.getBoundingClientRect();
    return [event.clientX - edge.left, event.clientY - edge.top];
  }

  press(event) {
    if (!this.player.data || this.player.data.kind === "images" || event.button !== 0) return;
    this.measure();
    this.cursor = null;
    const [px, py] = this.place(event);
    this.use(px, py);
    if (this.held !== null) {
      this.canvas.setPointerCapture(event.pointerId);
      event.preventDefault();
    }
  }

  // Use the tool at a place.
  use(px, py) {
    const at = this.nearest(px, py);
    if (this.tool === "erase") {
      if (at !== null) {
        this.points.splice(at, 1);
        this.send();
      }
    } else if (this.tool === "move") {
      this.held = at;
    } else {
      const [x, y] = this.inside(this.fromX(px), this.fromY(py));
      this.points.push({ x, y, label: Number(this.tool), test: 0, isNew: true });
      this.held = this.points.length - 1;
      this.send();
    }
    this.draw();
  }

  inside(x, y) {
    const [left, right, lower, upper] = this.box;
    const within = (v, a, b) => Math.min(b, Math.max(a, v));
    return [within(x, left, right), within(y, lower, upper)];
  }

  move(event) {
    if (this.held === null) {
      this.hover(event);
      return;
    }
    const [px, py] = this.place(event);
    this.moveTo(this.fromX(px), this.fromY(py));
  }

  moveTo(x, y) {
    const point = this.points[this.held];
    [point.x, point.y] = this.inside(x, y);
    this.send();
    this.draw();
  }

  hover(event) {
    if (!this.player.data || this.player.data.kind === "images" || !this.toX) return;
    const near = this.nearest(...this.place(event)) !== null;
    const isBrush = this.tool !== "move" && this.tool !== "erase";
    this.canvas.style.cursor = isBrush ? "crosshair" : near ? (this.tool === "erase" ? "pointer" : "grab") : "default";
  }

  release() {
    this.held = null;
  }

  key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (!this.player.data || this.player.data.kind === "images") return;
    const [left, right, lower, upper] = this.box;
    this.measure();
    const step = steps[event.key];
    if (step) {
      this.cursor ??= { x: (left + right) / 2, y: (lower + upper) / 2 };
      const size = event.shiftKey ? 0.1 : 0.02;
      const [x, y] = this.inside(
        this.cursor.x + step[0] * size * (right - left),
        this.cursor.y + step[1] * size * (upper - lower),
      );
      this.cursor = { x, y };
      if (this.held !== null) this.moveTo(x, y);
    } else if (event.key === "Enter" || event.key === " ") {
      this.cursor ??= { x: (left + right) / 2, y: (lower + upper) / 2 };
      if (this.held !== null) this.release();
      else this.use(this.toX(this.cursor.x), this.toY(this.cursor.y));
      if (this.tool !== "move") this.release();
    } else if (event.key === "Escape") {
      this.release();
      this.cursor = null;
    } else {
      return;
    }
    event.preventDefault();
    this.draw();
  }

  // The points are the data now; the newest ones count, while the server is busy with others.
  async send() {
    const isDrawn = this.player.settings?.data === "drawn";
    const round = (value) => Number(value.toFixed(4));
    const number = (label) => (isDrawn ? (this.player.data.classes[label] ?? label) : label);
    const lines = this.points.map((p) =>
      this.isLine
        ? `${round(p.x)},${round(p.y)}`
        : `${round(p.x)},${round(p.y)},${p.isNew ? p.label : number(p.label)}`,
    );
    const version = (this.version = (this.version ?? 0) + 1);
    const table = await packTable(lines.join("\n"));
    if (version !== this.version) return;
    const { settings } = this.player;
    const { test, noise, batch, loss, out, features } = settings;
    this.player.change({
      data: "drawn", table, test, noise, batch, loss, out, features,
      hidden: settings.hidden, act: settings.act, lr: settings.lr, box: [...this.box], columns: [],
    });
  }

  label(lang) {
    const { frame, data } = this.player;
    if (!frame || !data) return "";
    const accuracy = frame.accuracy === null ? "" : ` ${word("accuracy", lang)} ${(100 * frame.accuracy).toFixed(1)} %.`;
    return `${word("pictureLabel", lang)} ${data.n} ${word("points", lang)}. ${word("loss", lang)} ${number(frame.loss)}.${accuracy}`;
  }
}

export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3) return value.toExponential(2).replace("e-", "e−").replace("e+", "e");
  return Number(value.toPrecision(4)).toString().replace("-", "−");
}
