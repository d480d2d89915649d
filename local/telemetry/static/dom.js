// Elements, numbers and requests; nothing here knows what is shown.

/** An element; text is always text, never markup. */
export function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name || "div");
  if (classes.length) element.className = classes.join(" ");
  fill(element, attributes, children);
  return element;
}

/** The same for SVG. */
export function s(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  fill(element, attributes, children);
  return element;
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "depth") element.style.setProperty("--depth", value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
}

export async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok && answer.status !== 404) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

export async function post(path, data) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(data),
  });
  return answer.json();
}

/** Milliseconds for people: 0.4 ms, 230 ms, 4.2 s, 3 min. */
export function duration(ms) {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return `${Math.round(ms / 60_000)} min`;
}

/** A number for people, with at most three significant decimals. */
export function number(value) {
  return Number(value).toLocaleString("en", { maximumSignificantDigits: Math.abs(value) < 1000 ? 3 : 21, maximumFractionDigits: 3 });
}

/** Microseconds since 1970 as a time of day here; the day too when it is not today. */
export function time(microseconds) {
  const at = new Date(microseconds / 1000);
  const clock = at.toLocaleTimeString("en-GB") + "." + String(at.getMilliseconds()).padStart(3, "0");
  return at.toDateString() === new Date().toDateString() ? clock : `${at.toISOString().slice(0, 10)} ${clock}`;
}

/** The last part of a dotted name: `product` of `mesh.product`. */
export const short = (name) => name.slice(name.lastIndexOf(".") + 1);

export function chips(attributes) {
  return h(
    ".chips",
    {},
    Object.entries(attributes).map(([name, value]) =>
      h("span", { title: name }, short(name), " ", h("b", {}, String(value))),
    ),
  );
}

export function pairs(attributes) {
  return h(
    "dl",
    {},
    Object.entries(attributes).map(([name, value]) => [
      h("dt", {}, name),
      h("dd", {}, typeof value === "object" ? JSON.stringify(value) : String(value)),
    ]),
  );
}

export function empty(...text) {
  return h(".empty", {}, ...text);
}
