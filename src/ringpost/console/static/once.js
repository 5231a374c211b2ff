// <section data-once="/path">: what is shown once. Reloading the page then asks for /path and does not send the form
// again, which would make another key or link.

const shown = document.querySelector("[data-once]");
if (shown) history.replaceState(null, "", shown.dataset.once);
