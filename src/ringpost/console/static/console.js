// What every page does beside what HTML can do by itself. Each part looks for its own attribute, once at the start and
// again in what htmx has put into the page; nothing here is needed to use the console.

import { chips } from "./chips.js";
import { confirmations } from "./confirmations.js";
import { renewing } from "./renewing.js";
import { say } from "./saying.js";
import { sending } from "./sending.js";
import { unsaved } from "./unsaved.js";

const start = (root) => {
  for (const field of root.querySelectorAll("[data-chips]")) chips(field);
  for (const form of root.querySelectorAll("form[data-confirm]")) confirmations(form);
  for (const form of root.querySelectorAll("form[data-unsaved]")) unsaved(form);
  for (const button of root.querySelectorAll("button[data-copy]")) copying(button);
};

const copying = (button) => {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    say(document.body.dataset.copied);
  });
};

start(document);
sending();
renewing();
document.addEventListener("htmx:load", (event) => {
  if (event.detail.elt !== document.body) start(event.detail.elt);
});
document.querySelector("[data-focus]")?.focus();

// What a form before has done is said once, not again when the page is reloaded.
const here = new URL(location.href);
if (here.searchParams.has("done")) {
  here.searchParams.delete("done");
  history.replaceState(null, "", here);
}
