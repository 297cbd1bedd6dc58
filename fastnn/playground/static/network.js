// The network: units with their own pictures, weights as lines, and knobs to add and remove.

import { colours, paint, sharp } from "./colours.js";
import { word } from "./words.js";

const MOST_SHOWN = 12; // units of a layer
const FEATURES = { x1: "x₁", x2: "x₂", x1x1: "x₁²", x1x2: "x₁x₂", x2x2: "x₂²" };

export class NetworkView {
  constructor(root, player, choices, { editable = true } = {}) {
    this.player = player;
    this.choices = choices;
    this.root = root;
    this.onpick = () => {};
    this.places = [];
    this.heads = document.createElement("div");
    this.heads.className = "layers";
    this.canvas = document.createElement("canvas");
    this.canvas.className = "network";
    this.canvas.setAttribute("role", "img");
    this.inner = document.createElement("div");
    this.inner.className = "network-inner";
    this.inner.append(...(editable ? [this.heads] : []), this.canvas);
    root.append(this.inner);
    if (editable) player.on("settings", () => this.drawHeads());
    player.on("frame", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    this.canvas.addEventListener("click", (event) => this.pick(event));
  }

  // A column for each layer: units, activation, and buttons.
  drawHeads() {
    const { settings } = this.player;
    const key = JSON.stringify([settings.model, settings.hidden, settings.act, settings.features, settings.data]);
    if (key === this.key) return;
    this.key = key;
    const had = document.activeElement?.dataset.own;
    const columns = [this.plainHead(word("inputs"))];
    if (settings.model === "network") {
      settings.hidden.forEach((units, layer) => columns.push(this.layerHead(units, layer)));
    }
    columns.push(this.outputHead());
    this.heads.replaceChildren(...columns);
    this.inner.style.setProperty("--columns", columns.length);
    if (had) this.heads.querySelector(`[data-own="${had}"]`)?.focus();
  }

  plainHead(text) {
    const head = document.createElement("div");
    head.className = "layer";
    head.append(Object.assign(document.createElement("strong"), { textContent: text }));
    return head;
  }

  outputHead() {
    const head = this.plainHead(word("output"));
    const { settings } = this.player;
    if (settings.model === "network" && settings.hidden.length < this.choices.most_layers) {
      const add = this.button(`+ ${word("layer")}`, word("addLayer"), "add", () => {
        const units = settings.hidden.at(-1) ?? 4;
        this.player.change({ hidden: [...settings.hidden, units] });
      });
      add.classList.add("wide");
      head.append(add);
    }
    return head;
  }

  layerHead(units, layer) {
    const { settings } = this.player;
    const name = `${word("hiddenLayer")} ${layer + 1}`;
    const head = document.createElement("div");
    head.className = "layer";
    head.setAttribute("role", "group");
    head.setAttribute("aria-label", name);
    const withUnits = (n) => settings.hidden.map((old, i) => (i === layer ? n : old));
    const set = (n) => {
      if (n >= 1 && n <= this.choices.most_units) this.player.change({ hidden: withUnits(n) });
    };
    const number = Object.assign(document.createElement("input"), {
      type: "number", min: 1, max: this.choices.most_units, value: units,
    });
    number.setAttribute("aria-label", `${name}: ${word("units")}`);
    number.dataset.own = `n${layer}`;
    number.addEventListener("change", () => set(Math.round(Number(number.value))));
    const row = document.createElement("span");
    row.className = "row tight";
    row.append(
      this.button("−", `${name}: ${word("fewer")}`, `f${layer}`, () => set(units - 1)),
      number,
      this.button("+", `${name}: ${word("moreUnits")}`, `m${layer}`, () => set(units + 1)),
    );
    const select = document.createElement("select");
    select.dataset.own = `a${layer}`;
    select.setAttribute("aria-label", `${name}: ${word("act")}`);
    select.append(...this.choices.activations.map((a) => new Option(a, a)));
    select.value = settings.act[layer];
    select.addEventListener("change", () =>
      this.player.change({ act: settings.act.map((old, i) => (i === layer ? select.value : old)) }),
    );
    const remove = this.button("×", `${name}: ${word("removeLayer")}`, `r${layer}`, () => {
      const keep = (_, i) => i !== layer;
      this.player.change({ hidden: settings.hidden.filter(keep), act: settings.act.filter(keep) });
    });
    remove.classList.add("remove");
    head.append(row, select, remove);
    return head;
  }

  button(text, label, own, action) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: text, title: label, className: "small" });
    button.dataset.own = own;
    button.setAttribute("aria-label", label);
    button.addEventListener("click", action);
    return button;
  }

  draw() {
    const { frame, settings, data } = this.player;
    if (!frame?.sizes || !settings || !this.canvas.clientWidth) return;
    const { sizes } = frame;
    const shown = sizes.map((n, layer) => Math.min(n, layer === 0 && data.kind === "images" ? 1 : MOST_SHOWN));
    const size = Math.max(22, Math.min(44, 400 / Math.max(...shown) - 7));
    const height = Math.max(120, Math.max(...shown) * (size + 7) + 34);
    this.canvas.style.height = `${height}px`;
    const width = this.canvas.clientWidth;
    const context = sharp(this.canvas, width, height);
    const all = colours();
    const x = (layer) => (width * (layer + 0.5)) / sizes.length;
    const y = (layer, unit) => (height - 18) / 2 + (unit - (shown[layer] - 1) / 2) * (size + 7);
    this.places = [];
    this.drawWeights(context, all, sizes, shown, x, y, size);
    let number = 0;
    for (let layer = 0; layer < sizes.length; layer++) {
      for (let unit = 0; unit < shown[layer]; unit++) {
        const at = [x(layer) - size / 2, y(layer, unit) - size / 2];
        if (layer === 0) this.drawInput(context, all, unit, ...at, size);
        else this.drawUnit(context, all, number + unit, layer, unit, ...at, size);
      }
      if (shown[layer] < sizes[layer]) {
        context.fillStyle = all.soft;
        context.font = "11px system-ui, sans-serif";
        context.textAlign = "center";
        context.textBaseline = "bottom";
        const text = layer === 0 ? "" : `+ ${sizes[layer] - shown[layer]}`;
        context.fillText(text, x(layer), height - 2);
      }
      if (layer > 0) number += sizes[layer];
    }
    this.canvas.setAttribute("aria-label", `${word("networkTitle")}: ${sizes.join("-")}, ${frame.activations.join(", ")}`);
  }

  drawWeights(context, all, sizes, shown, x, y, size) {
    const { arrays } = this.player.frame;
    for (let layer = 0; layer + 1 < sizes.length; layer++) {
      const weights = arrays[`w${layer}`];
      const n = sizes[layer + 1];
      let largest = 1;
      for (const w of weights ?? []) largest = Math.max(largest, Math.abs(w));
      for (let from = 0; from < shown[layer]; from++) {
        for (let to = 0; to < shown[layer + 1]; to++) {
          const w = weights ? weights[from * n + to] : 0;
          const share = Math.min(1, Math.abs(w) / largest);
          if (weights && share < 0.01) continue;
          context.beginPath();
          const [x0, y0] = [x(layer) + size / 2, y(layer, from)];
          const [x1, y1] = [x(layer + 1) - size / 2, y(layer + 1, to)];
          const middle = (x0 + x1) / 2;
          context.moveTo(x0, y0);
          context.bezierCurveTo(middle, y0, middle, y1, x1, y1);
          context.strokeStyle = !weights ? all.line : w < 0 ? all.zero : all.one;
          context.globalAlpha = weights ? 0.25 + 0.65 * share : 0.7;
          context.lineWidth = weights ? 0.5 + 4.5 * share : 1;
          context.stroke();
        }
      }
    }
    context.globalAlpha = 1;
  }

  drawInput(context, all, unit, left, top, size) {
    const { settings, data } = this.player;
    const isImage = data.kind === "images";
    const side = isImage ? Math.round(Math.sqrt(this.player.frame.sizes[0])) : 0;
    const text = isImage ? `${side}×${side}` : (FEATURES[settings.features[unit]] ?? "");
    context.fillStyle = all.back;
    context.strokeStyle = all.line;
    context.lineWidth = 1.5;
    context.beginPath();
    context.roundRect(left, top, size, size, 7);
    context.fill();
    context.stroke();
    context.fillStyle = all.text;
    context.font = `${isImage ? 9 : size > 26 ? 13 : 10}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(data.kind === "line" ? text.replace("₁", "") : text, left + size / 2, top + size / 2 + 1);
  }

  drawUnit(context, all, number, layer, unit, left, top, size) {
    const { frame, data } = this.player;
    const { units } = frame.arrays;
    const isLast = layer === frame.sizes.length - 1;
    this.places.push({ left, top, size, number, layer, unit, isLast });
    context.save();
    context.beginPath();
    context.roundRect(left, top, size, size, 7);
    context.fillStyle = all.card;
    context.fill();
    context.clip();
    const isThere = units && number < units.shape[0];
    if (isThere && data.kind === "line") this.drawCurve(context, all, units, number, left, top, size);
    else if (isThere) {
      const [, rows, columns] = units.shape;
      const own = units.subarray(number * rows * columns, (number + 1) * rows * columns);
      this.paper = paint(own, columns, rows, this.paper);
      context.imageSmoothingEnabled = data.kind !== "images";
      context.drawImage(this.paper, left, top, size, size);
    } else if (isLast && data.kind === "images") {
      context.fillStyle = all.text;
      context.font = "12px system-ui, sans-serif";
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.fillText(data.classes[unit], left + size / 2, top + size / 2 + 1);
    }
    context.restore();
    context.beginPath();
    context.roundRect(left, top, size, size, 7);
    const isPicked = this.picked === number && !isLast;
    context.strokeStyle = isPicked ? all.mark : all.soft;
    context.lineWidth = isPicked ? 3 : 1.2;
    context.stroke();
  }

  drawCurve(context, all, units, number, left, top, size) {
    const n = units.shape[1];
    context.strokeStyle = all.line;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(left, top + size / 2);
    context.lineTo(left + size, top + size / 2);
    context.stroke();
    context.beginPath();
    for (let i = 0; i < n; i++) {
      const px = left + (size * i) / (n - 1);
      const py = top + size - (size * units[number * n + i]) / 255;
      if (i) context.lineTo(px, py);
      else context.moveTo(px, py);
    }
    context.strokeStyle = all.one;
    context.lineWidth = 2;
    context.stroke();
  }

  pick(event) {
    const edge = this.canvas.getBoundingClientRect();
    const [px, py] = [event.clientX - edge.left, event.clientY - edge.top];
    const hit = this.places.find((p) => px >= p.left && px <= p.left + p.size && py >= p.top && py <= p.top + p.size);
    this.onpick(hit && !hit.isLast && hit.number !== this.picked ? hit.number : null);
  }

  show(number) {
    this.picked = number;
    this.draw();
  }
}
