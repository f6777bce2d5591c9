// What the room shares: a value under each key, as it is now.
import { button, element, name, replace } from "./element.js";
import { confirm, reconsider } from "./dialog.js";
import { time } from "./times.js";
import { ValueEditor, pretty } from "./value_editor.js";

const MOST_SHOWN = 20_000; // characters; more is in the editor
const CHANGED_FOR = 2000;
const at = (id) => document.getElementById(id);

export class SharedState {
  #ask;
  #entries = new Map();
  #editor;
  #hasBegun = false;

  constructor(ask) {
    this.#ask = ask;
    this.#editor = new ValueEditor(ask);
    at("add-value").addEventListener("click", () => this.#editor.add());
  }

  // With the first news, too, if nothing was ever shared: then they do not speak of it.
  told(changed, keys = []) {
    if (this.#hasBegun && changed === undefined) return;
    const known = new Set(keys);
    for (const entry of changed ?? []) {
      const item = this.#item(entry);
      if (this.#hasBegun && this.#entries.get(entry.key)?.version !== entry.version) flash(item);
      this.#entries.set(entry.key, { ...entry, item });
    }
    for (const key of this.#entries.keys()) if (!known.has(key)) this.#entries.delete(key);
    this.#hasBegun = true;
    this.#show();
  }

  #show() {
    const sorted = [...this.#entries.values()].sort((one, other) => (one.key < other.key ? -1 : 1));
    replace(at("values"), sorted.map(({ item }) => item));
    at("no-state").hidden = sorted.length > 0;
    at("state-count").textContent = sorted.length || "";
  }

  #item(entry) {
    const { key, version } = entry;
    const text = pretty(entry.value);
    const by = entry.changed_by === null ? "a former user" : name(entry.changed_by);
    return element(
      "li",
      { class: "value" },
      element("h3", {}, element("code", { dir: "auto" }, key)),
      element("pre", { tabindex: "0", "aria-label": `Value of ${key}`, "data-focus": `value ${key}` },
        text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text),
      element("p", { class: "details" }, "by ", by, entry.client && " with ", entry.client && name(entry.client), ", ",
        time(entry.changed_at), `, version ${version}`),
      element("p", { class: "buttons" },
        button("Edit", () => this.#editor.edit(this.#entries.get(key)),
          { "aria-label": `Edit ${key}`, "data-focus": `edit ${key}` }),
        button("Remove", () => this.#remove(this.#entries.get(key)),
          { "aria-label": `Remove ${key}`, "data-focus": `remove ${key}` })),
    );
  }

  #remove({ key, version }) {
    confirm({
      title: "Remove a value",
      says: `“${key}” is removed for everybody in the room.`,
      yes: "Remove",
      run: async () => {
        try {
          await this.#ask({ do: "remove", key, version });
        } catch (error) {
          if (error.status === 404) return; // somebody else did
          if (error.status === 409) {
            version = error.details.version;
            if (version === 0) return;
            reconsider("Remove this one", pretty(error.details.value));
          }
          throw error;
        }
      },
    });
  }
}

function flash(item) {
  item.classList.add("changed");
  setTimeout(() => item.classList.remove("changed"), CHANGED_FOR);
}
