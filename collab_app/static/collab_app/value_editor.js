// A value of the shared state is written as JSON, and saved over that version which was seen.
import { onSubmit } from "./dialog.js";
import { say } from "./element.js";

const at = (id) => document.getElementById(id);

export const pretty = (value) => JSON.stringify(value, null, 2);

export class ValueEditor {
  #ask;
  #version = 0;

  constructor(ask) {
    this.#ask = ask;
    onSubmit(at("value-dialog"), at("value-form"), at("value-error"), () => this.#save());
    at("conflict-take").addEventListener("click", () => this.#take());
  }

  add() {
    this.#open("Add a value", "", "", 0);
    at("value-key").focus();
  }

  edit({ key, value, version }) {
    this.#open("Edit a value", key, pretty(value), version);
    at("value-json").focus();
  }

  #open(title, key, json, version) {
    at("value-title").textContent = title;
    at("value-key").value = key;
    at("value-key").readOnly = version > 0;
    at("value-json").value = json;
    at("value-save").textContent = "Save";
    at("conflict").hidden = true;
    say(at("value-error"), null);
    this.#version = version;
    at("value-dialog").showModal();
  }

  async #save() {
    const value = parsed(at("value-json").value);
    try {
      await this.#ask({ do: "set", key: at("value-key").value, value, version: this.#version });
    } catch (error) {
      if (error.status !== 409) throw error;
      this.#decide(error.details);
      throw new Error("Nothing was saved: it was changed meanwhile. Look at what is there now, and decide.");
    }
  }

  // Somebody else was there first. A second Save is over what is shown now.
  #decide({ value, version }) {
    this.#version = version;
    const isThere = version > 0;
    say(at("conflict-says"), isThere ? "There is now:" : "It was removed meanwhile.");
    say(at("conflict-value"), isThere ? pretty(value) : null);
    at("conflict-take").hidden = !isThere;
    at("value-save").textContent = isThere ? "Save mine over it" : "Save mine anew";
    at("conflict").hidden = false;
  }

  #take() {
    at("value-json").value = at("conflict-value").textContent;
    at("conflict").hidden = true;
    at("value-save").textContent = "Save";
    say(at("value-error"), null);
    at("value-json").focus();
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`This is not JSON: ${error.message}.`);
  }
}
