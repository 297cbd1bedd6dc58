// The lessons: worked steps, live pictures with knobs, exercises.

import { drawPanels } from "./panels.js";
import { check, picture } from "./protocol.js";

const said = (error) => error.words?.[document.documentElement.lang] ?? error.message;

// One step after another, or all.
function stepper(root) {
  const words = JSON.parse(root.dataset.words);
  const items = [...root.querySelectorAll("ol.worked > li")];
  const [row, output] = [root.querySelector(".row"), root.querySelector("output")];
  let shown = 1;
  const show = (count) => {
    shown = Math.min(Math.max(count, 1), items.length);
    items.forEach((item, i) => {
      item.hidden = i >= shown;
      item.classList.toggle("now", i === shown - 1);
    });
    output.textContent = words.step.replace("{n}", shown).replace("{all}", items.length);
  };
  row.hidden = false;
  for (const button of row.querySelectorAll("button")) {
    const { go } = button.dataset;
    button.addEventListener("click", () => show(go === "all" ? items.length : shown + Number(go)));
  }
  show(1);
}

// The values of the knobs in a form.
function settings(form) {
  return Object.fromEntries(
    [...form.querySelectorAll("input[type=range], select")].map((knob) => [
      knob.name, knob.type === "range" ? Number(knob.value) : knob.value,
    ]),
  );
}

function showValues(form) {
  for (const output of form.querySelectorAll("output[for]")) {
    output.textContent = document.getElementById(output.htmlFor.value).value;
  }
}

// A picture that the server computes whenever a knob moves: the last setting wins.
function live(figure) {
  const form = figure.querySelector("form");
  const panels = figure.querySelector(".panels");
  let [busy, again] = [false, false];
  const ask = async () => {
    showValues(form);
    again = busy;
    if (busy) return;
    busy = true;
    try {
      drawPanels(panels, (await picture(figure.dataset.lesson, settings(form))).panels);
    } catch (error) {
      panels.textContent = figure.dataset.error + said(error);
    }
    busy = false;
    if (again) ask();
  };
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", ask);
  new IntersectionObserver((entries, observer) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    ask();
  }).observe(figure);
}

// The answer in an exercise's form, or null if there is none.
function answerOf(form) {
  if (form.querySelector(".knobs")) return JSON.stringify(settings(form));
  const option = form.querySelector("input[name=option]:checked");
  if (form.querySelector(".options")) return option ? option.value : null;
  return form.elements.numbers.value.trim() || null;
}

function exercise(form) {
  const verdict = form.querySelector(".verdict");
  const say = (text, kind) => {
    verdict.textContent = text;
    verdict.dataset.kind = kind;
  };
  form.addEventListener("input", () => {
    showValues(form);
    say("", "");
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = answerOf(form);
    if (answer === null) {
      say(form.dataset.empty, "none");
      return;
    }
    say("…", "none");
    try {
      const { right, text } = await check(form.dataset.lesson, form.dataset.exercise, answer);
      say(text, right ? "right" : "wrong");
      if (right) form.querySelector("details").open = true;
    } catch (error) {
      say(said(error), "none");
    }
  });
}

document.querySelectorAll(".stepper").forEach(stepper);
document.querySelectorAll("figure.live").forEach(live);
document.querySelectorAll("form.exercise").forEach(exercise);
