// Light and dark: what the system says, or what was chosen.

import { forget } from "./colours.js";

const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");

function stored() {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null; // a browser that keeps nothing
  }
}

function show(theme) {
  root.dataset.theme = theme;
  forget();
  window.dispatchEvent(new Event("theme"));
}

show(stored() ?? (system.matches ? "dark" : "light"));
system.addEventListener("change", () => {
  if (!stored()) show(system.matches ? "dark" : "light");
});
document.getElementById("theme").addEventListener("click", () => {
  const theme = root.dataset.theme === "dark" ? "light" : "dark";
  show(theme);
  try {
    localStorage.setItem("theme", theme);
  } catch {
    return; // chosen for this page only
  }
});
// The other language shows the same picture.
const language = document.querySelector("a.language");
language.addEventListener("click", () => {
  language.href = language.href.split("#")[0] + location.hash;
});
