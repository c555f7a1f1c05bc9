// Keeps a page that shows something changing up to date. The server tells what changes;
// the page then asks for itself again, and takes over what is new in it. Elements stay
// where they are, so that focus, scrolling and open details do; a form that somebody
// fills in is left alone. A hidden page rests.
const main = document.querySelector("main[data-live]");
const lost = document.querySelector("[data-lost]");
const said = document.querySelector("[data-said]");
const policy = globalThis.trustedTypes?.createPolicy("rota", { createHTML: (text) => text });
const least = 750, idle = 60_000; // milliseconds between two looks: while things change, and while nothing does
let mark = main?.dataset.live; // up to where changes are known
let stream, again, timer, wait = 1000, due = Infinity, looked = performance.now(), took = 0;
let busy = false, leaving = false;

// later sees to it that the page is asked for again, after some milliseconds at most.
function later(ms) {
  const at = performance.now() + ms;
  if (at >= due || !main) return;
  due = at;
  clearTimeout(timer);
  timer = setTimeout(() => refresh().catch(() => {}), ms);
}

function soon() {
  if (!busy) later(Math.max(0, looked + Math.max(least, 3 * took) - performance.now()));
  else again = true;
}

export async function refresh() {
  due = Infinity;
  if (!main || document.hidden || leaving) return;
  if (!getSelection().isCollapsed) return later(1000); // somebody is copying
  busy = true;
  again = false;
  const began = performance.now();
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected || leaving) return;
    const text = await answer.text();
    const page = new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, "text/html");
    const fresh = page.querySelector("main[data-live]");
    if (fresh && !leaving) take(fresh, page.title);
  } finally {
    busy = false;
    looked = performance.now();
    took = looked - began;
    if (again) soon();
    else later(idle);
  }
}

function take(fresh, title) {
  const focused = document.activeElement, before = main.querySelector("h1")?.textContent;
  children(main, fresh);
  document.title = title;
  const after = main.querySelector("h1")?.textContent;
  if (said && after !== before) said.textContent = after; // the one thing that is read out
  if (focused !== document.activeElement && main.contains(focused)) focused.focus({ preventScroll: true });
}

// used reports whether somebody fills in a form.
function used(form) {
  return "dirty" in form.dataset || form.contains(document.activeElement) && document.activeElement.matches("input, textarea, select");
}

// name returns by what an element is known in the next page: a row by its first link.
function name(node) {
  if (node.nodeType !== 1) return "";
  return node.id || (node.matches("tr, li") && node.querySelector("a[href]")?.getAttribute("href")) || "";
}

function alike(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName && name(a) === name(b);
}

// children makes the children of an element those of another one.
function children(old, fresh) {
  const known = new Map();
  for (const node of old.childNodes) if (name(node) && !known.has(name(node))) known.set(name(node), node);
  let at = old.firstChild;
  for (const node of [...fresh.childNodes]) {
    let mine = at && alike(at, node) ? at : known.get(name(node));
    if (!mine || !alike(mine, node)) {
      old.insertBefore(document.adoptNode(node), at);
      continue;
    }
    known.delete(name(node));
    if (mine === at) at = at.nextSibling;
    else old.insertBefore(mine, at);
    merge(mine, node);
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

// merge makes an element what another one is.
function merge(old, fresh) {
  if (old.nodeType !== 1) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.isEqualNode(fresh) || old.nodeName === "FORM" && used(old)) return;
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && name !== "open") old.setAttribute(name, value);
  }
  children(old, fresh);
}

// concerns reports whether a change may show on this page.
function concerns({ type, data }) {
  const about = main.dataset.about;
  if (type !== "changes" || !about) return type !== "started";
  return data.some((c) => [c.id, c.agent_id, c.schedule_id, c.run_id].includes(about));
}

function open() {
  if (stream || document.hidden || leaving) return;
  const at = new URL("/changes", location.href);
  for (const name of ["for", "end_user"]) {
    const value = new URLSearchParams(location.search).get(name);
    if (value) at.searchParams.set(name, value);
  }
  at.searchParams.set("starting_after", mark);
  stream = new EventSource(at);
  stream.onopen = () => {
    wait = 1000;
    if (lost) lost.hidden = true;
  };
  stream.onmessage = (event) => {
    mark = event.lastEventId;
    if (concerns(JSON.parse(event.data))) soon();
  };
  stream.onerror = () => {
    if (leaving || document.hidden) return;
    if (lost) lost.hidden = false;
    if (stream?.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    close();
    setTimeout(open, wait);
    wait = Math.min(2 * wait, 60_000);
  };
}

function close() {
  stream?.close();
  stream = undefined;
}

if (main) {
  open();
  later(idle);
  main.addEventListener("input", (event) => {
    if (event.target.form) event.target.form.dataset.dirty = "";
  });
  main.addEventListener("submit", () => { leaving = true; });
  addEventListener("pagehide", () => { leaving = true; close(); });
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    leaving = false;
    open();
    soon();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return close();
    open();
    soon();
  });
}
