// A pad to draw a digit on, and what the network says it is.

import { colours, sharp } from "./colours.js";
import { toBase64 } from "./protocol.js";
import { word } from "./words.js";

const SIDE = 140; // pixels of the ink that is sent
const PEN = 13;

export class DigitPad {
  constructor(root, player) {
    this.player = player;
    this.pad = root.querySelector("canvas.pad");
    this.seen = root.querySelector("canvas.seen");
    this.named = root.querySelector(".named");
    this.bars = root.querySelector(".bars");
    this.examples = root.querySelector(".examples");
    this.ink = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
    this.ink.getContext("2d", { willReadFrequently: true });
    this.isEmpty = true;
    this.bars.replaceChildren(
      ...Array.from({ length: 10 }, (_, digit) => {
        const row = document.createElement("li");
        const bar = Object.assign(document.createElement("span"), { className: "bar" });
        bar.append(document.createElement("i"));
        row.append(Object.assign(document.createElement("b"), { textContent: digit }), bar);
        return row;
      }),
    );
    this.pad.addEventListener("pointerdown", (event) => this.begin(event));
    this.pad.addEventListener("pointermove", (event) => this.stroke(event));
    for (const name of ["pointerup", "pointercancel"]) {
      this.pad.addEventListener(name, () => (this.last = null));
    }
    root.querySelector(".clear").addEventListener("click", () => this.clear());
    player.on("data", () => this.drawExamples());
    player.on("frame", () => this.ask()); // another network may name it otherwise
    window.addEventListener("theme", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.pad);
  }

  begin(event) {
    this.pad.setPointerCapture(event.pointerId);
    this.last = this.place(event);
    this.stroke(event);
    event.preventDefault();
  }

  place(event) {
    const edge = this.pad.getBoundingClientRect();
    return [((event.clientX - edge.left) / edge.width) * SIDE, ((event.clientY - edge.top) / edge.height) * SIDE];
  }

  stroke(event) {
    if (!this.last) return;
    const at = this.place(event);
    const context = this.ink.getContext("2d");
    context.lineWidth = PEN;
    context.lineCap = "round";
    context.lineJoin = "round";
    context.beginPath();
    context.moveTo(...this.last);
    context.lineTo(at[0] + 0.01, at[1]);
    context.stroke();
    this.last = at;
    this.isEmpty = false;
    this.draw();
    this.ask();
  }

  clear() {
    this.ink.getContext("2d").clearRect(0, 0, SIDE, SIDE);
    this.isEmpty = true;
    this.named.textContent = "";
    for (const row of this.bars.children) {
      row.querySelector("i").style.width = "0";
      row.classList.remove("best");
    }
    this.seen.getContext("2d").clearRect(0, 0, this.seen.width, this.seen.height);
    this.draw();
  }

  draw() {
    const size = this.pad.clientWidth;
    if (!size) return;
    const context = sharp(this.pad, size, size);
    // The ink is black; on a dark page it has to be light.
    context.drawImage(this.ink, 0, 0, size, size);
    context.globalCompositeOperation = "source-in";
    context.fillStyle = colours().text;
    context.fillRect(0, 0, size, size);
    context.globalCompositeOperation = "source-over";
  }

  // Ask for the newest drawing, one question at a time.
  async ask() {
    this.again = true;
    if (this.asking || this.isEmpty || this.player.data?.kind !== "images") return;
    this.asking = true;
    while (this.again && !this.isEmpty) {
      this.again = false;
      const { data } = this.ink.getContext("2d").getImageData(0, 0, SIDE, SIDE);
      const ink = new Uint8Array(SIDE * SIDE).map((_, i) => data[4 * i + 3]);
      try {
        this.show(await this.player.query({ do: "digit", side: SIDE, ink: toBase64(ink) }));
      } catch (error) {
        if (!error.words) throw error;
        this.named.textContent = error.words[document.documentElement.lang] ?? error.words.en;
      }
    }
    this.asking = false;
  }

  show({ outputs, named, arrays }) {
    if (this.isEmpty) return;
    this.named.textContent = `${word("named")} ${named}`;
    const low = Math.min(0, ...outputs);
    const most = Math.max(...outputs) - low || 1;
    const isShare = outputs.every((value) => value >= 0 && value <= 1);
    outputs.forEach((value, digit) => {
      const row = this.bars.children[digit];
      row.querySelector("i").style.width = `${isShare ? 100 * value : (100 * (value - low)) / most}%`;
      row.classList.toggle("best", digit === named);
      row.title = value.toFixed(4);
    });
    drawImage(this.seen, arrays.image, arrays.image.shape[0]);
  }

  drawExamples() {
    if (this.player.data.kind !== "images") return;
    const { samples, labels } = this.player.samples;
    const side = Math.round(Math.sqrt(samples.shape[1]));
    const size = side * side;
    this.examples.replaceChildren(
      ...Array.from({ length: Math.min(12, samples.shape[0]) }, (_, i) => {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "example";
        button.setAttribute("aria-label", `${word("digitTitle")}: ${labels[i]}`);
        const canvas = document.createElement("canvas");
        drawImage(canvas, samples.subarray(i * size, (i + 1) * size), side);
        button.append(canvas);
        button.addEventListener("click", () => this.take(samples.subarray(i * size, (i + 1) * size), side));
        return button;
      }),
    );
  }

  // An image of the data set as if it were drawn.
  take(pixels, side) {
    this.clear();
    const paper = document.createElement("canvas");
    inkOf(paper, pixels, side, [0, 0, 0]);
    this.ink.getContext("2d").drawImage(paper, 0, 0, SIDE, SIDE);
    this.isEmpty = false;
    this.draw();
    this.ask();
  }
}

function drawImage(canvas, pixels, side) {
  const text = colours().text.replace("#", "");
  inkOf(canvas, pixels, side, [0, 2, 4].map((i) => parseInt(text.slice(i, i + 2), 16)));
}

function inkOf(canvas, pixels, side, colour) {
  canvas.width = side;
  canvas.height = side;
  const context = canvas.getContext("2d");
  const image = context.createImageData(side, side);
  let most = 1;
  for (const value of pixels) most = Math.max(most, value);
  for (let i = 0; i < pixels.length; i++) {
    image.data.set([...colour, (255 * pixels[i]) / most], 4 * i);
  }
  context.putImageData(image, 0, 0);
}
