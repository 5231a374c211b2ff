// <form data-confirm="id">: asks in the dialog of that id before the form is sent.

export const confirmations = (form) => {
  const dialog = document.getElementById(form.dataset.confirm);
  let sure = false;
  form.addEventListener("submit", (event) => {
    if (sure) return;
    event.preventDefault();
    dialog.showModal();
  });
  dialog.querySelector("[data-yes]").addEventListener("click", () => {
    sure = true;
    form.requestSubmit();
    sure = false; // should its sending be broken off, it is asked again
  });
  dialog.querySelector("[data-no]").addEventListener("click", () => dialog.close());
};
