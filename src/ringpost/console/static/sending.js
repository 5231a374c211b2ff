// A form that is on its way is not sent a second time: who presses the button again, because nothing has happened yet,
// means the same, and would make a second key, or delete what is gone. For a while only: its sending may be broken off.
// A page that browsers have kept and bring back shows how things were before its form was sent; it is asked for anew.

const WHILE_MS = 5000;

export const sending = () => {
  const sent = new Map();
  document.addEventListener("submit", (event) => {
    const { target: form, timeStamp: now } = event;
    const looks = form.getAttribute("method") !== "post"; // `form.method` may be a field of that name
    if (event.defaultPrevented || looks) return; // it is asked first or stays here, or changes nothing
    if (now - (sent.get(form) ?? -Infinity) < WHILE_MS) event.preventDefault();
    else sent.set(form, now);
  });
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted && sent.size) location.reload();
  });
};
