// Says something in a corner and to screen readers, and takes it back after a while.

const place = document.getElementById("said");
let timer = 0;

export const say = (text) => {
  clearTimeout(timer);
  place.textContent = text;
  timer = setTimeout(() => { place.textContent = ""; }, 6000);
};
