"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const run = data.run;
const find = id => document.getElementById(id);
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

const lastStep = Math.max(1, run.steps || 0, ...data.metrics.map(row => row.step || 0));

// Each seed's life as the run's events tell it, rollbacks included.
const lives = data.lives.map(life => ({...life,
  decisions: life.decisions.map(i => data.events[i]), gates: life.gates.map(i => data.events[i])}));
const howMany = outcome => lives.filter(l => l.outcome === outcome).length;
const toneOf = outcome => outcome === "kept" ? "kept" : outcome === "alive" ? "born" : "culled";
