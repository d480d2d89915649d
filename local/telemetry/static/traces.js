import { chips, duration, empty, get, h, pairs, s, time } from "./dom.js";

export async function traces({ words }) {
  const found = await get(`/api/traces?limit=200&q=${encodeURIComponent(words)}`);
  if (!found.length) {
    return empty(
      words
        ? `No trace holds “${words}”. Ids, names and attributes are searched.`
        : "Nothing has been traced yet. Drop a file, and its trace appears here.",
    );
  }
  return h(
    "ul.list.card.traces",
    {},
    found.map((trace) =>
      h(
        "li",
        {},
        h(
          "a.row",
          { href: `#/trace/${trace.trace}` },
          h("span.time", {}, time(trace.start)),
          h("span", { class: trace.failed ? "failed" : null }, trace.name),
          chips(trace.attributes),
          h("span.number", {}, duration(trace.duration_ms)),
          h(
            "span.number.muted",
            {},
            `${trace.spans} span${trace.spans === 1 ? "" : "s"}`,
            trace.failed ? h("span.failed", {}, ` ${trace.failed} failed`) : null,
          ),
        ),
      ),
    ),
  );
}

export async function trace({ id, open }) {
  const { spans } = await get(`/api/traces/${id}`);
  if (!spans.length) return empty(`There is no trace ${id} any more.`);
  const start = Math.min(...spans.map((span) => span.start));
  const end = Math.max(...spans.map((span) => span.start + span.duration_ms * 1000));
  const length = Math.max(end - start, 1);
  const kinds = [...new Set(spans.map((span) => span.kind).filter(Boolean))];
  return [
    h(
      ".title",
      {},
      h("h2", {}, spans[0].name),
      h("span", {}, `${time(start)} · ${duration(length / 1000)} · ${spans.length} spans`),
      h("code.muted", {}, id),
      h("a", { href: `#/logs?q=${id}` }, "its logs"),
    ),
    h(
      ".fall.card",
      {},
      h(
        ".scale",
        {},
        h("span", {}, "span"),
        h(".ticks", {}, [0, 0.25, 0.5, 0.75, 1].map((part) => h("span", {}, duration((part * length) / 1000)))),
        h("span.number", {}, "duration"),
      ),
      spans.map((span) => line(span, start, length, open)),
      h(".legend", {}, kinds.map((kind) => h("span", { class: `kind-${kind}` }, h("i.dot"), kind))),
    ),
  ];
}

function line(span, start, length, open) {
  const left = ((span.start - start) / length) * 100;
  const width = Math.max(((span.duration_ms * 1000) / length) * 100, 0.25);
  const isOpen = open.has(span.span);
  const detail = h(".detail", { depth: span.depth, hidden: !isOpen }, facts(span));
  const button = h(
    "button.line",
    {
      type: "button",
      "aria-expanded": String(isOpen),
      onclick: () => {
        if (open.delete(span.span)) detail.hidden = true;
        else {
          open.add(span.span);
          detail.hidden = false;
        }
        button.setAttribute("aria-expanded", String(!detail.hidden));
      },
    },
    h(
      "span.name",
      { title: span.name },
      h("i.dot"),
      h("span", { class: span.failed ? "failed" : null }, label(span)),
    ),
    h(
      "span.track",
      {},
      s("svg", { "aria-hidden": true }, s("rect", { class: span.failed ? "bar bad" : "bar", x: `${left}%`, y: 3, width: `${width}%`, height: 10, rx: 2 })),
    ),
    h("span.number", {}, duration(span.duration_ms), links(span) ? h("span.muted", { title: "linked with other traces" }, " ⇄") : null),
  );
  return h(".span", { depth: span.depth, class: `span kind-${span.kind}` }, button, detail);
}

function label(span) {
  const attempt = Object.entries(span.attributes).find(([name]) => name.endsWith(".attempt"));
  return attempt && attempt[1] > 1 ? `${span.name} (attempt ${attempt[1]})` : span.name;
}

const links = (span) => span.links.length + span.linked_from.length;

function facts(span) {
  const at = { kind: span.kind, service: span.service, span: span.span, started: time(span.start) };
  return [
    h("div", {}, h("h3", {}, "Attributes"), pairs(span.attributes)),
    h(
      "div",
      {},
      h("h3", {}, "Span"),
      pairs(span.failed ? { ...at, failed: span.message || "yes" } : at),
      related("Links to", span.links),
      related("Linked from", span.linked_from),
      span.events.length ? [h("h3", {}, "Events"), span.events.map((event) => [h("b", {}, event.name), pairs(event.attributes)])] : null,
    ),
  ];
}

function related(title, found) {
  if (!found.length) return null;
  const items = found.map((link) =>
    h("li", {}, h("a", { href: `#/trace/${link.trace}` }, link.name || "a span that is not here"), h("code.muted", {}, ` ${link.trace.slice(0, 8)}`)),
  );
  return [h("h3", {}, title), h("ul", {}, items)];
}
