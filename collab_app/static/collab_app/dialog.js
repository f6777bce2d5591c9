// A dialog with a form. What is refused is said in it, and it stays.
import { say } from "./element.js";

const at = (id) => document.getElementById(id);

for (const closing of document.querySelectorAll("dialog [data-closes]")) {
  closing.addEventListener("click", () => closing.closest("dialog").close());
}

// `run` is called with each submission; it closes unless that throws.
export function onSubmit(dialog, form, place, run) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const send = form.querySelector("button:not([type])");
    send.disabled = true;
    say(place, null);
    try {
      await run();
      dialog.close();
    } catch (error) {
      say(place, error.message);
    }
    send.disabled = false;
  });
}

let confirmed = async () => {};
onSubmit(at("confirm"), at("confirm-form"), at("confirm-error"), () => confirmed());

export function confirm({ title, says, yes, run }) {
  say(at("confirm-title"), title);
  say(at("confirm-says"), says);
  say(at("confirm-value"), null);
  say(at("confirm-error"), null);
  at("confirm-yes").textContent = yes;
  confirmed = run;
  at("confirm").showModal();
}

// Once more, with what is there by now.
export function reconsider(yes, value) {
  at("confirm-yes").textContent = yes;
  say(at("confirm-value"), value);
}
