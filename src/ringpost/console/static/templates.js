// The editor of a template: editors in the place of its fields, and a preview that follows what is written.

import { editorFor, knownVariables } from "./template_editors.js";

const WAIT_MS = 500;

const form = document.getElementById("template");
const checked = document.getElementById("checked");
const summary = document.getElementById("check-summary");
const { here, fixed, draft, unknown, slip, mean, replace, phrases } = form.dataset;

// Editors ---------------------------------------------------------------------------------------------------------

const told = new Map();
const known = knownVariables();
const words = { unknown, slip, mean, replace, phrases: JSON.parse(phrases) };
const editors = new Map();
for (const field of form.querySelectorAll("[data-editor]")) {
  editors.set(field.name, editorFor(field, known, told, words));
}
let last = editors.get("body");
for (const editor of editors.values()) editor.view.dom.addEventListener("focusin", () => { last = editor; });

for (const button of form.querySelectorAll("[data-insert]")) {
  button.hidden = false;
  button.addEventListener("click", () => last.insert(button.dataset.insert));
}
for (const link of form.querySelectorAll("[data-start]")) {
  const place = link.parentElement;
  const field = form.elements[link.dataset.start];
  link.addEventListener("click", (event) => {
    event.preventDefault();
    editors.get(field.name).write(field.placeholder);
    editors.get(field.name).show(1);
  });
  form.addEventListener("input", () => { place.hidden = field.value !== ""; });
}

// The text version is made from the body as soon as there is one; then the default's is not what stands for nothing.
const ghost = () => { editors.get("text_body").hollow.hidden = form.elements.body.value !== ""; };
form.addEventListener("input", ghost);
ghost();

// What the check found ----------------------------------------------------------------------------------------------

const learn = () => {
  told.clear();
  for (const { dataset } of checked.querySelectorAll("[data-unknown]")) told.set(dataset.unknown, dataset.nearest);
  for (const button of checked.querySelectorAll("[data-replace]")) button.hidden = Boolean(fixed);
  for (const editor of editors.values()) editor.judge();
};
const announce = () => {
  const text = checked.querySelector("[data-summary]")?.textContent.trim() ?? "";
  if (summary.textContent !== text) summary.textContent = text;
};
checked.addEventListener("click", (event) => {
  const { part, line, replace: before, with: after } = event.target.dataset;
  if (line) {
    event.preventDefault();
    editors.get(part).show(Number(line));
  } else if (before) {
    for (const editor of editors.values()) editor.replace(before, after);
  }
});
checked.addEventListener("htmx:afterSwap", () => {
  learn();
  announce();
});

// Preview: each draft into a new frame, which takes the place of the old one when it is there, so that nothing flickers
// and the way back is not full of previews.

let frame = form.querySelector("iframe");
let coming = null;
let count = 0;

const nextFrame = () => {
  coming?.remove();
  const next = frame.cloneNode(false);
  next.removeAttribute("src");
  next.name = `preview-${count += 1}`;
  next.classList.add("coming");
  frame.after(next);
  coming = next;
  next.addEventListener("load", () => {
    if (coming !== next) return;
    frame.remove();
    next.classList.remove("coming");
    frame = next;
    coming = null;
  });
  return next;
};
const showDraft = () => {
  const next = nextFrame();
  const sent = document.createElement("form");
  Object.assign(sent, { method: "post", action: `${here}/preview`, target: next.name, enctype: "multipart/form-data", hidden: true });
  for (const [name, value] of new FormData(form)) {
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name, value });
    sent.append(field);
  }
  document.body.append(sent);
  sent.submit();
  sent.remove();
};
const showSaved = () => {
  const chosen = new FormData(form);
  nextFrame().src = `${here}/preview?${new URLSearchParams({ values: chosen.get("values"), view: chosen.get("view") })}`;
};

let timer = 0;
const follow = () => {
  clearTimeout(timer);
  if (fixed) return showSaved();
  checked.dispatchEvent(new Event("draft-changed"));
  return showDraft();
};
form.addEventListener("input", (event) => {
  if (["to", "width", "scheme"].includes(event.target.name)) return;
  clearTimeout(timer);
  timer = setTimeout(follow, WAIT_MS);
});

for (const button of form.querySelectorAll("[data-without-scripts]")) button.hidden = true;
form.elements.to?.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  document.getElementById("send-test").click();
});
learn();
if (draft) showDraft();
