import { button, element, name } from "./element.js";
import { time } from "./times.js";

const LONG = 3000, MANY_LINES = 40;
const TOGETHER = 5 * 60 * 1000;

// One message, as an item of the list.
export function messageItem(message, you) {
  const who = element("span", { class: "author" }, message.author === null ? "a former user" : name(message.author));
  const by = message.client && element("span", { class: "client" }, "with ", name(message.client));
  const item = element(
    "li",
    { class: message.author === you ? "message mine" : "message" },
    element("p", { class: "head" }, who, " ", by, " ", time(message.posted_at)),
    ...body(message.text),
  );
  item.message = message;
  return item;
}

export function body(text) {
  const said = element("div", { class: "text", dir: "auto" }, text);
  if (text.length <= LONG && text.split("\n", MANY_LINES + 1).length <= MANY_LINES) return [said];
  said.classList.add("cut");
  const more = button("Show all of it", () => {
    const isCut = said.classList.toggle("cut");
    more.textContent = isCut ? "Show all of it" : "Show less";
    more.setAttribute("aria-expanded", String(!isCut));
  }, { "aria-expanded": "false" });
  return [said, more];
}

// Whether it goes on with what the same one said just before, so that a reader need not be told again who speaks.
export function goesOn(message, before) {
  if (before === undefined || message.author !== before.author || message.client !== before.client) return false;
  return new Date(message.posted_at) - new Date(before.posted_at) < TOGETHER;
}
