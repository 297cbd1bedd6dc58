// The weights of the first layer as images: what each unit looks for in a digit.

import { colours, paint, sharp } from "./colours.js";

const SIDE = 46;
const GAP = 6;

export class Gallery {
  constructor(canvas, player) {
    this.canvas = canvas;
    this.player = player;
    player.on("frame", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  draw() {
    const { frame, data } = this.player;
    const units = frame?.arrays?.units;
    this.canvas.hidden = data?.kind !== "images" || !units;
    const width = this.canvas.clientWidth;
    if (this.canvas.hidden || !width) return;
    const [n, rows, columns] = units.shape;
    const inLine = Math.max(1, Math.floor((width + GAP) / (SIDE + GAP)));
    const height = Math.ceil(n / inLine) * (SIDE + GAP);
    this.canvas.style.height = `${height}px`;
    const context = sharp(this.canvas, width, height);
    context.imageSmoothingEnabled = false;
    context.strokeStyle = colours().line;
    for (let i = 0; i < n; i++) {
      const size = rows * columns;
      this.paper = paint(units.subarray(i * size, (i + 1) * size), columns, rows, this.paper);
      const [left, top] = [(i % inLine) * (SIDE + GAP), Math.floor(i / inLine) * (SIDE + GAP)];
      context.drawImage(this.paper, left, top, SIDE, SIDE);
      context.strokeRect(left + 0.5, top + 0.5, SIDE - 1, SIDE - 1);
    }
  }
}
