// What was said, in its order, each message once; how far it was read; and what is new.
import { counted, element, say } from "./element.js";
import { goesOn, messageItem } from "./message.js";

const AT_BOTTOM = 40; // pixels
const READ_AFTER = 300;
const at = (id) => document.getElementById(id);

export class Conversation {
  #ask;
  #you = null;
  #items = new Map();
  #line = element("li", { class: "line" }, element("span", {}, "New since you were here"));
  #read = 0;
  #unseen = 0;
  #isFollowing = true;
  #hasBegun = false;
  #timer = null;

  // `ask`: of the connection.
  constructor(ask) {
    this.#ask = ask;
    this.title = document.title;
    at("log").addEventListener("scroll", () => this.#scrolled());
    at("newest").addEventListener("click", () => this.toBottom());
    at("earlier").addEventListener("click", () => this.#loadEarlier());
    document.addEventListener("visibilitychange", () => this.#look());
    new ResizeObserver(() => {
      this.#keep();
      this.#look();
    }).observe(at("log"));
  }

  begun({ you, last_read }) {
    this.#you = you;
    this.#read = Math.max(this.#read, last_read);
  }

  // What the socket told. The first time it is what there was before.
  told(messages) {
    const isFirst = !this.#hasBegun;
    this.#hasBegun = true;
    this.add(messages, isFirst);
    if (!isFirst) return;
    at("log").removeAttribute("aria-busy");
    if (this.#line.isConnected) this.#toLine();
    this.#look();
  }

  add(messages, areOld = false) {
    const unread = messages.filter(({ sequence }) => !this.#items.has(sequence) && sequence > this.#read);
    for (const message of messages) this.#insert(message);
    const strange = unread.filter(({ author, client }) => author !== this.#you || client !== "");
    if (strange.length > 0 && (areOld || !this.#isWatched)) this.#note(strange);
    at("earlier").hidden = this.#first === undefined || this.#first <= 1;
    at("nothing-said").hidden = this.#items.size > 0 || at("unsent").childElementCount > 0;
    this.#keep();
    if (!areOld) this.#look();
  }

  toBottom() {
    this.#isFollowing = true;
    this.#keep();
    this.#look();
  }

  // Who writes has seen what there is.
  spoke() {
    this.#line.remove();
    at("nothing-said").hidden = true;
    this.toBottom();
  }

  get #first() {
    return at("messages").querySelector(".message")?.message.sequence;
  }

  get #last() {
    return [...this.#items.keys()].reduce((last, sequence) => Math.max(last, sequence), 0);
  }

  get #isWatched() {
    return !document.hidden && this.#isFollowing && at("log").clientHeight > 0;
  }

  #insert(message) {
    if (this.#items.has(message.sequence)) return;
    const item = messageItem(message, this.#you);
    this.#items.set(message.sequence, item);
    let before = at("messages").lastElementChild;
    while (before && (!before.message || before.message.sequence > message.sequence)) {
      before = before.previousElementSibling;
    }
    if (before) before.after(item);
    else at("messages").prepend(item);
    for (const each of [item, this.#items.get(message.sequence + 1)]) this.#join(each);
  }

  #join(item) {
    const before = this.#items.get(item?.message.sequence - 1);
    item?.classList.toggle("goes-on", goesOn(item.message, before?.message));
  }

  #note(strange) {
    if (this.#unseen === 0) this.#items.get(strange[0].sequence).before(this.#line);
    this.#unseen += strange.length;
    this.#show();
  }

  #scrolled() {
    const log = at("log");
    if (log.clientHeight === 0) return;
    this.#isFollowing = log.scrollHeight - log.scrollTop - log.clientHeight < AT_BOTTOM;
    this.#look();
  }

  #keep() {
    const log = at("log");
    if (this.#isFollowing) log.scrollTop = log.scrollHeight;
  }

  #toLine() {
    const log = at("log");
    log.scrollTop += this.#line.getBoundingClientRect().top - log.getBoundingClientRect().top - log.clientHeight / 4;
    this.#scrolled();
  }

  #look() {
    if (this.#isWatched) {
      this.#unseen = 0;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#tellRead(), READ_AFTER);
    }
    this.#show();
  }

  async #tellRead() {
    const last = this.#last;
    if (last <= this.#read || !this.#isWatched) return;
    try {
      await this.#ask({ do: "read", sequence: last });
      this.#read = Math.max(this.#read, last);
    } catch {
      // It is told after the next message, or when the page is looked at again.
    }
  }

  #show() {
    document.title = document.hidden && this.#unseen ? `(${this.#unseen}) ${this.title}` : this.title;
    at("talk-count").textContent = this.#unseen ? `${this.#unseen} new` : "";
    at("newest").hidden = this.#isFollowing || this.#items.size === 0;
    at("newest").textContent = this.#unseen ? `${counted(this.#unseen, "new message")} ↓` : "Newest messages ↓";
  }

  async #loadEarlier() {
    const log = at("log"), button = at("earlier");
    button.disabled = true;
    log.setAttribute("aria-busy", "true");
    try {
      const messages = await this.#ask({ do: "earlier", before: this.#first });
      const below = log.scrollHeight - log.scrollTop;
      const line = this.#line.isConnected;
      for (const message of messages) this.#insert(message);
      const unread = messages.find(({ sequence, author }) => sequence > this.#read && author !== this.#you);
      if (line && unread) this.#items.get(unread.sequence).before(this.#line);
      button.hidden = messages.length === 0 || this.#first <= 1;
      log.scrollTop = log.scrollHeight - below;
      say(at("earlier-error"), null);
      if (button.hidden) log.focus();
    } catch (error) {
      say(at("earlier-error"), error.message);
    }
    log.removeAttribute("aria-busy");
    button.disabled = false;
  }
}
