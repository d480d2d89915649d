import { empty, get, h, number, post } from "./dom.js";

const typed = new Map();
const given = new Map([["TimeRange:grain", "1h"]]);
const FIRST = "AppRequests\n| summarize Requests = count(), Slowest = max(DurationMs) by Name\n| order by Requests";
const PLACEHOLDER = /\{([A-Za-z]\w*(?::\w+)?)\}/g;

export async function queries({ id }) {
  const saved = await get("/api/queries");
  const chosen = saved.find((query) => query.name === id) ?? saved[0];
  const name = chosen?.name ?? "";
  const text = h("textarea", { "aria-label": "Query", spellcheck: "false" });
  text.value = typed.get(name) ?? chosen?.text ?? FIRST;
  const inputs = h("div.bar-row");
  const answer = h("div.answer", { "aria-live": "polite" });
  const run = async () => {
    typed.set(name, text.value);
    ask(inputs, text.value, run);
    const query = text.value.replace(PLACEHOLDER, (_, key) => given.get(key) ?? "");
    answer.replaceChildren(...told(await post("/api/kql", { query })));
  };
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
  });
  await run();
  return h(
    ".query",
    {},
    saved.length ? index(saved, name) : h("p.muted", {}, "No saved queries."),
    h(
      "div",
      {},
      chosen ? h("h2", {}, chosen.title) : null,
      text,
      inputs,
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

/** The saved queries, under the names of their groups. */
function index(saved, name) {
  const groups = Map.groupBy ? Map.groupBy(saved, (query) => query.group) : grouped(saved);
  return h(
    "div",
    {},
    [...groups].map(([group, members]) => [
      h("h3.group", {}, group.replace(/\{(\w+)\}/g, "…")),
      h(
        "ul.list.card",
        {},
        members.map((query) =>
          h(
            "li",
            {},
            h(
              "a.row",
              { href: `#/queries/${encodeURIComponent(query.name)}`, "aria-current": query.name === name ? "page" : null },
              query.title,
            ),
          ),
        ),
      ),
    ]),
  );
}

function grouped(saved) {
  const groups = new Map();
  for (const query of saved) groups.set(query.group, [...(groups.get(query.group) ?? []), query]);
  return groups;
}

/** A field for each placeholder of the query; what was typed before stays. */
function ask(inputs, query, run) {
  const wanted = [...new Set([...query.matchAll(PLACEHOLDER)].map((found) => found[1]))];
  const there = [...inputs.querySelectorAll("input")].map((input) => input.name);
  if (wanted.join() === there.join()) return;
  inputs.replaceChildren(
    ...wanted.map((key) =>
      h(
        "label",
        {},
        `${key} `,
        h("input", {
          name: key,
          value: given.get(key) ?? "",
          onchange: (event) => {
            given.set(key, event.target.value.replace(/["\\]/g, ""));
            run();
          },
        }),
      ),
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
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          result.columns.map((column, place) =>
            h(isNumber[place] ? "th.number" : "th", { scope: "col", title: column.type }, column.name),
          ),
        ),
      ),
      h("tbody", {}, result.rows.map((row) => h("tr", {}, row.map(cell)))),
    ),
  ];
}
