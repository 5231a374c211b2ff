// What is asked for again by itself (with the header X-Renewal) is shown anew, but takes nothing out of anybody's hands,
// also when somebody has taken it up while the answer was on its way. What has changed of <... data-told> is said to
// screen readers: they miss what a live region says that is new itself.

// Not while the keyboard is in it, a box is ticked, a text is marked or a question is open. A link keeps the keyboard.
export const isInUse = (place) =>
  (place.contains(document.activeElement) && document.activeElement.tagName !== "A") ||
  place.querySelector("input[type=checkbox]:checked, dialog[open]") !== null ||
  place.contains(getSelection().anchorNode) && !getSelection().isCollapsed;

const toldIn = (place) => [...place.querySelectorAll("[data-told]")].map((one) => one.textContent.trim()).join(" ");

const addressOf = (link) => link.getAttribute("href");

export const renewing = () => {
  let before = null;
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    before = null;
    const place = detail.target;
    if (!("X-Renewal" in detail.requestConfig.headers)) return;
    if (isInUse(place)) detail.shouldSwap = false;
    else before = {
      place,
      opened: [...place.querySelectorAll("details")].map((one) => one.open),
      focused: place.contains(document.activeElement) ? addressOf(document.activeElement) : null,
      told: toldIn(place),
    };
  });
  document.addEventListener("htmx:afterSwap", () => {
    if (before === null) return;
    const { place, opened, focused, told } = before;
    before = null;
    const now = place.isConnected ? place : document.getElementById(place.id);
    if (now === null) return;
    if (toldIn(now) !== told) document.getElementById("heard").textContent = toldIn(now);
    now.querySelectorAll("details").forEach((one, at) => { if (at in opened) one.open = opened[at]; });
    if (focused !== null) [...now.querySelectorAll("a")].find((one) => addressOf(one) === focused)?.focus();
  });
};
