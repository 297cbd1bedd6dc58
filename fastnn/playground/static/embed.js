// A live picture in a page: <fastnn-playground settings knobs show>, or mountPlayground.

import { Deltas, LossCurve } from "./curves.js";
import { makeKnob } from "./knobs.js";
import { NetworkView } from "./network.js";
import { Picture } from "./picture.js";
import { Player } from "./player.js";
import { Transport } from "./transport.js";
import { translate, word } from "./words.js";

const HTML = `
<div class="row buttons transport">
<button type="button" class="round" data-part="reset" data-label="reset"><span aria-hidden="true">|◀</span></button>
<button type="button" class="round main" data-part="play"></button>
<button type="button" class="round" data-part="stepBatch" data-label="stepBatch"><span aria-hidden="true">+·</span></button>
<button type="button" class="round" data-part="stepEpoch" data-label="stepEpoch"><span aria-hidden="true">+1</span></button>
<span class="soft"><span data-word="epoch"></span> <b data-part="epochText"></b></span>
<span class="soft"><span data-word="loss"></span> <b data-part="loss"></b></span>
<span class="soft accuracy"><span data-word="accuracy"></span> <b data-part="accuracy"></b></span>
<span class="reason" role="status" data-part="reason"></span>
</div>
<div class="epochs" hidden><label><span class="hidden-visually" data-word="epochSlider"></span><input type="range" min="0" max="1000" data-part="slider"></label></div>
<div class="knobs"></div>
<p class="problem" role="alert" hidden></p>
<div class="views"></div>`;

export function mountPlayground(element, settings, { knobs = [], show = ["picture", "loss"], speed = 1 } = {}) {
  const player = new Player();
  player.speed = speed;
  const root = document.createElement("div");
  root.className = "embed";
  root.innerHTML = HTML;
  translate(root);
  element.replaceChildren(root);
  new Transport(root, player);
  const find = (selector) => root.querySelector(selector);
  const views = find(".views");
  const drawn = [];
  const add = (tag, className) => {
    const made = Object.assign(document.createElement(tag), { className });
    views.append(made);
    return made;
  };
  find(".epochs").hidden = !knobs.includes("epoch");
  const problem = find(".problem");
  player.on("error", () => {
    problem.textContent = player.error[document.documentElement.lang] ?? player.error.en;
    problem.hidden = false;
  });
  player.on("well", () => (problem.hidden = true));
  const handle = {
    player,
    onframe: null,
    set: (change) => player.change(change),
    go: (epoch, batch = 0) => player.go(epoch, batch),
    play: () => player.play(),
    pause: () => player.pause(),
    close: () => player.close(),
  };
  player.on("frame", () => {
    const { frame } = player;
    find('[data-part="epochText"]').textContent = frame.epoch + (frame.batch ? ` + ${frame.batch}/${frame.batches}` : "");
    find(".accuracy").hidden = frame.accuracy === null;
    handle.onframe?.({ ...frame, weights: weightsOf(frame) });
  });
  const canvasOf = (className) => {
    const canvas = add("canvas", className);
    canvas.setAttribute("role", "img");
    return canvas;
  };
  if (show.includes("picture")) {
    const canvas = canvasOf("plane");
    canvas.tabIndex = 0;
    const picture = new Picture(canvas, player);
    player.on("rest", () => canvas.setAttribute("aria-label", picture.label()));
    drawn.push(picture);
  }
  if (show.includes("loss")) drawn.push(new LossCurve(canvasOf("curve"), player));
  let holder = null;
  if (show.includes("network")) holder = add("div", "network-scroll");
  if (show.includes("deltas")) {
    const box = add("div", "deltas-box");
    const title = Object.assign(document.createElement("h4"), { textContent: word("deltasTitle") });
    const list = Object.assign(document.createElement("ol"), { className: "deltas" });
    box.append(title, list);
    new Deltas(list, player);
  }
  window.addEventListener("theme", () => drawn.forEach((view) => view.draw()));
  const begin = async () => {
    try {
      const choices = await player.connection.ask({ do: "choices" });
      if (holder) drawn.push(new NetworkView(holder, player, choices, { editable: false }));
      find(".knobs").append(
        ...knobs.filter((name) => name !== "epoch").map((name) => makeKnob(name, player, choices)),
      );
      player.start(settings);
    } catch (error) {
      if (!error.words) throw error;
      player.failed(error);
    }
  };
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    begin();
  });
  observer.observe(element);
  return handle;
}

// Weights and biases of each layer, as nested lists.
function weightsOf(frame) {
  return frame.sizes.slice(1).map((n, layer) => {
    const flat = frame.arrays[`w${layer}`];
    const rows = flat ? Array.from({ length: flat.length / n }, (_, i) => [...flat.subarray(i * n, (i + 1) * n)]) : [];
    return { weights: rows, bias: [...frame.arrays[`b${layer}`] ?? []] };
  });
}

class PlaygroundElement extends HTMLElement {
  connectedCallback() {
    if (this.handle) return;
    const names = (name) => (this.getAttribute(name) ?? "").split(",").map((s) => s.trim()).filter(Boolean);
    const show = names("show");
    this.handle = mountPlayground(this, this.getAttribute("settings") ?? "", {
      knobs: names("knobs"),
      speed: Number(this.getAttribute("speed") ?? 1),
      ...(show.length ? { show } : {}),
    });
  }

  disconnectedCallback() {
    this.handle?.close();
    this.handle = null;
  }
}

customElements.define("fastnn-playground", PlaygroundElement);
