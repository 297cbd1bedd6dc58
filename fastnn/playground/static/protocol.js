// The connection to the server: a question in JSON, an answer of JSON and arrays.

const ARRAYS = {
  uint8: Uint8Array, int32: Int32Array, float32: Float32Array, float64: Float64Array, int64: BigInt64Array,
};

// What the server refused, by language; `code` says that the connection failed.
export class Refused extends Error {
  constructor(words, code = "") {
    super(words.en);
    this.words = words;
    this.code = code;
  }
}

const LOST = {
  en: "The connection is lost: is fastnn playground still running? (fastnn playground starts it.)",
  zh: "连接已断开：fastnn playground 还在运行吗？（用 fastnn playground 启动）",
};
const FULL = {
  en: "Too many pages are open: close some, and reload this one.",
  zh: "打开的页面太多：请关闭一些，然后重新加载本页。",
};

// Header and arrays of a message, see frames.pack.
function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const arrays = {};
  let at = 4 + length;
  for (const [name, dtype, shape] of header.arrays) {
    const count = shape.reduce((a, b) => a * b, 1);
    const values = new ARRAYS[dtype](buffer, at, count);
    values.shape = shape;
    arrays[name] = values;
    at += Math.ceil(values.byteLength / 8) * 8;
  }
  return { ...header, arrays };
}

export class Connection {
  constructor() {
    this.waiting = new Map();
    this.number = 0;
    this.socket = null;
  }

  get isOpen() {
    return this.socket !== null && this.socket.readyState === WebSocket.OPEN;
  }

  // Ask; the promise has the answer, or is refused.
  async ask(message) {
    await this.open();
    const id = ++this.number;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.socket.send(JSON.stringify({ ...message, id }));
    });
  }

  open() {
    if (this.isOpen) return Promise.resolve();
    if (this.opening) return this.opening;
    this.opening = new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://${location.host}/socket`);
      socket.binaryType = "arraybuffer";
      socket.onopen = () => {
        this.socket = socket;
        this.opening = null;
        resolve();
      };
      socket.onmessage = (event) => this.receive(event.data);
      socket.onclose = (event) => {
        const refused = new Refused(event.code === 1013 ? FULL : LOST, "lost");
        this.opening = null;
        this.socket = null;
        reject(refused);
        for (const { reject: refuse } of this.waiting.values()) refuse(refused);
        this.waiting.clear();
      };
    });
    return this.opening;
  }

  receive(buffer) {
    const answer = unpack(buffer);
    const waiting = this.waiting.get(answer.id);
    this.waiting.delete(answer.id);
    if (!waiting) return;
    if (answer.error) waiting.reject(new Refused(answer.error));
    else waiting.resolve(answer);
  }

  close() {
    if (this.socket) this.socket.close();
  }
}

// A table as an address has it: deflated, in base64 for addresses.
export async function packTable(text) {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  return toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function toBase64(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 4096) {
    text += String.fromCharCode(...bytes.subarray(i, i + 4096));
  }
  return btoa(text);
}

let shared = null;

// Check the answer to a lesson's exercise: {right, text}.
export function check(lesson, exercise, answer) {
  shared ??= new Connection();
  return shared.ask({
    do: "check", lesson, exercise: String(exercise), answer: String(answer),
    lang: document.documentElement.lang,
  });
}

// The picture of a lesson for a setting of its knobs: {panels}.
export function picture(lesson, knobs) {
  shared ??= new Connection();
  return shared.ask({ do: "picture", lesson, knobs, lang: document.documentElement.lang });
}
