// The playground's page: its parts, put together.

import { colourOf } from "./colours.js";
import { LossCurve, Deltas } from "./curves.js";
import { DigitPad } from "./digits.js";
import { FileDrop } from "./files.js";
import { Gallery } from "./gallery.js";
import { makeKnob } from "./knobs.js";
import { NetworkView } from "./network.js";
import { Picture } from "./picture.js";
import { Player } from "./player.js";
import { RaceView } from "./race.js";
import { EXAMPLES } from "./settings.js";
import { TakeAlong } from "./take.js";
import { Transport } from "./transport.js";
import { translate, word } from "./words.js";

const DATA_KNOBS = ["data", "n", "noise", "test", "draw"];
const NETWORK_KNOBS = ["model", "lr", "batch", "solver", "seed"];
const MORE_KNOBS = ["loss", "out", "momentum", "alpha", "l1", "dropout", "init", "bias", "backend"];
// What a model or data set has no use for.
const ONLY_NETWORK = ["solver", "loss", "out", "momentum", "alpha", "l1", "dropout", "bias"];
const FEATURES = { x1: "x₁", x2: "x₂", x1x1: "x₁²", x1x2: "x₁x₂", x2x2: "x₂²" };
const find = (selector) => document.querySelector(selector);

const player = new Player();
window.player = player; // for who looks at it in the browser's tools, and for tests
translate(document);
find(".transport").setAttribute("aria-label", word("trainingTitle"));

new Transport(find(".transport"), player);
const picture = new Picture(find("canvas.plane"), player);
const curve = new LossCurve(find("canvas.curve"), player);
new Deltas(find(".deltas"), player);
new DigitPad(find(".digits"), player);
const gallery = new Gallery(find("canvas.gallery"), player);
new RaceView(find(".race"), player);
new FileDrop(find(".drop"), player, tell);

function tell(words) {
  const box = find(".problem");
  box.textContent = words[document.documentElement.lang] ?? words.en;
  box.hidden = false;
}

player.on("error", () => tell(player.error));
player.on("well", () => (find(".problem").hidden = true));

const choices = await player.connection.ask({ do: "choices" }).catch((error) => {
  tell(error.words);
  throw error;
});

const network = new NetworkView(find("#network"), player, choices);
new TakeAlong(find(".take"), player, choices);
for (const [root, names] of [["#data-knobs", DATA_KNOBS], ["#network-knobs", NETWORK_KNOBS], ["#more-knobs", MORE_KNOBS]]) {
  find(root).append(...names.map((name) => makeKnob(name, player, choices)));
}
makeExamples();
makeFeatures();
makeTools();

player.on("settings", showWhatCounts);
player.on("settings", showUnits);
player.on("settings", showClasses);
player.on("rest", () => {
  writeAddress();
  find("canvas.plane").setAttribute("aria-label", picture.label());
});
window.addEventListener("theme", () => {
  picture.draw();
  network.draw();
  curve.draw();
  gallery.draw();
});
window.addEventListener("hashchange", () => {
  if (location.hash.slice(1) !== player.link) start();
});
network.onpick = pick;
find("#unit").addEventListener("change", (event) => pick(event.target.value === "" ? null : Number(event.target.value)));
start();

function start() {
  player.start(location.hash.slice(1) || "data=spirals");
}

function writeAddress() {
  if (!player.address) return;
  const hash = `#${player.link}`;
  if (location.hash !== hash) history.replaceState(null, "", hash);
}

function makeExamples() {
  const select = find("#example");
  select.append(new Option(word("chooseExample"), ""));
  for (const name of Object.keys(EXAMPLES)) select.append(new Option(word(`example-${name}`), name));
  select.addEventListener("change", () => {
    if (!select.value) return;
    player.pause();
    player.pending = null;
    player.start(EXAMPLES[select.value]);
    select.value = "";
  });
}

function makeFeatures() {
  for (const name of choices.features) {
    const label = Object.assign(document.createElement("label"), { className: "check" });
    const box = Object.assign(document.createElement("input"), { type: "checkbox", value: name });
    box.addEventListener("change", () => {
      const chosen = [...find("#features").querySelectorAll("input:checked")].map((b) => b.value);
      player.change({ features: chosen });
    });
    label.append(box, Object.assign(document.createElement("span"), { textContent: FEATURES[name] }));
    find("#features").append(label);
  }
}

function makeTools() {
  const names = ["move", "0", "1", "2", "erase"];
  for (const name of names) {
    const label = Object.assign(document.createElement("label"), { className: "check" });
    const box = Object.assign(document.createElement("input"), { type: "radio", name: "tool", value: name });
    box.checked = name === "move";
    box.addEventListener("change", () => (picture.tool = name));
    label.dataset.tool = name;
    label.append(box, Object.assign(document.createElement("span"), { textContent: word(`tool-${name}`) }));
    find(".tool").append(label);
  }
}

// Hide what has no effect on this model and these data.
function showWhatCounts() {
  const { settings, data } = player;
  const isImages = data.kind === "images";
  find(".in-plane").hidden = isImages;
  find(".in-images").hidden = !isImages;
  find(".of-gallery").hidden = !isImages;
  find(".source").textContent = isImages ? `${data.source}: ${data.n_train.toLocaleString("en")} + ${data.n_test.toLocaleString("en")} ${word("images")}` : "";
  find(".features").hidden = isImages || data.kind === "line";
  const isOwn = settings.data === "drawn" || settings.data === "csv";
  const isFixed = isImages || isOwn || settings.data === "four";
  const hide = new Set();
  if (isFixed) hide.add("n");
  if (isImages || isOwn) hide.add("noise").add("draw");
  if (isImages) hide.add("test");
  if (settings.model !== "network") ONLY_NETWORK.forEach((name) => hide.add(name));
  if (settings.solver !== "sgd") hide.add("momentum");
  for (const knob of document.querySelectorAll("[data-knob]")) knob.hidden = hide.has(knob.dataset.knob);
  for (const box of find("#features").querySelectorAll("input")) box.checked = settings.features.includes(box.value);
  for (const tool of find(".tool").children) {
    const { tool: name } = tool.dataset;
    if (name === undefined) continue;
    tool.hidden = (data.kind === "line" && /[12]/.test(name)) || (settings.data === "csv" && /[012]/.test(name) && data.kind === "plane");
    if (name === "0") tool.lastChild.textContent = word(data.kind === "line" ? "tool-line" : "tool-0");
  }
}

// Which colour is which class of a file.
function showClasses() {
  const { settings, data } = player;
  const names = settings.data === "csv" ? data.classes : [];
  find(".of-classes").hidden = !names.length;
  find(".of-classes").replaceChildren(
    ...names.flatMap((name, i) => {
      const key = Object.assign(document.createElement("span"), { className: "key" });
      key.style.background = colourOf(i);
      return [key, `${name} `];
    }),
  );
}

function showUnits() {
  const select = find("#unit");
  const { settings, frame } = player;
  const sizes = frame.sizes.slice(1, -1);
  const key = sizes.join();
  if (key === showUnits.key) return;
  showUnits.key = key;
  select.replaceChildren(new Option(word("wholeOutput"), ""));
  let number = 0;
  sizes.forEach((size, layer) => {
    for (let unit = 0; unit < size; unit++, number++) {
      select.append(new Option(`${word("unit")} ${layer + 1}.${unit + 1} (${settings.act[layer]})`, number));
    }
  });
  pick(null);
}

function pick(number) {
  picture.shown = number;
  find("#unit").value = number ?? "";
  network.show(number);
  picture.draw();
}
