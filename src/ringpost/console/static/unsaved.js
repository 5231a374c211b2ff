// <form data-unsaved>: asks before somebody leaves a page whose form was changed and not saved.

const content = (form) => new URLSearchParams(new FormData(form)).toString();

export const unsaved = (form) => {
  const before = content(form);
  let leaving = false;
  form.addEventListener("submit", () => { leaving = true; });
  const changed = () => !leaving && content(form) !== before;
  const mark = () => { form.classList.toggle("changed", changed()); };
  form.addEventListener("input", mark);
  form.addEventListener("change", mark);
  addEventListener("beforeunload", (event) => {
    if (changed()) event.preventDefault();
  });
};
