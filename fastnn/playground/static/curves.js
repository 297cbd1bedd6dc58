// Loss over epochs, on a logarithmic scale; and the size of the deltas, layer by layer.

import { colours, sharp } from "./colours.js";
import { number } from "./picture.js";
import { word } from "./words.js";

const MARGIN = { left: 44, right: 12, top: 8, bottom: 22 };
const COLUMNS = 5; // epoch, loss, test loss, accuracy, test accuracy

export class LossCurve {
  constructor(canvas, player) {
    this.canvas = canvas;
    this.player = player;
    player.on("frame", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.addEventListener("click", (event) => this.click(event));
  }

  draw() {
    const { frame } = this.player;
    const { canvas } = this;
    const curve = frame?.arrays?.curve;
    if (!curve || !canvas.clientWidth) return;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    const context = sharp(canvas, width, height);
    const all = colours();
    const rows = curve.length / COLUMNS;
    const [low, high] = bounds(curve, rows);
    this.last = Math.max(1, curve[COLUMNS * (rows - 1)] || 1, frame.epoch);
    const w = width - MARGIN.left - MARGIN.right;
    const h = height - MARGIN.top - MARGIN.bottom;
    const x = (epoch) => MARGIN.left + (epoch / this.last) * w;
    const y = (loss) => {
      const share = (Math.log(Math.max(loss, low)) - Math.log(low)) / (Math.log(high) - Math.log(low));
      return MARGIN.top + (1 - Math.min(1, share)) * h;
    };
    this.drawTicks(context, all, low, high, width, height, x, y);
    for (const [column, colour, dash] of [[2, all.one, [5, 4]], [1, all.mark, []]]) {
      context.beginPath();
      let isDown = false;
      for (let i = 0; i < rows; i++) {
        const value = curve[COLUMNS * i + column];
        if (!Number.isFinite(value)) continue;
        if (isDown) context.lineTo(x(curve[COLUMNS * i]), y(value));
        else context.moveTo(x(curve[COLUMNS * i]), y(value));
        isDown = true;
      }
      context.strokeStyle = colour;
      context.setLineDash(dash);
      context.lineWidth = 2;
      context.stroke();
      context.setLineDash([]);
    }
    if (frame.loss > 0) {
      context.beginPath();
      context.arc(x(frame.epoch + frame.batch / frame.batches), y(frame.loss), 4.5, 0, 7);
      context.fillStyle = all.mark;
      context.fill();
    }
    canvas.setAttribute("aria-label", `${word("lossTitle")}: ${number(frame.loss)}, ${word("epoch")} ${frame.epoch}`);
  }

  drawTicks(context, all, low, high, width, height, x, y) {
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = all.soft;
    context.strokeStyle = all.line;
    context.lineWidth = 1;
    context.textAlign = "right";
    context.textBaseline = "middle";
    const decades = Math.log10(high / low);
    const marks = decades < 1.2 ? [1, 2, 5] : [1];
    const skip = Math.ceil(decades / 6);
    for (let d = Math.floor(Math.log10(low)); d <= Math.log10(high); d++) {
      if (marks.length === 1 && d % skip) continue;
      for (const mark of marks) {
        const value = mark * 10 ** d;
        if (value < low * 0.999 || value > high * 1.001) continue;
        context.beginPath();
        context.moveTo(MARGIN.left, y(value));
        context.lineTo(width - MARGIN.right, y(value));
        context.stroke();
        context.fillText(short(value), MARGIN.left - 6, y(value));
      }
    }
    context.textBaseline = "top";
    context.textAlign = "left";
    context.fillText("0", MARGIN.left, height - MARGIN.bottom + 5);
    context.textAlign = "right";
    context.fillText(`${this.last}`, width - MARGIN.right, height - MARGIN.bottom + 5);
    context.textAlign = "center";
    context.fillText(word("epoch"), (MARGIN.left + width - MARGIN.right) / 2, height - MARGIN.bottom + 5);
  }

  click(event) {
    if (!this.player.frame) return;
    const edge = this.canvas.getBoundingClientRect();
    const w = edge.width - MARGIN.left - MARGIN.right;
    const share = Math.min(1, Math.max(0, (event.clientX - edge.left - MARGIN.left) / w));
    this.player.pause();
    this.player.go(Math.round(share * this.last));
  }
}

// Half decades around what the curves have, eight decades at most.
function bounds(curve, rows) {
  const values = [];
  for (let i = 0; i < rows; i++) {
    for (const column of [1, 2]) {
      const value = curve[COLUMNS * i + column];
      if (value > 0 && Number.isFinite(value)) values.push(value);
    }
  }
  if (!values.length) return [0.1, 1];
  const most = Math.max(...values);
  const least = Math.min(...values.filter((value) => value > most * 1e-8));
  const down = 10 ** (Math.floor(2 * Math.log10(least)) / 2);
  const up = 10 ** (Math.ceil(2 * Math.log10(most)) / 2);
  return [down, up > down ? up : down * 10];
}

function short(value) {
  return value >= 0.001 && value < 10000 ? String(Number(value.toPrecision(2))) : value.toExponential(0).replace("e-", "e−").replace("e+", "e");
}

export class Deltas {
  constructor(root, player) {
    this.root = root;
    this.player = player;
    player.on("frame", () => this.draw());
  }

  draw() {
    const { deltas, sizes } = this.player.frame;
    if (!deltas) return;
    const most = Math.max(...deltas, 1e-300);
    while (this.root.children.length > deltas.length) this.root.lastChild.remove();
    deltas.forEach((delta, i) => {
      const row = this.root.children[i] ?? this.add();
      const [label, bar, value] = row.children;
      const isLast = i === deltas.length - 1;
      label.textContent = isLast ? word("output") : `${word("layer")} ${i + 1}`;
      const decades = delta > 0 ? Math.log10(delta / most) : -6;
      bar.firstChild.style.width = `${Math.max(0, 100 * (1 + decades / 6))}%`;
      value.textContent = number(delta);
      row.title = `${sizes[i + 1]} ${word("units")}`;
    });
  }

  add() {
    const row = document.createElement("li");
    const bar = Object.assign(document.createElement("span"), { className: "bar" });
    bar.append(document.createElement("i"));
    row.append(document.createElement("span"), bar, document.createElement("output"));
    this.root.append(row);
    return row;
  }
}
