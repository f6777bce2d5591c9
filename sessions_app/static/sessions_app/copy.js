// A button with data-copy="ID" copies the text of that element, and says so: to who does not see it, too.
const said = document.createElement("p");
said.className = "visually-hidden";
said.setAttribute("role", "status");
document.body.append(said);

for (const button of document.querySelectorAll("button[data-copy]")) {
  const source = document.getElementById(button.dataset.copy);
  button.addEventListener("click", async () => {
    button.textContent = said.textContent = (await copy(source)) ? "Copied" : "Press Ctrl+C";
  });
}

async function copy(source) {
  getSelection().selectAllChildren(source);
  // Browsers have this on HTTPS and on localhost only; elsewhere there is the selection.
  if (navigator.clipboard === undefined) return document.execCommand("copy");
  return navigator.clipboard.writeText(source.textContent).then(() => true, () => false);
}
