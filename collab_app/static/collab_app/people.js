// Who is a member, who of them is here and by what, and who comes and goes.
import { confirm } from "./dialog.js";
import { button, element, name, replace, say } from "./element.js";

const at = (id) => document.getElementById(id);

export class People {
  #connection;
  #you = null;
  #isByInvitation = false;
  #members = [];
  #here = [];

  constructor(connection) {
    this.#connection = connection;
    at("invite").addEventListener("submit", (event) => this.#invite(event));
    at("leave").addEventListener("click", () => this.#leave());
  }

  begun({ you, room }) {
    this.#you = you;
    this.#isByInvitation = room.by_invitation;
    at("by-invitation").hidden = !room.by_invitation;
  }

  told({ members = this.#members, here = this.#here }) {
    this.#members = members;
    this.#here = here;
    const invited = members.filter(({ role }) => role === "invited");
    replace(at("members"), [...this.#present, ...invited].map((member) => this.#item(member)));
    at("people-count").textContent = this.#present.length || "";
    at("leave").disabled = false; // what leaving does depends on who else is in it
  }

  get #present() {
    return this.#members.filter(({ role }) => role !== "invited");
  }

  get #isOwner() {
    return this.#members.some(({ username, role }) => username === this.#you && role === "owner");
  }

  #item({ username, role }) {
    const ways = this.#here.filter((each) => each.username === username).map(({ client }) => client);
    const mayRemove = this.#isOwner && username !== this.#you;
    const label = role === "invited" ? "Withdraw" : "Remove";
    return element(
      "li",
      { class: ways.length > 0 ? "person here" : "person" },
      element("div", {},
        element("p", {}, element("span", { class: "author" }, name(username)), username === this.#you && " (you)",
          role !== "member" && element("span", { class: "role" }, role)),
        role !== "invited" && element("p", { class: "details" }, ...where(ways))),
      mayRemove && button(label, () => this.#putOut(username, role),
        { "aria-label": `${label} ${username}`, "data-focus": `remove ${username}` }),
    );
  }

  async #invite(event) {
    event.preventDefault();
    const field = at("username"), username = field.value.trim();
    try {
      await this.#connection.ask({ do: "invite", username });
      say(at("invite-error"), null);
      if (field.value.trim() === username) field.value = "";
    } catch (error) {
      say(at("invite-error"), error.message);
    }
  }

  #putOut(username, role) {
    confirm({
      title: role === "invited" ? "Withdraw an invitation" : "Remove somebody",
      says: role === "invited"
        ? `${username} cannot join any more, until invited again.`
        : `${username} sees nothing of this room any more, and comes back only when invited. What ${username} said stays.`,
      yes: role === "invited" ? "Withdraw" : "Remove",
      run: () => this.#connection.ask({ do: "put-out", username }),
    });
  }

  #leave() {
    confirm({
      title: "Leave the room",
      says: this.#whatLeavingDoes(),
      yes: "Leave",
      run: async () => {
        await this.#connection.ask({ do: "leave" });
        this.#connection.stop();
        location.assign(at("main").dataset.rooms);
      },
    });
  }

  #whatLeavingDoes() {
    const others = this.#present.filter(({ username }) => username !== this.#you);
    if (others.length === 0) return "You are the last one in it: the room is closed for good, for everybody.";
    const back = this.#isByInvitation
      ? "You can come back only when somebody invites you."
      : "You can come back as long as you know its id.";
    const hasOwner = others.some(({ role }) => role === "owner");
    return this.#isOwner && !hasOwner ? `The room goes on, and ${others[0].username} becomes its owner. ${back}` : back;
  }
}

// "here in a browser, with Claude"
function where(ways) {
  if (ways.length === 0) return ["not here"];
  return ways.flatMap((client, index) => [
    index === 0 ? "here " : ", ",
    ...(client === "" ? ["in a browser"] : ["with ", name(client)]),
  ]);
}
