// Shows when the schedule of a form would run while somebody types, and fills in the
// zone of the browser for a new one.
const form = document.querySelector("form[data-preview]");
const policy = globalThis.trustedTypes?.createPolicy("rota-preview", { createHTML: (text) => text });
let asked = 0;

async function preview() {
  const mine = ++asked;
  const body = new URLSearchParams(new FormData(form));
  body.set("preview", "1");
  const answer = await fetch(location.href, { method: "POST", body, headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected || mine !== asked) return;
  const text = await answer.text();
  const page = new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, "text/html");
  for (const fresh of page.querySelectorAll("#preview, fieldset .field > p")) {
    const old = document.getElementById(fresh.id);
    if (old) old.replaceChildren(...fresh.childNodes);
  }
}

let timer;
form?.addEventListener("input", (event) => {
  if (!event.target.name.startsWith("schedule.")) return;
  clearTimeout(timer);
  timer = setTimeout(() => preview().catch(() => {}), 400);
});
