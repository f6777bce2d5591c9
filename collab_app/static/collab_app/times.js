// Times as the reader's clock and language have them.
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

export function time(iso) {
  const made = document.createElement("time");
  made.dateTime = iso;
  return shown(made);
}

function shown(made) {
  const at = new Date(made.dateTime);
  if (Number.isNaN(at.valueOf())) return made;
  made.textContent = (at.toDateString() === new Date().toDateString() ? clock : day).format(at);
  made.title = whole.format(at);
  return made;
}

document.querySelectorAll("time").forEach(shown);
