import { chips, empty, get, h, time } from "./dom.js";

const LEVELS = [
  [0, "everything"],
  [9, "information and above"],
  [13, "warnings and errors"],
  [17, "errors"],
];

export async function logs({ words, options, set }) {
  const least = options.least ?? "9";
  const found = await get(`/api/logs?limit=500&least=${least}&q=${encodeURIComponent(words)}`);
  const choice = h(
    "select",
    { "aria-label": "Least severity", onchange: (event) => set({ least: event.target.value }) },
    LEVELS.map(([level, name]) => h("option", { value: level, selected: String(level) === least }, name)),
  );
  return [
    h(".bar-row", {}, choice, h("span.muted", {}, `the newest ${found.length}`)),
    found.length
      ? h("ul.list.card.logs", {}, found.map(row))
      : empty(words ? `No record holds “${words}”.` : "Nothing has been logged yet."),
  ];
}

function row(record) {
  const name = record.severity >= 17 ? "error" : record.severity >= 13 ? "warning" : record.severity >= 9 ? "info" : "debug";
  const look = { error: "failed", warning: "warning" }[name] ?? "muted";
  const { "exception.stacktrace": stack, ...attributes } = record.attributes;
  return h(
    "li",
    {},
    h(
      ".row",
      {},
      h("span.time", {}, time(record.time)),
      h("span", { class: look }, name),
      h("div.body", {}, record.body, chips(attributes), stack ? h("details", {}, h("summary", {}, "stack"), h("pre", {}, stack)) : null),
      record.trace ? h("a", { href: `#/trace/${record.trace}` }, "trace") : h("span"),
    ),
  );
}
