// Where one writes: Enter sends, Shift + Enter begins a new line.
const at = (id) => document.getElementById(id);

export class Composer {
  constructor(send) {
    const form = at("composer"), text = at("text");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const said = text.value.trim();
      if (said === "" || text.disabled) return;
      text.value = "";
      this.#grow();
      send(said.toWellFormed?.() ?? said);
    });
    text.addEventListener("input", () => this.#grow());
    text.addEventListener("keydown", (event) => {
      // An Enter that ends the choice of a character is not meant for us.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    });
  }

  enable(isEnabled) {
    for (const control of at("composer").querySelectorAll("textarea, button")) control.disabled = !isEnabled;
  }

  // Before what is being written meanwhile.
  take(said) {
    const text = at("text");
    text.value = [said, text.value].filter(Boolean).join("\n");
    text.focus();
    this.#grow();
  }

  #grow() {
    const text = at("text");
    text.rows = Math.min(8, text.value.split("\n").length);
  }
}
