// Keeps a page that shows something changing up to date: it asks for the page again and
// puts the new main part in place. Nothing is changed while somebody uses a form.
const seconds = 5;
const policy = globalThis.trustedTypes?.createPolicy("rota", { createHTML: (text) => text });

async function refresh() {
  const main = document.querySelector("main[data-live]");
  const busy = main?.contains(document.activeElement) || main?.querySelector("details[open]") || !getSelection().isCollapsed;
  if (!main || document.hidden || busy) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  const text = await answer.text();
  const page = new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, "text/html");
  const fresh = page.querySelector("main[data-live]");
  if (!fresh || main.contains(document.activeElement)) return;
  main.replaceChildren(...fresh.childNodes);
  document.title = page.title;
}

setInterval(() => refresh().catch(() => {}), seconds * 1000);
