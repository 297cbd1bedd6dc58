// One training: what is asked of the server, one question at a time, and who hears the answers.

import { Connection, Refused } from "./protocol.js";
import { changed, toAddress } from "./settings.js";

export class Player extends EventTarget {
  constructor() {
    super();
    this.connection = new Connection();
    this.settings = null; // of the server
    this.frame = null; // the last answer
    this.data = null; // what the points are
    this.samples = {}; // and the points
    this.playing = false;
    this.speed = 1; // epochs a frame
    this.wanted = null; // what to ask next
    this.busy = false;
    this.frames = []; // when the last frames came
  }

  // Begin with an address.
  start(address) {
    this.ask({ do: "set", settings: address, all: true });
  }

  // Change settings, and train to where it was at once.
  change(change) {
    const base = this.pending ?? this.settings;
    if (!base) return;
    const at = this.target ?? { epoch: 0 };
    this.pending = changed({ ...base, epoch: at.epoch, batch_at: 0 }, change);
    this.ask({ do: "set", settings: toAddress(this.pending) });
  }

  go(epoch, batch = 0) {
    this.target = { epoch, batch };
    if (this.wanted?.do === "set") {
      this.pending = { ...this.pending, epoch, batch_at: batch };
      this.wanted.settings = toAddress(this.pending);
    } else {
      this.ask({ do: "go", epoch, batch });
    }
  }

  step() {
    const { epoch, batch } = this.here;
    this.pause();
    this.go(epoch, batch + 1);
  }

  epochs(n) {
    const { epoch, batch } = this.here;
    this.pause();
    this.go(Math.max(0, n < 0 && batch ? epoch + n + 1 : epoch + n));
  }

  get here() {
    return { epoch: this.frame?.epoch ?? 0, batch: this.frame?.batch ?? 0 };
  }

  play() {
    if (this.playing || !this.settings) return;
    this.playing = true;
    this.tell("playing");
    this.pump();
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    this.tell("playing");
    this.tell("rest");
  }

  // The last question counts; one that waits is replaced.
  ask(message) {
    this.wanted = message;
    return this.pump();
  }

  async pump() {
    if (this.busy) return;
    this.busy = true;
    let ahead = null; // the next frame is made while this one is drawn
    while (this.wanted || this.playing || ahead) {
      const isOnward = ahead !== null || !this.wanted;
      try {
        const asked = ahead ?? this.query(this.wanted ?? this.onward());
        if (!isOnward) this.wanted = null;
        ahead = null;
        this.frame = await asked;
        if (this.playing && !this.wanted && !this.frame.reason) ahead = this.query(this.onward());
        this.take(this.frame, isOnward);
        await new Promise((resolve) => this.nextFrame(resolve));
      } catch (error) {
        ahead = null;
        this.failed(error);
        if (!(error instanceof Refused)) throw error;
      }
    }
    this.busy = false;
  }

  // Drawing comes first; a page in the background draws nothing, and may go on slowly.
  nextFrame(resolve) {
    if (document.hidden) setTimeout(resolve, 250);
    else requestAnimationFrame(resolve);
  }

  onward() {
    const { epoch } = this.here;
    this.target = { epoch: epoch + this.speed, batch: 0 };
    return { do: "go", ...this.target };
  }

  // Ask for something else; a new session (the server was started anew) is told where we are.
  async query(message) {
    await this.connection.open();
    const session = this.connection.socket;
    if (session !== this.session) {
      if (message.do !== "set" && this.settings) {
        const { epoch, batch } = this.here;
        const here = toAddress({ ...this.settings, epoch, batch_at: batch });
        const answer = await this.connection.ask({ do: "set", settings: here });
        if (message.do === "go" && !answer.done) return answer;
      }
      this.session = session;
    }
    return this.connection.ask(message);
  }

  take(answer, isOnward) {
    const now = performance.now();
    this.frames = [...this.frames.filter((t) => t > now - 1000), now];
    if (answer.settings) {
      this.settings = answer.settings;
      this.address = answer.address;
      if (!this.wanted) this.pending = null;
      this.target = { epoch: answer.settings.epoch, batch: answer.settings.batch_at };
      if (answer.data) {
        this.data = answer.data;
        this.samples = answer.arrays;
        this.tell("data");
      }
      this.tell("settings");
    }
    this.tell("frame");
    this.tell("well");
    if (answer.reason) this.pause();
    if (this.playing || this.wanted) return;
    if (answer.done || isOnward) {
      this.target = this.here;
      this.tell("rest");
    } else {
      this.wanted = { do: "go", ...this.target }; // the rest of the way
    }
  }

  failed(error) {
    this.playing = false;
    this.pending = null;
    this.error = error.words ?? { en: String(error), zh: String(error) };
    this.tell("playing");
    this.tell("error");
  }

  // Say where the picture is, for the address.
  get link() {
    const { epoch, batch } = this.here;
    const at = [epoch ? `epoch=${epoch}` : "", batch ? `batch_at=${batch}` : ""].filter(Boolean);
    return [this.address, ...at].filter(Boolean).join("&");
  }

  tell(name) {
    this.dispatchEvent(new Event(name));
  }

  on(name, listener) {
    this.addEventListener(name, listener);
    return this;
  }

  close() {
    this.playing = false;
    this.wanted = null;
    this.connection.close();
  }
}
