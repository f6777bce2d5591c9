// A link with data-asks leads to a page that asks. Here it is asked in a dialog; its form is sent to that page.
const at = (id) => document.getElementById(id);
const dialog = at("ask");

for (const link of document.querySelectorAll("a[data-asks]")) {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // in another tab, as with any link
    event.preventDefault();
    dialog.querySelector("form").action = link.href;
    at("ask-title").textContent = link.dataset.asks;
    at("ask-says").textContent = link.dataset.says;
    at("ask-yes").textContent = link.dataset.yes;
    at("ask-also").textContent = link.dataset.also ?? "";
    at("ask-also").hidden = !link.dataset.also;
    dialog.showModal();
  });
}

at("ask-no").addEventListener("click", () => dialog.close());
