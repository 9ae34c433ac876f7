// Numbers as figures write them, and the widths of texts from a table, so that every browser gives the same layout.

export const MINUS = "\u2212";

/** @type {{[face: string]: {[letter: string]: number}}} */
let advances = {};

/** @param {{[face: string]: {[letter: string]: number}}} table Advances in ems, by face and character. */
export function setAdvances(table) { advances = table; }

/** The width of a line in pixels. @param {string} text @param {number} size @param {string} [face] */
export function textWidth(text, size, face = "medium") {
  const table = advances[face] || {};
  let ems = 0;
  for (const letter of text) ems += table[letter] ?? (face === "mono" ? 0.6 : 1);
  return ems * size;
}

/** The text, cut to a width with an ellipsis. @param {string} text @param {number} room @param {number} size @param {string} [face] */
export function shortened(text, room, size, face = "medium") {
  if (textWidth(text, size, face) <= room) return text;
  const letters = [...text];
  while (letters.length && textWidth(letters.join("") + "…", size, face) > room) letters.pop();
  return letters.join("").trimEnd() + "…";
}

/** The end of a name, cut to a width. @param {string} text @param {number} room @param {number} size @param {string} [face] */
export function shortenedName(text, room, size, face = "medium") {
  if (textWidth(text, size, face) <= room) return text;
  const letters = [...text];
  while (letters.length && textWidth("…" + letters.join(""), size, face) > room) letters.shift();
  return "…" + letters.join("");
}

/** One number with four digits: 2, 0.7311, 1.234e−5, nan. @param {any} value @returns {string} */
export function number(value) {
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return value.replace("-", MINUS);
  if (value && typeof value === "object" && "re" in value) return complex(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value || 0).replace("-", MINUS);
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 9999.5) return String(Number(value.toPrecision(4))).replace("-", MINUS);
  const [mantissa, exponent] = value.toExponential(3).split("e");
  return `${Number(mantissa)}e${Number(exponent)}`.replaceAll("-", MINUS);
}

/** @param {{re: any, im: any}} value @returns {string} */
function complex(value) {
  const negative = typeof value.im === "number" ? value.im < 0 : String(value.im).startsWith("-");
  const size = typeof value.im === "number" ? number(Math.abs(value.im)) : String(value.im).replace("-", "");
  return `${number(value.re)} ${negative ? MINUS : "+"} ${size}i`;
}

/** @param {any} value */
export function isUnknown(value) { return value !== null && typeof value === "object" && "unknown" in value; }

/** @param {any} value */
export function isSummary(value) { return value !== null && typeof value === "object" && "norm" in value; }

/** @param {any} value */
export function isNumber(value) {
  return typeof value === "number" || typeof value === "boolean" || value === "nan" || value === "inf" || value === "-inf"
    || (value !== null && typeof value === "object" && "re" in value);
}

/** A value in one line. @param {any} value @returns {string} */
export function valueText(value) {
  if (value === null || value === undefined) return "None";
  if (isUnknown(value)) return "?";
  if (isSummary(value)) return `${value.dtype}[${value.shape.join(", ")}] norm ${isUnknown(value.norm) ? "?" : value.norm === null ? "?" : number(value.norm)}`;
  if (Array.isArray(value)) return `[${value.map(valueText).join(", ")}]`;
  return isNumber(value) ? number(value) : typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** The 2-norm as a text: "?", "None", "0", "nan" or a number. @param {any} norm */
export function normText(norm) {
  if (norm === "unknown" || norm === undefined) return "?";
  return norm === null ? "None" : number(norm);
}

/** @param {number} count @param {string} one @param {string} [many] */
export function plural(count, one, many) { return `${count.toLocaleString("en-US")} ${count === 1 ? one : many || one + "s"}`; }

/** @param {number} count */
export function bytesText(count) {
  let size = count, unit = "B";
  for (const larger of ["KiB", "MiB", "GiB", "TiB"]) {
    if (size < 1023.95) break;
    size /= 1024; unit = larger;
  }
  return unit === "B" ? `${count} B` : `${size.toFixed(1)} ${unit}`;
}
