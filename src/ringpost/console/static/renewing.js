// What is asked for again by itself (with the header X-Renewal) is shown anew, but takes nothing out of anybody's hands,
// also when somebody has taken it up while the answer was on its way.

// Not while the keyboard is in it, a box is ticked, a text is marked or a question is open. A link keeps the keyboard.
export const isInUse = (place) =>
  (place.contains(document.activeElement) && document.activeElement.tagName !== "A") ||
  place.querySelector("input[type=checkbox]:checked, dialog[open]") !== null ||
  place.contains(getSelection().anchorNode) && !getSelection().isCollapsed;

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
    };
  });
  document.addEventListener("htmx:afterSwap", () => {
    if (before === null) return;
    const { place, opened, focused } = before;
    before = null;
    const now = place.isConnected ? place : document.getElementById(place.id);
    now?.querySelectorAll("details").forEach((one, at) => { if (at in opened) one.open = opened[at]; });
    if (focused !== null) [...now?.querySelectorAll("a") ?? []].find((one) => addressOf(one) === focused)?.focus();
  });
};
