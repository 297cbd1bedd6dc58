// What one takes along: the link, the program, the model's files, a picture.

import { word } from "./words.js";

export class TakeAlong {
  constructor(root, player, choices) {
    this.player = player;
    this.link = root.querySelector(".link");
    this.code = root.querySelector("pre code");
    this.details = root.querySelector("details");
    this.note = root.querySelector(".note");
    this.link.addEventListener("click", () => this.copy(location.href));
    root.querySelector(".copy-program").addEventListener("click", () => this.copy(this.code.textContent));
    root.querySelector(".save-program").addEventListener("click", async () => {
      await this.program();
      save("program.py", this.code.textContent, "text/x-python");
    });
    root.querySelector(".picture").addEventListener("click", () => this.savePicture());
    const files = root.querySelector(".files");
    for (const kind of choices.exports) {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", className: "button", textContent: word(`file-${kind}`) });
      button.dataset.kind = kind;
      button.addEventListener("click", () => this.file(kind));
      files.append(button);
    }
    this.details.addEventListener("toggle", () => this.details.open && this.program());
    player.on("rest", () => this.details.open && this.program());
  }

  async program() {
    await this.try(async () => {
      const { text } = await this.player.query({ do: "program", lang: document.documentElement.lang });
      this.code.textContent = text;
    });
  }

  async file(kind) {
    await this.try(async () => {
      const { name, is_scaled, arrays } = await this.player.query({ do: "file", kind });
      if (is_scaled) this.note.textContent = word("isScaled");
      save(name, arrays.content, "application/octet-stream");
    });
  }

  async try(action) {
    try {
      this.note.textContent = "";
      await action();
    } catch (error) {
      if (!error.words) throw error;
      this.note.textContent = error.words[document.documentElement.lang] ?? error.words.en;
    }
  }

  async copy(text) {
    await navigator.clipboard.writeText(text);
    this.note.textContent = word("copied");
  }

  savePicture() {
    const canvases = [...document.querySelectorAll("canvas.plane, canvas.network, canvas.curve, canvas.pad")].filter(
      (canvas) => canvas.clientWidth > 0,
    );
    const gap = 16;
    const paper = document.createElement("canvas");
    paper.width = Math.max(...canvases.map((c) => c.width)) + 2 * gap;
    paper.height = canvases.reduce((sum, c) => sum + c.height + gap, gap);
    const context = paper.getContext("2d");
    context.fillStyle = getComputedStyle(document.body).backgroundColor;
    context.fillRect(0, 0, paper.width, paper.height);
    let top = gap;
    for (const canvas of canvases) {
      context.drawImage(canvas, (paper.width - canvas.width) / 2, top);
      top += canvas.height + gap;
    }
    paper.toBlob((blob) => saveBlob("fastnn.png", blob));
  }
}

function save(name, content, type) {
  saveBlob(name, new Blob([content], { type }));
}

function saveBlob(name, blob) {
  const address = URL.createObjectURL(blob);
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
