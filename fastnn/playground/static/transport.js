// Play, pause, steps, the slider of epochs, and what was reached.

import { number } from "./picture.js";
import { word } from "./words.js";

const SPEEDS = [1, 2, 5, 10, 30, 100, 1000];
const STEPS = 1000;

// The slider is logarithmic: few epochs are as easily set as many.
function toEpoch(place, most) {
  return Math.round((1 + most) ** (place / STEPS) - 1);
}

function toPlace(epoch, most) {
  return Math.round((STEPS * Math.log1p(epoch)) / Math.log1p(most));
}

export class Transport {
  // `root` has elements named by data-part; those that are missing are not used.
  constructor(root, player) {
    this.player = player;
    this.part = {};
    for (const element of root.querySelectorAll("[data-part]")) this.part[element.dataset.part] = element;
    const { play, reset, back, stepBatch, stepEpoch, slider, epoch, speed } = this.part;
    play?.addEventListener("click", () => (player.playing ? player.pause() : player.play()));
    reset?.addEventListener("click", () => {
      player.pause();
      player.go(0);
    });
    back?.addEventListener("click", () => player.epochs(-1));
    stepBatch?.addEventListener("click", () => player.step());
    stepEpoch?.addEventListener("click", () => player.epochs(1));
    slider?.addEventListener("input", () => {
      player.pause();
      player.go(toEpoch(Number(slider.value), this.most));
    });
    epoch?.addEventListener("change", () => {
      if (epoch.value === "" || !epoch.validity.valid) return;
      player.pause();
      player.go(Number(epoch.value));
    });
    if (speed) {
      speed.replaceChildren(...SPEEDS.map((n) => new Option(`${n}×`, n)));
      speed.addEventListener("change", () => (player.speed = Number(speed.value)));
    }
    player.on("playing", () => this.drawPlay());
    player.on("frame", () => this.draw());
    this.drawPlay();
  }

  get most() {
    const { data, frame } = this.player;
    const usual = data?.kind === "images" ? 30 : 100001;
    return Math.max(usual, frame?.epoch ?? 0);
  }

  drawPlay() {
    const { play } = this.part;
    if (!play) return;
    const { playing } = this.player;
    play.textContent = playing ? "❚❚" : "▶";
    play.setAttribute("aria-label", word(playing ? "pause" : "play"));
    play.title = word(playing ? "pause" : "play");
    play.classList.toggle("on", playing);
  }

  draw() {
    const { frame, frames } = this.player;
    const { slider, epoch, batch, loss, testLoss, accuracy, testAccuracy, rate, fps, stepBatch, reason } = this.part;
    if (slider && document.activeElement !== slider) slider.value = toPlace(frame.epoch, this.most);
    slider?.setAttribute("aria-valuetext", `${word("epoch")} ${frame.epoch}`);
    if (epoch && document.activeElement !== epoch) epoch.value = frame.epoch;
    const percent = (share) => (share === null ? "–" : `${(100 * share).toFixed(1)} %`);
    const set = (element, text) => {
      if (element && element.textContent !== text) element.textContent = text;
    };
    set(batch, frame.batch ? `+ ${frame.batch} / ${frame.batches}` : "");
    set(loss, number(frame.loss));
    set(testLoss, number(frame.test_loss));
    set(accuracy, percent(frame.accuracy));
    set(testAccuracy, percent(frame.test_accuracy));
    set(rate, frame.rate ? Math.round(frame.rate).toLocaleString("en") : "–");
    set(fps, this.player.playing ? String(frames.length) : "–");
    set(reason, frame.reason ? word(frame.reason) : "");
    if (stepBatch) {
      const { batch: size } = this.player.settings;
      stepBatch.title = word(size === 1 ? "stepSample" : "stepBatch");
      stepBatch.setAttribute("aria-label", stepBatch.title);
    }
  }
}
