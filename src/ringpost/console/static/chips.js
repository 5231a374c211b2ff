// <div data-chips>: a text area with one item to a line becomes a row of chips with a field to add more.
// The text area stays what the form sends.

const SEPARATORS = /[,;\n]/;

// Items of a list such as `"Doe, Jane" <jane@example.com>, b@example.com`: a quoted name may hold a comma.
const split = (text) => {
  const items = [];
  let item = "", quoted = false;
  for (const character of text) {
    if (character === '"') quoted = !quoted;
    if (!quoted && SEPARATORS.test(character)) {
      items.push(item);
      item = "";
    } else item += character;
  }
  return [...items, item].map((one) => one.trim()).filter(Boolean);
};

// Only what is plainly no address: the rest is told when it is saved, by who knows all the rules.
const isNoAddress = (item) => {
  const address = /<([^<>]*)>$/.exec(item)?.[1] ?? item;
  const pattern = address.includes('"') ? /.@[^\s@]+\.[^\s@]+$/ : /^[^\s@]+@[^\s@]+\.[^\s@]+$/;
  return !pattern.test(address.trim());
};

export const chips = (field) => {
  const area = field.querySelector("textarea");
  const { most, remove, count, full, over, wrong, malformed } = field.dataset;
  const refused = wrong ? JSON.parse(wrong) : [];
  let items = split(area.value);

  const box = document.createElement("div");
  box.className = "chips";
  const list = document.createElement("ul");
  const input = document.createElement("input");
  input.type = "text";
  input.autocomplete = "off";
  input.autocapitalize = "off";
  input.spellcheck = false;
  input.disabled = area.disabled;
  const counter = document.createElement("p");
  counter.className = "chips-count";
  counter.setAttribute("aria-live", "polite");
  box.append(list, input);
  area.before(box);
  area.after(counter);
  for (const name of ["aria-describedby", "aria-invalid"]) {
    if (area.hasAttribute(name)) input.setAttribute(name, area.getAttribute(name));
  }
  input.id = area.id; // so that the label and links to the error lead to the field that is seen
  area.removeAttribute("id");
  area.hidden = true;
  list.setAttribute("aria-label", field.querySelector("label").textContent);

  const draw = () => {
    list.replaceChildren(...items.map((item, index) => {
      const chip = document.createElement("li");
      if (refused.some((one) => item.includes(one)) || isNoAddress(item)) chip.className = "wrong";
      chip.append(item);
      if (area.disabled) {
        chip.style.paddingRight = "";
        return chip;
      }
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "×";
      button.setAttribute("aria-label", remove.replace("%(item)s", item));
      button.addEventListener("click", () => {
        items.splice(index, 1);
        changed();
        input.focus();
      });
      chip.append(button);
      return chip;
    }));
    list.hidden = items.length === 0;
    const beyond = items.length - Number(most);
    const tooMany = beyond > 1 ? over.replace("%(count)s", beyond) : beyond === 1 ? full : "";
    const odd = items.filter(isNoAddress);
    const faults = [tooMany, odd.length ? malformed.replace("%(items)s", odd.join(", ")) : ""].filter(Boolean);
    counter.textContent = [count.replace("%(count)s", items.length).replace("%(most)s", most), ...faults].join(" · ");
    counter.classList.toggle("error", faults.length > 0);
  };
  const changed = () => {
    area.value = items.join("\n");
    draw();
    area.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const take = () => {
    const added = split(input.value).filter((one) => !items.includes(one));
    input.value = "";
    if (!added.length) return;
    items = [...items, ...added];
    changed();
  };

  input.addEventListener("keydown", (event) => {
    const ends = event.key === "," || event.key === ";";
    if ((event.key === "Enter" && input.value.trim()) || (ends && (input.value.split('"').length % 2) === 1)) {
      event.preventDefault();
      take();
    } else if (event.key === "Backspace" && !input.value && items.length) {
      items.pop();
      changed();
    }
  });
  input.addEventListener("paste", () => setTimeout(() => { if (SEPARATORS.test(input.value)) take(); }));
  input.addEventListener("blur", take);
  area.form.addEventListener("submit", take, { capture: true });
  draw();
};
