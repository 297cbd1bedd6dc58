// A file of one's own: dropped on the page or chosen, and which of its columns are what.

import { packTable } from "./protocol.js";
import { word } from "./words.js";

const MOST_BYTES = 1_000_000;

export class FileDrop {
  constructor(root, player, onerror) {
    this.root = root;
    this.player = player;
    this.onerror = onerror;
    this.input = root.querySelector("input[type=file]");
    this.columns = root.querySelector(".columns-of-file");
    this.input.addEventListener("change", () => this.take(this.input.files[0]));
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      root.classList.add("over");
    });
    document.addEventListener("dragleave", () => root.classList.remove("over"));
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      root.classList.remove("over");
      this.take(event.dataTransfer.files[0]);
    });
    player.on("settings", () => this.draw());
  }

  async take(file) {
    if (!file) return;
    if (file.size > MOST_BYTES) {
      this.onerror({ en: word("tooLarge", "en"), zh: word("tooLarge", "zh") });
      return;
    }
    try {
      const table = await packTable(await file.text());
      const { columns } = await this.player.query({ do: "table", table });
      this.player.change({ data: "csv", table, columns });
    } catch (error) {
      if (!error.words) throw error;
      this.onerror(error.words);
    }
    this.input.value = "";
  }

  draw() {
    const { data, settings } = this.player;
    const isFile = settings.data === "csv" && data.names.length > 0;
    this.columns.hidden = !isFile;
    if (!isFile) return;
    const columns = [...data.columns];
    const target = columns.pop();
    const choose = (label, value, none, change) => {
      const box = Object.assign(document.createElement("label"), { className: "knob" });
      const select = document.createElement("select");
      if (none) select.append(new Option(word("noColumn"), -1));
      select.append(...data.names.map((name, i) => new Option(name, i)));
      select.value = value;
      select.addEventListener("change", () => change(Number(select.value)));
      box.append(Object.assign(document.createElement("span"), { textContent: word(label) }), select);
      return box;
    };
    const set = (x, y, t) => this.player.change({ columns: [x, y, t].filter((i) => i >= 0), loss: "auto", out: "auto" });
    const [x, y = -1] = columns;
    this.columns.replaceChildren(
      choose("columnX", x, false, (i) => set(i, y, target)),
      choose("columnY", y, true, (i) => set(x, i, target)),
      choose("columnTarget", target, false, (i) => set(x, y, i)),
    );
  }
}
