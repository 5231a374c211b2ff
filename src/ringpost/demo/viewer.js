// Keeps the list of mails up to date. Without it the page works all the same.
const list = document.getElementById("list");
setInterval(async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch(`/list?current=${list.dataset.current}`);
    const fresh = await answer.text();
    if (answer.ok && fresh !== list.dataset.shown) {
      list.dataset.shown = fresh;
      const focused = document.activeElement?.getAttribute("href");
      list.innerHTML = fresh;
      if (focused) list.querySelector(`a[href="${focused}"]`)?.focus();
    }
  } catch {
    // The demo has ended; what is shown stays.
  }
}, 2000);
