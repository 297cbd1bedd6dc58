// The race of the back ends: who is how fast, and whether they agree.

import { number } from "./picture.js";
import { word } from "./words.js";

export class RaceView {
  constructor(root, player) {
    this.player = player;
    this.button = root.querySelector("button");
    this.epochs = root.querySelector("input");
    this.body = root.querySelector("tbody");
    this.result = root.querySelector(".result");
    this.button.addEventListener("click", () => (this.running ? this.stop() : this.start()));
    this.drawButton();
    player.on("data", () => {
      this.epochs.value = player.data.kind === "images" ? 1 : player.data.n <= 4 ? 2000 : 100;
    });
  }

  stop() {
    this.running = false;
    this.drawButton();
  }

  drawButton() {
    this.button.textContent = word(this.running ? "raceStop" : "raceStart");
  }

  async start() {
    if (this.epochs.value === "" || !this.epochs.validity.valid) return;
    this.player.pause();
    this.running = true;
    this.result.textContent = "";
    this.drawButton();
    try {
      const { names } = await this.player.query({ do: "race", epochs: Number(this.epochs.value) });
      this.make(names);
      this.draw({ lanes: names.map((name, i) => ({ name, state: i ? "waiting" : "starting" })), epochs: 1 });
      let answer = { done: false };
      while (this.running && !answer.done) {
        answer = await this.player.query({ do: "race-go" });
        this.draw(answer);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      if (answer.done) this.finish(answer);
    } catch (error) {
      if (!error.words) throw error;
      this.result.textContent = error.words[document.documentElement.lang] ?? error.words.en;
    }
    this.stop();
  }

  make(names) {
    this.body.replaceChildren(
      ...names.map((name) => {
        const row = document.createElement("tr");
        const head = Object.assign(document.createElement("th"), { scope: "row", textContent: name });
        const cells = Array.from({ length: 4 }, () => document.createElement("td"));
        const bar = document.createElement("progress");
        bar.max = 1;
        bar.value = 0;
        bar.setAttribute("aria-label", `${name}: ${word("raceProgress")}`);
        cells[0].append(bar);
        row.append(head, ...cells);
        return row;
      }),
    );
  }

  draw({ lanes, epochs }) {
    const fastest = Math.max(...lanes.map((lane) => lane.rate ?? 0));
    lanes.forEach((lane, i) => {
      const [, progress, rate, speed, difference] = this.body.children[i].children;
      progress.firstChild.value = (lane.epoch ?? 0) / epochs;
      const idle = { starting: "raceStarting", "left out": "raceLeftOut" }[lane.state] ?? "raceWaiting";
      rate.textContent = lane.rate ? Math.round(lane.rate).toLocaleString("en") : word(idle);
      speed.textContent = lane.rate && fastest ? `${number((100 * lane.rate) / fastest)} %` : "";
      difference.textContent = lane.difference === null || lane.difference === undefined ? "" : number(lane.difference);
      this.body.children[i].classList.toggle("best", lane.rate === fastest && fastest > 0);
    });
  }

  finish({ lanes }) {
    const largest = Math.max(...lanes.map((lane) => lane.difference ?? 0));
    this.result.textContent = `${word("raceDone")} ${number(largest)}`;
    this.result.dataset.value = largest;
  }
}
