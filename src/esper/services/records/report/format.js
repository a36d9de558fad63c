"use strict";
// What the report and the live page share: text from values. Everything that stands in a run's files
// passes through escape() or number().
const escape = text => String(text).replace(/[&<>"']/g,
  c => ({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}[c]));
const isNumber = x => typeof x === "number" && Number.isFinite(x);

// 0.01234 → 0.0123; 1234567 → 1.23 M
function number(x) {
  if (!isNumber(x)) return "–";
  const size = Math.abs(x);
  if (size >= 1e4) {
    const units = ["", " k", " M", " G", " T", " P", " E"];
    const unit = Math.min(units.length - 1, Math.floor(Math.log10(size) / 3));
    return String(+(x / 1000 ** unit).toPrecision(3)) + units[unit];
  }
  if (Number.isInteger(x)) return String(x);
  return size !== 0 && size < 1e-3 ? x.toExponential(2) : String(+x.toPrecision(4));
}
const percent = x => isNumber(x) ? (100 * x).toFixed(2) + " %" : "–";
const loss = x => isNumber(x) ? x.toFixed(4) : "–";
const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
const duration = s => !isNumber(s) ? "–" : s < 100 ? s.toFixed(1) + " s"
  : s < 7200 ? `${Math.floor(s / 60)} min ${Math.round(s % 60)} s` : (s / 3600).toFixed(1) + " h";

// What a run spends arithmetic and time on.
const costNames = {training: "training steps", shadows: "second passes of seeds in a shadow",
                   validation: "validation", test: "test",
                   measuring: "measuring candidates and seeds", forks: "forks for gates",
                   sampling: "samples", recording: "recording gradients",
                   precision: "choosing the precision", unattributed: "not attributed"};
// [name, amount, share of all], largest first.
function costsOf(amounts) {
  const costs = Object.entries(amounts || {}).filter(([, v]) => isNumber(v) && v > 0)
    .sort((a, b) => b[1] - a[1]);
  const all = costs.reduce((sum, [, v]) => sum + v, 0);
  return costs.map(([key, v]) => [costNames[key] || key, v, v / all]);
}

function ticks(low, high, wanted) {
  const raw = (high - low) / wanted || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find(m => m * power >= raw * .999);
  const all = [];
  for (let t = Math.ceil(low / step) * step; t <= high + step * 1e-6; t += step) all.push(t);
  return all;
}

// What happened to seeds and to the size of images, as marks over the curves.
const shapes = {
  born: (x, y) => `<circle cx="${x}" cy="${y}" r="4" fill="none" stroke="var(--born)"
    stroke-width="2"/>`,
  kept: (x, y) => `<circle cx="${x}" cy="${y}" r="5" fill="var(--kept)"/>`,
  culled: (x, y) => `<path d="M${x - 4} ${y - 4}l8 8m0 -8l-8 8" stroke="var(--culled)"
    stroke-width="2.2" fill="none"/>`,
  soft: (x, y) => `<rect x="${x - 4}" y="${y - 4}" width="8" height="8" fill="none"
    stroke="var(--soft)" stroke-width="2"/>`,
};
const toneOf = outcome => outcome === "kept" ? "kept" : outcome === "alive" ? "born" : "culled";
