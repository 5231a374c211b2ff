// <form data-unsaved>: asks before somebody leaves a page whose form was changed and not saved. data-unsaved="changed":
// it has changes from the start. Fields with data-passing are no content: what they say is not saved anyway.

const content = (form) => {
  const data = new FormData(form);
  for (const field of form.elements) if ("passing" in field.dataset) data.delete(field.name);
  return new URLSearchParams(data).toString();
};

export const unsaved = (form) => {
  const before = form.dataset.unsaved === "changed" ? null : content(form);
  let leaving = false;
  form.addEventListener("submit", () => { leaving = true; });
  const changed = () => !leaving && content(form) !== before;
  const mark = () => {
    leaving = false; // its sending was broken off, when somebody goes on
    form.classList.toggle("changed", changed());
  };
  form.addEventListener("input", mark);
  form.addEventListener("change", mark);
  addEventListener("beforeunload", (event) => {
    if (changed()) event.preventDefault();
  });
  mark();
};
