// Colours of the style sheet as numbers, and the scale from one class to the other.

let known = null;
const CLASSES = ["--zero", "--one", "--two", "--c3", "--c4", "--c5", "--c6", "--c7", "--c8", "--c9"];

// Of a class, for the style of an element.
export const colourOf = (index) => `var(${CLASSES[index]})`;

export function colours() {
  if (known) return known;
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  const names = ["back", "card", "text", "soft", "line", "mark", "zero", "one", "two", "good", "bad"];
  known = Object.fromEntries(names.map((name) => [name, of(`--${name}`)]));
  known.classes = CLASSES.map(of);
  known.scale = scale(rgb(known.zero), rgb(of("--middle")), rgb(known.one));
  return known;
}

// After a change of theme.
export function forget() {
  known = null;
}

function rgb(hex) {
  const digits = hex.replace("#", "");
  const full = digits.length === 3 ? [...digits].map((d) => d + d).join("") : digits;
  return [0, 2, 4].map((i) => parseInt(full.slice(i, i + 2), 16));
}

// 256 colours: from the first to the second, the middle in between.
function scale(first, middle, second) {
  const table = new Uint8ClampedArray(256 * 4);
  for (let i = 0; i < 256; i++) {
    const x = (i - 127.5) / 127.5;
    const share = 0.6 * Math.abs(x) ** 0.8; // points stand out
    const end = x < 0 ? first : second;
    for (let c = 0; c < 3; c++) table[4 * i + c] = middle[c] + (end[c] - middle[c]) * share;
    table[4 * i + 3] = 255;
  }
  return table;
}

// A small picture of bytes, by the scale; drawn with drawImage.
export function paint(values, width, height, canvas = document.createElement("canvas")) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const table = colours().scale;
  for (let i = 0; i < values.length; i++) {
    const from = 4 * values[i];
    image.data[4 * i] = table[from];
    image.data[4 * i + 1] = table[from + 1];
    image.data[4 * i + 2] = table[from + 2];
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

// Several classes: each its colour, the paler the less sure.
export function paintClasses(classes, sure, numbers, width, height, canvas = document.createElement("canvas")) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const { classes: names, card } = colours();
  const back = rgb(card);
  const table = numbers.map((n) => rgb(names[n % names.length]));
  for (let i = 0; i < classes.length; i++) {
    const colour = table[classes[i]] ?? back;
    const share = 0.15 + 0.6 * (sure[i] / 255);
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = back[c] + (colour[c] - back[c]) * share;
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

// A canvas as sharp as the screen: its context, in CSS pixels.
export function sharp(canvas, width, height) {
  const ratio = Math.min(3, window.devicePixelRatio || 1);
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}
