// Moves between pages by keyboard: "?" lists the keys. They do nothing in a field, and
// can be turned off, since somebody who speaks to their computer presses many.
const dialog = document.querySelector("dialog#keys");
const on = dialog?.querySelector("input");
let went = -Infinity; // when "g" was pressed

function off() {
  try { return localStorage.getItem("keys") === "off"; } catch { return false; }
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (off() || dialog.open || event.target.closest("input, textarea, select, [contenteditable]")) return;
  const second = event.timeStamp - went < 1500;
  went = -Infinity;
  if (second) {
    document.querySelector(`nav [data-key="${CSS.escape(event.key)}"]`)?.click();
  } else if (event.key === "g") {
    went = event.timeStamp;
  } else if (event.key === "?") {
    on.checked = true;
    dialog.showModal();
  } else if (event.key === "/") {
    const search = document.querySelector("main input[type=search]");
    if (!search) return;
    search.focus();
  } else {
    return;
  }
  event.preventDefault();
}

if (dialog) {
  addEventListener("keydown", press);
  on.addEventListener("change", () => {
    try { localStorage.setItem("keys", on.checked ? "on" : "off"); } catch { /* they are on again with the next page */ }
  });
  const button = document.querySelector("button[data-keys]");
  button.hidden = false;
  button.addEventListener("click", () => {
    on.checked = !off();
    dialog.showModal();
  });
}
