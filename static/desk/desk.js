// The frame's behaviour. Every page works without it; lists, forms and links are plain HTML.
"use strict";

const label = (theme) => {
  for (const text of document.querySelectorAll("[data-theme-label]")) {
    text.textContent = theme === "dark" ? "Switch to light colours" : "Switch to dark colours";
  }
};

const setMenu = (open) => {
  const button = document.querySelector("[data-menu]");
  if (!button) return;
  button.setAttribute("aria-expanded", String(open));
  document.getElementById("side").classList.toggle("open", open);
};

const typing = (element) => element.matches("input, textarea, select, [contenteditable]");

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-theme-toggle]")) label(window.deskTheme.toggle());
  const menu = event.target.closest("[data-menu]");
  if (menu) setMenu(menu.getAttribute("aria-expanded") !== "true");
  for (const opened of document.querySelectorAll("details.who[open]")) {
    if (!opened.contains(event.target)) opened.open = false;
  }
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    const field = document.getElementById(copy.dataset.copy);
    navigator.clipboard.writeText(field.value).then(() => {
      copy.textContent = "Copied";
    });
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    setMenu(false);
    for (const opened of document.querySelectorAll("details.who[open]")) {
      opened.open = false;
      opened.querySelector("summary").focus();
    }
  }
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (event.key === "/" && plain && !typing(event.target)) {
    const search = document.getElementById("search");
    if (search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  }
});

// A filter that is empty has no place in the address.
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.detail.elt.matches("[data-filters]")) return;
  const parameters = event.detail.parameters;
  for (const name of Object.keys(parameters)) {
    if (parameters[name] === "") delete parameters[name];
  }
});
document.addEventListener("formdata", (event) => {
  if (!event.target.matches("[data-filters]")) return;
  for (const [name, value] of [...event.formData]) {
    if (value === "") event.formData.delete(name);
  }
});

// A wrong filter is answered with 400, and its words belong on the page like any other answer.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status === 400) {
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  }
});

// On a phone the rows come first; the filters are one press away.
if (window.matchMedia("(max-width: 40rem)").matches) {
  for (const fold of document.querySelectorAll("[data-fold-on-phone]")) fold.open = false;
}

label(document.documentElement.dataset.bsTheme);
