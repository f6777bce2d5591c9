// Says when the first client has come with a new key, and which.
const EVERY = 2000, AT_MOST = 15 * 60 * 1000;
const place = document.getElementById("connection");
const began = Date.now();
let timer = null, isLooking = false;

async function look() {
  if (isLooking) return;
  isLooking = true;
  await ask();
  isLooking = false;
}

async function ask() {
  let answer;
  try {
    answer = await fetch(place.dataset.connection, { redirect: "manual", cache: "no-store" });
  } catch {
    return again(); // the network may come back
  }
  if (answer.type === "opaqueredirect") return say("You are signed out, so nobody is waiting here any more.");
  if (answer.status === 404) return say("This key is not there any more.");
  const clients = answer.ok ? (await answer.json()).clients : [];
  if (clients.length === 0) return again();
  const names = clients.map(({ name, version }) => `${name || "a client without a name"} ${version}`.trim());
  say(`Connected: ${names.join(", ")}`);
  place.className = "connected";
}

function again() {
  if (Date.now() - began > AT_MOST) return say("Nobody has come with it yet. Reading Sessions later shows who did.");
  if (!document.hidden) timer = setTimeout(look, EVERY);
}

function say(sentence) {
  place.textContent = sentence;
  place.className = "";
  document.removeEventListener("visibilitychange", hurry);
}

function hurry() {
  clearTimeout(timer);
  if (!document.hidden) look();
}

place.textContent = "Waiting for the first connection…";
document.addEventListener("visibilitychange", hurry);
look();
