import { empty, get, h, number, post } from "./dom.js";

const typed = new Map();

export async function queries({ id, set }) {
  const saved = await get("/api/queries");
  const chosen = saved.find((query) => query.name === id) ?? saved[0];
  const first = "AppRequests\n| summarize Requests = count(), Slowest = max(DurationMs) by Name\n| order by Requests";
  const name = chosen?.name ?? "";
  const text = h("textarea", { "aria-label": "Query", spellcheck: "false" });
  text.value = typed.get(name) ?? chosen?.text ?? first;
  const answer = h("div.answer", { "aria-live": "polite" });
  const run = async () => {
    typed.set(name, text.value);
    answer.replaceChildren(...told(await post("/api/kql", { query: text.value })));
  };
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
  });
  const list = h(
    "ul.list.card",
    {},
    saved.map((query) =>
      h("li", {}, h("a.row", { href: `#/queries/${encodeURIComponent(query.name)}`, "aria-current": query.name === name ? "page" : null }, query.name)),
    ),
  );
  await run();
  return h(
    ".query",
    {},
    saved.length ? list : h("p.muted", {}, "No saved queries."),
    h(
      "div",
      {},
      text,
      h(
        ".bar-row",
        {},
        h("button", { type: "button", onclick: run }, "Run (Ctrl+Enter)"),
        h("span.muted", {}, "A subset of KQL, on what was received here."),
      ),
      answer,
    ),
  );
}

function told(result) {
  if (result.error) return [h(".problem", { role: "alert" }, result.error)];
  if (!result.rows.length) return [empty("No rows.")];
  const isNumber = result.columns.map((column) => ["long", "int", "real"].includes(column.type));
  const cell = (value, place) =>
    h(isNumber[place] ? "td.number" : "td", {}, value === null ? "" : isNumber[place] ? number(value) : String(value));
  return [
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, result.columns.map((column, place) => h(isNumber[place] ? "th.number" : "th", { scope: "col", title: column.type }, column.name)))),
      h("tbody", {}, result.rows.map((row) => h("tr", {}, row.map(cell)))),
    ),
  ];
}
