import { get, h } from "./dom.js";
import { logs } from "./logs.js";
import { metrics } from "./metrics.js";
import { queries } from "./queries.js";
import { trace, traces } from "./traces.js";

const VIEWS = { traces, trace, metrics, logs, queries };
const EVERY_MS = 2000;

const main = document.querySelector("main");
const words = document.querySelector("#words");
const live = document.querySelector("#live");
const open = new Set();
let drawn = 0;

/** `#/view/id?q=words&more=…` */
function place() {
  const [path, query = ""] = decodeURI(location.hash.slice(2)).split("?");
  const [view, id = ""] = path.split("/");
  return { view: VIEWS[view] ? view : "traces", id: decodeURIComponent(id), options: Object.fromEntries(new URLSearchParams(query)) };
}

function go(view, options) {
  const query = new URLSearchParams(Object.entries(options).filter(([, value]) => value)).toString();
  location.hash = `#/${view}${query ? `?${query}` : ""}`;
}

async function draw() {
  const turn = ++drawn;
  const { view, id, options } = place();
  const set = (changed) => go(view, { ...options, ...changed });
  let shown;
  try {
    shown = await VIEWS[view]({ words: options.q ?? "", id, options, open, set });
    tell(await get("/api/counts"));
  } catch (failed) {
    shown = h(".problem", { role: "alert" }, `The receiver does not answer (${failed.message}).`);
  }
  if (turn !== drawn) return;
  const focused = focusPath();
  main.replaceChildren(...[shown].flat());
  main.dataset.ready = view;
  refocus(focused);
  for (const link of document.querySelectorAll("nav a")) {
    const here = link.dataset.view === view || (view === "trace" && link.dataset.view === "traces");
    link.toggleAttribute("aria-current", here);
  }
  if (document.activeElement !== words) words.value = options.q ?? "";
  document.title = view === "trace" ? `${id.slice(0, 8)} · Telemetry` : `Telemetry: ${view}`;
}

function tell(counts) {
  document.querySelector("#counts").textContent =
    `${counts.spans.toLocaleString("en")} spans, ${counts.points.toLocaleString("en")} points, ${counts.logs.toLocaleString("en")} records`;
}

/** What had the focus within the page, by its place among what can have it. */
const focusable = () => [...main.querySelectorAll("a.row, button.line")];
const focusPath = () => {
  const at = focusable().indexOf(document.activeElement);
  return at < 0 ? null : (document.activeElement.getAttribute("href") ?? at);
};
function refocus(path) {
  if (path === null) return;
  const found = typeof path === "number" ? focusable()[path] : focusable().find((row) => row.getAttribute("href") === path);
  found?.focus({ preventScroll: true });
}

function move(by) {
  const rows = focusable();
  const at = rows.indexOf(document.activeElement);
  rows[Math.min(Math.max(at + by, 0), rows.length - 1)]?.focus();
}

function theme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
}

const KEYS = {
  "/": () => words.focus(),
  j: () => move(1),
  k: () => move(-1),
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  Escape: () => history.back(),
  t: theme,
  1: () => go("traces", {}),
  2: () => go("metrics", {}),
  3: () => go("logs", {}),
  4: () => go("queries", {}),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (["INPUT", "TEXTAREA", "SELECT"].includes(event.target.tagName)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const act = KEYS[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});
document.querySelector("#search").addEventListener("submit", (event) => event.preventDefault());
words.addEventListener("input", () => {
  const { view, options } = place();
  const { view: target } = { view: ["trace", "queries"].includes(view) ? "traces" : view };
  go(target, { ...(target === view ? options : {}), q: words.value.trim() });
});
document.querySelector("#theme").addEventListener("click", theme);
window.addEventListener("hashchange", draw);
setInterval(() => {
  const busy = place().view === "queries" || document.hidden || getSelection().type === "Range" || main.contains(document.activeElement?.closest("select"));
  if (live.checked && !busy) draw();
}, EVERY_MS);

const saved = localStorage.getItem("theme");
if (saved) document.documentElement.dataset.theme = saved;
draw();
