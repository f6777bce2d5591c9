// What others wrote becomes text and attributes of plain elements, never markup.
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child != null && child !== "" && child !== false));
  return made;
}

// Whose direction of writing does not reach beyond it.
export const name = (text) => element("bdi", {}, text);

export const button = (label, onclick, attributes = {}) =>
  element("button", { type: "button", class: "quiet", onclick, ...attributes }, label);

// New content for `list`; who was on a control of it by keyboard stays there. Controls are told apart by data-focus.
export function replace(list, items) {
  const was = list.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined;
  const kept = new Set(items);
  for (const child of [...list.children]) if (!kept.has(child)) child.remove();
  items.forEach((item, index) => {
    // What stays is not moved: it would lose how far it was scrolled.
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
  });
  if (was === undefined) return;
  [...list.querySelectorAll("[data-focus]")].find((control) => control.dataset.focus === was)?.focus();
}

export function say(place, sentence) {
  place.textContent = sentence ?? "";
  place.hidden = !sentence;
}

export const counted = (count, one) => `${count} ${one}${count === 1 ? "" : "s"}`;
