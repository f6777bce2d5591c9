// A form with data-running says so while its answer is awaited, and is not sent twice meanwhile.
for (const form of document.querySelectorAll("form[data-running]")) {
  const button = form.querySelector("button[type=submit]");
  const words = button.textContent;
  form.addEventListener("submit", () => {
    button.disabled = true;
    button.textContent = form.dataset.running;
  });
  // Whoever comes back finds the page as he left it.
  addEventListener("pageshow", () => {
    button.disabled = false;
    button.textContent = words;
  });
}
