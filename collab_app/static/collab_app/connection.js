// One room's socket: opened anew whenever it is lost, until there is a reason not to.
//
// It begins with the last message that was shown, and is told all since. What is asked is answered, refused, or lost.
const FIRST_PAUSE = 1000, LONGEST_PAUSE = 15_000, STEADY = 5000;
const ANSWERED_WITHIN = 15_000, BEAT = 45_000;
const LARGEST = 256 * 1024; // bytes; the server takes no larger frame
const SIGNED_OUT = 4401, OUT = 4403;

export class Refused extends Error {
  constructor({ message, status = 0, ...details }) {
    super(message);
    Object.assign(this, { status, details });
  }
}

// Nobody knows whether it was done.
export class Lost extends Error {
  constructor() {
    super("There is no connection, so it is not certain that this was done. Please try again.");
  }
}

export class Connection {
  #url;
  #tells;
  #socket = null;
  #asked = new Map();
  #nextId = 1;
  #failures = 0;
  #retry = null;
  #isOver = false;
  #room = null; // when it was made: what tells it from another of its id
  last = null; // the number of the newest message that was told

  // `tells`: { status(text), begun(snapshot), news(frame), over(why, reason) }
  constructor(room, tells) {
    this.#url = `${location.origin.replace(/^http/, "ws")}/ws/rooms/${room}`;
    this.#tells = tells;
    addEventListener("online", () => this.#hurry());
    addEventListener("offline", () => this.#lose());
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
    setInterval(() => this.#beat(), BEAT);
  }

  get isOpen() {
    return this.#socket !== null && this.#socket.isReady;
  }

  open() {
    if (this.#isOver || this.#socket !== null) return;
    clearTimeout(this.#retry);
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    setTimeout(() => socket === this.#socket && !socket.isReady && this.#lose(), ANSWERED_WITHIN);
    socket.onopen = () => {
      socket.openedAt = Date.now();
      socket.send(JSON.stringify({ do: "follow", after: this.last }));
    };
    socket.onmessage = ({ data }) => socket === this.#socket && this.#take(JSON.parse(data));
    socket.onclose = ({ code, reason }) => socket === this.#socket && this.#closed(code, reason);
  }

  // For good: the page is about to go.
  stop() {
    this.#isOver = true;
    clearTimeout(this.#retry);
    this.#lose();
  }

  // What came of it. Rejects with Refused or Lost.
  ask(what) {
    return new Promise((resolve, reject) => {
      if (!this.isOpen) return reject(new Lost());
      const id = this.#nextId++, frame = JSON.stringify({ id, ...what });
      if (new Blob([frame]).size > LARGEST) {
        return reject(new Refused({ message: "This is too large to send: 256 KiB is the most.", status: 413 }));
      }
      const timer = setTimeout(() => this.#lose(), ANSWERED_WITHIN);
      this.#asked.set(id, { resolve, reject, timer });
      this.#socket.send(frame);
    });
  }

  #take(frame) {
    if (frame.room) return this.#begun(frame);
    if ("done" in frame || "error" in frame) return this.#answered(frame);
    if (frame.messages) this.last = Math.max(this.last, frame.messages.at(-1).sequence);
    this.#tells.news(frame);
  }

  #begun(snapshot) {
    // Another room by now, under the same id.
    if (this.last !== null && snapshot.room.created_at !== this.#room) return location.reload();
    this.#room = snapshot.room.created_at;
    this.last = snapshot.after;
    this.#socket.isReady = true;
    this.#tells.status("Connected");
    this.#tells.begun(snapshot);
  }

  #answered({ id, done, error }) {
    // What could not even be read has no id; answers come in the order of what was asked.
    const answers = id ?? this.#asked.keys().next().value;
    const { resolve, reject, timer } = this.#asked.get(answers) ?? {};
    clearTimeout(timer);
    this.#asked.delete(answers);
    if (error) reject?.(new Refused(error));
    else resolve?.(done);
  }

  // The server does not answer, or the network has gone; the browser would notice much later.
  #lose() {
    const socket = this.#socket;
    if (socket === null) return;
    this.#closed(1006);
    socket.close();
  }

  async #closed(code, reason = "") {
    const { openedAt } = this.#socket;
    this.#socket = null;
    for (const { reject, timer } of this.#asked.values()) {
      clearTimeout(timer);
      reject(new Lost());
    }
    this.#asked.clear();
    if (this.#isOver) return;
    if (code === SIGNED_OUT) return this.#end("signed out");
    if (code === OUT) return this.#end("out", reason);
    this.#tells.status("Reconnecting…");
    this.#failures = openedAt !== undefined && Date.now() - openedAt > STEADY ? 0 : this.#failures + 1;
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.max(0, this.#failures - 1));
    this.#retry = setTimeout(() => this.open(), pause * (1 + Math.random() / 2));
    if (openedAt !== undefined) return;
    const why = await whyNot();
    if (why !== null && this.#socket?.isReady !== true) this.#end(why);
  }

  #end(why, reason) {
    this.stop();
    this.#tells.status("");
    this.#tells.over(why, reason);
  }

  // There may be a network again, or a laptop was opened.
  #hurry() {
    if (this.#socket === null) this.open();
    else this.#beat();
  }

  // Changes nothing; but whether an answer comes says whether the server is still there.
  #beat() {
    if (this.isOpen) this.ask({ do: "read", sequence: 0 }).catch(() => {});
  }
}

// A script is not told why a socket was not opened. The page's own address says it.
async function whyNot() {
  try {
    const page = await fetch(location.pathname, { method: "HEAD", redirect: "manual", cache: "no-store" });
    if (page.type === "opaqueredirect") return "signed out";
    // A proxy that finds no server behind it may say 404, too.
    return page.status === 404 && page.headers.has("Content-Security-Policy") ? "out" : null;
  } catch {
    return null;
  }
}
