// Tells the server the viewer's time zone, so that it can write times as his clock has them. See project/pages/zone.py.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const secure = location.protocol === "https:" ? "; Secure" : "";

if (/^[A-Za-z0-9_+/-]{1,64}$/.test(zone ?? "")) {
  document.cookie = `timezone=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
}
