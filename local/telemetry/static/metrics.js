import { empty, get, h, number, s, short } from "./dom.js";

const COLUMNS = 60;

export async function metrics({ words }) {
  const found = await get(`/api/metrics?q=${encodeURIComponent(words)}`);
  if (!found.length) {
    return empty(words ? `No metric holds “${words}”.` : "Nothing has been measured yet.");
  }
  const times = found.flatMap((metric) => metric.series.flatMap((series) => series.points.map((point) => point[0])));
  const range = { from: Math.min(...times), to: Math.max(...times, Math.min(...times) + 1e6) };
  return h(".charts", {}, found.map((metric) => chart(metric, range)));
}

function chart(metric, range) {
  const table = metric.series.map((series) => ({ ...series, ...summary(metric, series.points) }));
  table.sort((a, b) => b.order - a.order);
  const total = metric.kind === "gauge" ? null : table.reduce((sum, row) => sum + row.order, 0);
  return h(
    "section.chart.card",
    {},
    h("h2", {}, metric.name),
    h("p", {}, `${metric.kind}, ${metric.unit}`, total === null ? "" : ` · ${number(total)} in all`),
    metric.kind === "gauge" ? curves(metric, range) : columns(metric, range),
    h(
      "details",
      { open: table.length <= 6 },
      h("summary", {}, `${table.length} series`),
      h(
        "table",
        {},
        table.map((row) => h("tr", {}, h("th", { scope: "row" }, name(row.dimensions)), h("td.number", {}, row.text))),
      ),
    ),
  );
}

function name(dimensions) {
  const values = Object.entries(dimensions);
  return values.length ? h("span", { title: values.map(([key, value]) => `${key}=${value}`).join("\n") }, values.map(([, value]) => value).join(" · ")) : "all";
}

/** What is said of a series: a gauge's last value, a counter's sum, a histogram's mean. */
function summary(metric, points) {
  const sum = points.reduce((total, point) => total + point[1], 0);
  if (metric.kind === "gauge") {
    const last = points.at(-1)[1];
    return { order: last, text: number(last) };
  }
  if (metric.kind === "counter") return { order: sum, text: number(sum) };
  const count = points.reduce((total, point) => total + point[2], 0);
  const highest = Math.max(...points.map((point) => point[4] ?? 0));
  return { order: count, text: `${count} × ø ${number(count ? sum / count : 0)}, max ${number(highest)}` };
}

/** Counters and histograms: how much (how many) in each slice of time. */
function columns(metric, { from, to }) {
  const slices = new Array(COLUMNS).fill(0);
  for (const series of metric.series) {
    for (const point of series.points) {
      const slice = Math.min(Math.floor(((point[0] - from) / (to - from)) * COLUMNS), COLUMNS - 1);
      slices[slice] += metric.kind === "counter" ? point[1] : point[2];
    }
  }
  const highest = Math.max(...slices, 1);
  const bars = slices.map((value, place) =>
    value ? s("rect", { class: "column", x: place * 10 + 1, width: 8, y: 70 - (value / highest) * 66, height: (value / highest) * 66 }, s("title", {}, number(value))) : null,
  );
  return drawing(metric, bars);
}

/** Gauges: a line per series. */
function curves(metric, { from, to }) {
  const highest = Math.max(...metric.series.flatMap((series) => series.points.map((point) => point[1])), 1);
  const lines = metric.series.map((series) => {
    const places = series.points.map(([at, value]) => `${(((at - from) / (to - from)) * 600).toFixed(1)},${(70 - (value / highest) * 66).toFixed(1)}`);
    if (places.length === 1) places.push(`600,${places[0].split(",")[1]}`);
    return s("polyline", { class: "curve", points: places.join(" ") }, s("title", {}, Object.values(series.dimensions).join(" · ")));
  });
  return drawing(metric, lines);
}

function drawing(metric, shapes) {
  return s(
    "svg",
    { viewBox: "0 0 600 72", preserveAspectRatio: "none", role: "img", "aria-label": `${short(metric.name)} over time` },
    s("line", { class: "base", x1: 0, x2: 600, y1: 70.5, y2: 70.5 }),
    shapes,
  );
}
