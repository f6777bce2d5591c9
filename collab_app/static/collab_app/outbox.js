// What was written here and is not said yet. A message has its key for good, so that it is said once, however often
// it is sent.
import { button, element } from "./element.js";
import { Lost } from "./connection.js";
import { body } from "./message.js";

const at = (id) => document.getElementById(id);

export class Outbox {
  #connection;
  #conversation;
  #edit;
  #waiting = new Set();

  // `edit(text)`: let it be written anew.
  constructor(connection, conversation, edit) {
    this.#edit = edit;
    this.#connection = connection;
    this.#conversation = conversation;
    addEventListener("beforeunload", (event) => this.#waiting.size > 0 && event.preventDefault());
  }

  post(text) {
    const note = element("p", { class: "note" });
    const item = element("li", { class: "message mine unsent" }, ...body(text), note);
    const message = { text, key: newKey(), item, note, isSending: false, hasFailed: false };
    this.#waiting.add(message);
    at("unsent").append(item);
    this.#conversation.spoke();
    this.#send(message);
  }

  // After a connection is there again.
  resend() {
    for (const message of this.#waiting) if (!message.hasFailed) this.#send(message);
  }

  // It may be told to all before the answer is here, and should not stand there twice meanwhile.
  told(messages, you) {
    for (const { author, client, text } of messages) {
      if (author !== you || client !== "") continue;
      const sent = [...this.#waiting].find((each) => each.isSending && each.text === text && each.item.isConnected);
      sent?.item.remove();
    }
  }

  get #isEmpty() {
    return this.#waiting.size === 0;
  }

  async #send(message) {
    if (message.isSending) return;
    message.isSending = true;
    message.hasFailed = false;
    message.note.replaceChildren("Sending…");
    try {
      const said = await this.#connection.ask({ do: "post", text: message.text, key: message.key });
      this.#drop(message);
      this.#conversation.add([said]);
    } catch (error) {
      if (!message.item.isConnected) at("unsent").append(message.item);
      if (error instanceof Lost) message.note.replaceChildren("Sending… as soon as there is a connection");
      else this.#fail(message, error);
    } finally {
      message.isSending = false;
    }
  }

  #fail(message, error) {
    message.hasFailed = true;
    message.note.replaceChildren(
      element("span", { class: "error", role: "alert" }, error.message),
      button("Try again", () => this.#send(message)),
      button("Edit", () => {
        this.#drop(message);
        this.#edit(message.text);
      }),
      button("Discard", () => this.#drop(message)),
    );
    this.#conversation.toBottom();
  }

  #drop(message) {
    this.#waiting.delete(message);
    message.item.remove();
    if (this.#isEmpty) this.#conversation.add([]);
  }
}

// randomUUID is there on HTTPS and on localhost only.
function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
