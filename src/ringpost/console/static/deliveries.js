// Deliveries: what is live is looked at again every few seconds while somebody sees it, and choosing all at once.

import { isInUse } from "./renewing.js";

const EVERY_MS = 4000;

const look = () => {
  if (document.visibilityState !== "visible") return;
  for (const place of document.querySelectorAll("[data-live]")) {
    if (isInUse(place)) continue;
    const headers = { "X-Renewal": "true" }; // keeps no session alive
    place.addEventListener("htmx:beforeSwap", (event) => failing(event, place), { once: true });
    window.htmx.ajax("GET", place.dataset.live, { target: place, swap: "outerHTML", headers }).then(() => {
      const now = document.getElementById(place.id);
      if (now !== null && now !== place) start(now);
    });
  }
};

// What cannot be looked at now says so in its place, stays live, and is shown anew even when nothing has changed by then.
const failing = (event, place) => {
  if (event.detail.xhr.status < 500) return;
  event.detail.swapOverride = "innerHTML";
  const live = new URL(place.dataset.live, location.href);
  live.searchParams.delete("seen");
  place.dataset.live = `${live.pathname}${live.search}`;
};

const start = (root) => {
  for (const form of root.querySelectorAll("form[data-many]")) choosing(form);
};

const choosing = (form) => {
  const all = form.querySelector("[data-all]");
  const said = form.querySelector("[data-chosen]");
  if (all === null || form.dataset.started) return;
  form.dataset.started = "yes";
  const boxes = [...form.querySelectorAll("input[name=id]")];
  all.closest("label").hidden = false;
  const count = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    all.checked = chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
    said.textContent = chosen ? said.dataset.words.replace("%(count)s", chosen) : "";
  };
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    count();
  });
  form.addEventListener("change", count);
  count();
};

start(document);
if (document.querySelector("[data-live]")) setInterval(look, EVERY_MS);
