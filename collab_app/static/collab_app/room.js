// A room, live: what its socket tells goes to the part of the page that shows it.
import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { Conversation } from "./conversation.js";
import { element, say } from "./element.js";
import { Outbox } from "./outbox.js";
import { People } from "./people.js";
import { SharedState } from "./state.js";

const at = (id) => document.getElementById(id);
const main = at("main");

const connection = new Connection(main.dataset.room, { status, begun, news, over });
const ask = (what) => connection.ask(what);
const conversation = new Conversation(ask);
const outbox = new Outbox(connection, conversation, (text) => composer.take(text));
const people = new People(connection);
const state = new SharedState(ask);
const composer = new Composer((text) => outbox.post(text));
let you = null;

function status(text) {
  say(at("connection"), text);
  at("connection").classList.toggle("good", text === "Connected");
}

function begun(snapshot) {
  you = snapshot.you;
  composer.enable(true);
  conversation.begun(snapshot);
  people.begun(snapshot);
  outbox.resend();
}

function news({ messages = [], state: changed, keys, members, here }) {
  outbox.told(messages, you);
  conversation.told(messages);
  state.told(changed, keys);
  if (members || here) people.told({ members, here });
}

function over(why, reason) {
  const isOut = why === "out";
  const here = encodeURIComponent(location.pathname);
  const link = isOut
    ? element("a", { href: main.dataset.rooms }, "Your rooms")
    : element("a", { href: `${main.dataset.signIn}?next=${here}` }, "Sign in again");
  at("over").replaceChildren(isOut ? `${reason || "You are not in this room any more"}. ` : "You are signed out. ", link);
  at("over").hidden = false;
  main.classList.add("over");
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  for (const field of main.querySelectorAll("input, textarea")) field.readOnly = true; // what was written can be copied
  for (const control of main.querySelectorAll("form button, .side button")) control.disabled = true;
}

for (const part of document.querySelectorAll("[data-shows]")) {
  part.addEventListener("click", () => {
    main.dataset.panel = part.dataset.shows;
    for (const each of document.querySelectorAll("[data-shows]")) {
      each.setAttribute("aria-pressed", String(each === part));
    }
  });
}

connection.open();
