#include "esper/cli/report_page.h"

namespace esper::cli {

namespace {

constexpr const char* kHead = R"html(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>@TITLE@</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 68em; padding: 0 1em;
       color: #222; background: #fff; }
h1, h2 { font-weight: 600; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #ddd; padding: .3em .6em; text-align: left;
         vertical-align: top; }
pre { margin: 0; white-space: pre-wrap; font-size: 12px; }
svg { max-width: 100%; height: auto; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(26em, 1fr)); gap: 1em; }
input[type=range] { width: 100%; }
</style>
</head>
<body>
<h1>@TITLE@</h1>
<table id="summary"></table>
<h2>Curves</h2>
<div class="plots" id="plots"></div>
<h2>Topology</h2>
<label>edit <output id="edit"></output>
<input type="range" id="slider" min="0" value="0"></label>
<p id="reason"></p>
<div id="topology"></div>
<h2>Decisions and events</h2>
<table id="events"></table>
<script type="application/json" id="data">)html";

constexpr const char* kTail = R"html(</script>
<script>
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const colours = ["#1f6fb4", "#c8501e", "#2c8a4b"];
const escape = text => String(text).replace(/[&<>"]/g,
  c => ({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}[c]));
const short = x => x === null || x === undefined ? "–"
  : typeof x !== "number" ? String(x)
  : Math.abs(x) >= 1e6 || (x !== 0 && Math.abs(x) < 1e-3) ? x.toExponential(3)
  : String(+x.toPrecision(5));

function plot(title, names) {
  const series = names.filter(name => data.metrics.length && name in data.metrics[0]);
  const width = 440, height = 220, left = 62, bottom = 28, top = 10;
  const points = name => data.metrics.map(row => [row.epoch, row[name]])
    .filter(([, y]) => Number.isFinite(y));
  const all = series.flatMap(points);
  if (!all.length) return "";
  const xs = all.map(p => p[0]), ys = all.map(p => p[1]);
  const x0 = Math.min(...xs), x1 = Math.max(...xs), y0 = Math.min(...ys), y1 = Math.max(...ys);
  const px = x => left + (x1 > x0 ? (x - x0) / (x1 - x0) : .5) * (width - left - 10);
  const py = y => height - bottom -
    (y1 > y0 ? (y - y0) / (y1 - y0) : .5) * (height - bottom - top);
  let svg = `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(title)}">` +
    `<path d="M${left} ${top}V${height - bottom}H${width - 10}" fill="none" stroke="#999"/>`;
  for (const [value, y] of [[y0, height - bottom], [y1, top + 8]])
    svg += `<text x="${left - 6}" y="${y}" text-anchor="end" font-size="11">${short(value)}</text>`;
  for (const [value, anchor] of [[x0, "start"], [x1, "end"]])
    svg += `<text x="${px(value)}" y="${height - 10}" text-anchor="${anchor}" font-size="11">` +
      `epoch ${short(value)}</text>`;
  for (const edit of data.topology.slice(1)) {
    const epoch = data.steps_per_epoch ? edit.step / data.steps_per_epoch : NaN;
    if (epoch >= x0 && epoch <= x1)
      svg += `<path d="M${px(epoch)} ${top}V${height - bottom}" stroke="#ccc"/>`;
  }
  series.forEach((name, i) => {
    const line = points(name).map(([x, y]) => `${px(x)},${py(y)}`).join(" ");
    svg += `<polyline points="${line}" fill="none" stroke="${colours[i]}" stroke-width="1.8"/>` +
      `<text x="${left + 8 + 120 * i}" y="${top + 8}" font-size="12" fill="${colours[i]}">` +
      `${escape(name)}</text>`;
  });
  return `<figure><figcaption>${escape(title)}</figcaption>${svg}</svg></figure>`;
}

document.getElementById("plots").innerHTML =
  plot("Loss", ["train_loss", "val_loss"]) + plot("Accuracy", ["val_accuracy"]) +
  plot("FLOPs of one example, forward", ["flops_per_example"]) +
  plot("Parameters", ["parameters"]);

document.getElementById("summary").innerHTML = ["status", "seed", "epochs", "steps", "train_loss",
  "val_loss", "val_accuracy", "test_accuracy", "parameters_initial", "parameters",
  "flops_per_example", "flops_total", "wall_seconds", "seeds", "program_sha256"]
  .filter(key => key in data.run)
  .map(key => `<tr><th>${key}</th><td>${escape(typeof data.run[key] === "object" && data.run[key]
    ? Object.entries(data.run[key]).map(([k, v]) => `${k} ${v}`).join(", ")
    : short(data.run[key]))}</td></tr>`).join("");

const modes = {isolated: "#b9b9b9", blended: "#e0a030", folded: "#2c8a4b"};
function drawTopology(at) {
  const now = data.topology[at];
  if (!now) return;
  const row = 30, height = now.anchors.length * row + 20;
  let svg = `<svg viewBox="0 0 900 ${height}" role="img" aria-label="topology">`;
  now.anchors.forEach((anchor, i) => {
    const y = 10 + i * row;
    if (i) svg += `<path d="M130 ${y - 8}V${y}" stroke="#666"/>`;
    svg += `<rect x="10" y="${y}" width="240" height="22" rx="4" fill="#dfe9f3"/>` +
      `<text x="20" y="${y + 15}" font-size="12">${escape(anchor)}</text>`;
    now.seeds.filter(s => s.anchor === anchor).forEach((seed, k) => {
      const x = 270 + 205 * k;
      svg += `<path d="M${x - 20} ${y + 11}H${x}" stroke="#666"/>` +
        `<rect x="${x}" y="${y}" width="185" height="22" rx="4" fill="${modes[seed.mode]}"/>` +
        `<text x="${x + 8}" y="${y + 15}" font-size="11">` +
        `${escape(seed.blueprint || seed.seed)} (${seed.mode})</text>`;
    });
  });
  document.getElementById("topology").innerHTML = svg + "</svg>";
  document.getElementById("edit").textContent = `${at} of ${data.topology.length - 1}`;
  document.getElementById("reason").textContent =
    `step ${now.step}, ${now.parameters} parameters. ${now.reason}`;
}
const slider = document.getElementById("slider");
slider.max = Math.max(0, data.topology.length - 1);
slider.value = slider.max;
slider.addEventListener("input", () => drawTopology(+slider.value));
drawTopology(+slider.value);

const detail = value => `<pre>${escape(typeof value === "string" ? value
  : JSON.stringify(value, null, 1))}</pre>`;
document.getElementById("events").innerHTML =
  "<tr><th>step</th><th>event</th><th>what and why</th><th>evidence</th>" +
  "<th>alternatives</th></tr>" +
  data.events.map(({event, step, epoch, evidence, alternatives, ...rest}) =>
    `<tr><td>${escape(step)}</td><td>${escape(event)}</td><td>${detail(rest)}</td>` +
    `<td>${evidence === undefined ? "" : detail(evidence)}</td>` +
    `<td>${alternatives === undefined ? "" : detail(alternatives)}</td></tr>`).join("");
</script>
</body>
</html>
)html";

std::string escaped(const std::string& text) {
    std::string out;
    for (char c : text)
        out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
    return out;
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
}

}  // namespace

std::string report_page(const std::string& title, std::string data) {
    std::string page = kHead;
    replace_all(page, "@TITLE@", escaped(title));
    // Nothing in the data may end the script element it stands in.
    replace_all(data, "<", "\\u003c");
    return page + data + kTail;
}

}  // namespace esper::cli
