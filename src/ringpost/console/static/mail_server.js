// The form of a mail server: the port follows the encryption and the other way round, suggestions are put into the form,
// and the doctor's steps are shown while they are made. Without this the form is sent and comes back with all of it.

import { say } from "./saying.js";

const form = document.getElementById("mail-server");
const ports = JSON.parse(form.dataset.ports);
const port = form.elements.port;

const encryption = () => form.elements.tls.value;
const choose = (name, value) => {
  const field = form.elements[name];
  if (!field) return;
  field.value = value;
  if (name === "tls") port.placeholder = ports[value] ?? "";
};

// Usual ports only: whoever has typed another one knows why.
form.addEventListener("change", ({ target }) => {
  if (target.name === "tls") {
    const usual = Object.values(ports).map(String);
    if (usual.includes(port.value.trim())) port.value = ports[target.value];
    port.placeholder = ports[target.value];
  } else if (target === port) {
    const typed = Number(port.value);
    if ([465, 2465].includes(typed)) choose("tls", "implicit");
    else if ([587, 2587, 2525].includes(typed) && encryption() === "implicit") choose("tls", "starttls");
  }
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-use]");
  if (!button) return;
  event.preventDefault();
  use(JSON.parse(button.value), button.closest(".notice").querySelectorAll(".suggestion > div"));
});

const use = (values, words) => {
  for (const place of form.querySelectorAll(".suggested")) place.classList.remove("suggested");
  const places = [];
  for (const [name, value] of Object.entries(values)) {
    choose(name, value);
    const place = form.querySelector(`[data-field="${CSS.escape(name)}"]`);
    if (!place) continue;
    place.classList.add("suggested");
    places.push(place);
  }
  form.dispatchEvent(new Event("change", { bubbles: true })); // the guard of unsaved changes looks again
  const [first] = places;
  (first?.querySelector("input:checked, input:not([type='radio']), select") ?? first)?.focus();
  const told = [...words].map((one) => `${one.querySelector("dt").textContent}: ${one.querySelector("dd").textContent}`);
  say(`${form.dataset.used} ${told.join(", ")}`);
};

const verdict = document.getElementById("verdict");
const steps = document.getElementById("steps");
const examining = document.getElementById("examining");
const button = form.querySelector("button[data-diagnose]");

button?.addEventListener("click", async (event) => {
  event.preventDefault();
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  verdict.replaceChildren();
  steps.replaceChildren();
  steps.hidden = true;
  examining.hidden = false;
  document.getElementById("diagnosis-title").focus({ preventScroll: true });
  document.getElementById("diagnosis").scrollIntoView({ block: "start" });
  try {
    await diagnose();
  } catch {
    verdict.textContent = examining.dataset.broken;
  } finally {
    examining.hidden = true;
    button.removeAttribute("aria-disabled");
  }
});

const diagnose = async () => {
  const answer = await fetch(button.dataset.diagnose, {
    method: "POST", body: new FormData(form), headers: { "HX-Request": "true" },
  });
  if (!answer.headers.get("content-type").startsWith("application/x-ndjson")) {
    verdict.innerHTML = await answer.text();
    return;
  }
  await eachLine(answer.body, (line) => {
    if (line.step) {
      steps.hidden = false;
      steps.insertAdjacentHTML("beforeend", line.step);
    } else verdict.innerHTML = line.verdict;
  });
};

const eachLine = async (body, tell) => {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) tell(JSON.parse(line));
  }
};
