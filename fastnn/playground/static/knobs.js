// Knobs: one native control for each setting, which follows the settings and changes them.

import { has, word } from "./words.js";

const RATES = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];
const PENALTIES = [0, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1];
const NUMBERS = [4, 8, 20, 50, 100, 150, 200, 300, 400, 600, 1000, 2000];
const BATCHES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 0];

// How each setting is set: steps of a slider, choices of a list, or a number.
const KINDS = {
  n: { steps: NUMBERS },
  noise: { steps: [0, 0.02, 0.04, 0.05, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5] },
  test: { steps: [0, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5], show: (v) => `${Math.round(100 * v)} %` },
  draw: { seed: true },
  seed: { seed: true },
  lr: { steps: RATES },
  momentum: { steps: [0, 0.5, 0.8, 0.9, 0.95, 0.99] },
  alpha: { steps: PENALTIES },
  l1: { steps: PENALTIES },
  dropout: { steps: [0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8] },
  bias: { steps: [-1, -0.5, -0.1, 0, 0.1, 0.5, 1] },
  batch: { steps: BATCHES, show: (v) => (v ? String(v) : word("full")) },
  hidden: {
    steps: [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64],
    read: (s) => s.hidden[0] ?? 1,
    write: (v, s) => ({ hidden: s.hidden.length ? s.hidden.map(() => v) : [v] }),
  },
  act: {
    choices: (c) => c.activations,
    read: (s) => s.act[0] ?? "tanh",
    write: (v, s) => ({ act: s.act.map(() => v) }),
  },
  data: { choices: (c) => c.data.filter((name) => name !== "drawn" && name !== "csv"), words: "data-" },
  model: { choices: (c) => c.models, words: "model-" },
  out: { choices: (c) => c.outputs },
  loss: { choices: (c, p) => c.losses[p.data?.classes.length ? "classes" : "numbers"], label: "lossName" },
  solver: { choices: (c) => c.solvers },
  init: { choices: (c, p) => [...c.inits, ...(p.settings?.model === "network" ? [] : ["zeros"])] },
  backend: { choices: (c) => ["auto", ...Object.keys(c.backends).filter((name) => c.backends[name] === null)] },
};

let count = 0;

// Make the knob of a setting; `choices` is what the server offers.
export function makeKnob(name, player, choices) {
  const kind = KINDS[name];
  const box = document.createElement("div");
  box.className = "knob";
  box.dataset.knob = name;
  const id = `knob-${name}-${++count}`;
  const label = document.createElement("label");
  label.htmlFor = id;
  label.textContent = word(kind.label ?? name);
  box.append(label);
  const change = (value) => player.change(kind.write ? kind.write(value, player.settings) : { [name]: value });
  const current = () => (kind.read ? kind.read(player.settings) : player.settings[name]);
  let follow;
  if (kind.steps) follow = slider(box, id, kind, change, current);
  else if (kind.seed) follow = seed(box, id, change, current);
  else follow = list(box, id, kind, change, current, player, choices);
  player.on("settings", follow);
  if (player.settings) follow();
  return box;
}

function slider(box, id, kind, change, current) {
  const input = Object.assign(document.createElement("input"), { type: "range", id, min: 0, step: 1 });
  const output = document.createElement("output");
  output.htmlFor = id;
  let steps = kind.steps;
  const show = (value) => {
    const text = kind.show ? kind.show(value) : String(value);
    output.textContent = text;
    input.setAttribute("aria-valuetext", text);
  };
  input.addEventListener("input", () => {
    const value = steps[Number(input.value)];
    show(value);
    change(value);
  });
  box.append(output, input);
  return () => {
    const value = current();
    if (document.activeElement === input && steps[Number(input.value)] === value) return;
    steps = kind.steps.includes(value) ? kind.steps : inOrder([...kind.steps, value]);
    input.max = steps.length - 1;
    input.value = steps.indexOf(value);
    show(value);
  };
}

// All samples, 0, is the largest batch.
function inOrder(values) {
  const isBatch = values.includes(0) && values.includes(256);
  return values.sort((a, b) => (isBatch ? (a || Infinity) - (b || Infinity) : a - b));
}

function seed(box, id, change, current) {
  const input = Object.assign(document.createElement("input"), {
    type: "number", id, min: 0, max: 4294967295, step: 1,
  });
  const other = document.createElement("button");
  other.type = "button";
  other.className = "small";
  other.textContent = "+1";
  other.setAttribute("aria-label", word("newSeed"));
  other.title = word("newSeed");
  input.addEventListener("change", () => {
    if (input.value !== "" && input.validity.valid) change(Number(input.value));
  });
  other.addEventListener("click", () => change(current() + 1));
  const row = document.createElement("span");
  row.className = "row tight";
  row.append(input, other);
  box.append(row);
  return () => {
    if (document.activeElement !== input) input.value = current();
  };
}

function list(box, id, kind, change, current, player, choices) {
  const select = document.createElement("select");
  select.id = id;
  select.addEventListener("change", () => change(select.value));
  box.append(select);
  let shown = "";
  return () => {
    const value = current();
    const names = [...kind.choices(choices, player)];
    if (!names.includes(value)) names.push(value);
    if (names.join() !== shown) {
      shown = names.join();
      select.replaceChildren(...names.map((name) => new Option(nameOf(name, kind.words), name)));
    }
    select.value = value;
  };
}

function nameOf(name, prefix = "") {
  return has(prefix + name) ? word(prefix + name) : name;
}
