// Elements without markup: all text is set as text, so nothing in a report can become code.

/**
 * @param {string} name
 * @param {{[key: string]: any}} [attributes] A function becomes a listener; false and null are left out.
 * @param {(Node | string | null)[]} children
 * @returns {HTMLElement}
 */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** @param {string} id @returns {any} */
export function byId(id) { return document.getElementById(id); }

/** Save a text or bytes as a file. @param {string} name @param {Blob} blob */
export function download(name, blob) {
  const link = h("a", { download: name, href: URL.createObjectURL(blob) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(/** @type {HTMLAnchorElement} */ (link).href), 10_000);
}
