"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const run = data.run;
const find = id => document.getElementById(id);
const escape = text => String(text).replace(/[&<>"]/g,
  c => ({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}[c]));
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
const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
const duration = s => !isNumber(s) ? "–" : s < 100 ? s.toFixed(1) + " s"
  : s < 7200 ? `${Math.floor(s / 60)} min ${Math.round(s % 60)} s` : (s / 3600).toFixed(1) + " h";

const firstRow = data.metrics.find(row => row.epoch > 0);
const stepsPerEpoch = firstRow ? firstRow.step / firstRow.epoch : 1;
const lastStep = Math.max(1, run.steps || 0, ...data.metrics.map(row => row.step || 0));

// Each seed's life, put together from the decisions.
const phaseOf = {graft: "blending in", stabilize: "settling", evaluate: "on trial",
                 fine_tune: "learning with the host"};
const endOf = {fossilize: "kept", cull: "culled", cancel: "cancelled", rollback: "rolled back"};
const lives = [];
for (const event of data.events) {
  if (event.event === "decision" && event.command === "germinate") {
    lives.push({seed: event.seed, blueprint: event.blueprint, anchor: event.anchor,
                decisions: [event], gates: [], outcome: "alive", born: event.step,
                phases: [{name: "learning alone", from: event.step}]});
    continue;
  }
  const life = lives.findLast(l => l.seed === event.seed);
  if (!life || !event.seed) continue;
  if (event.event === "gate") life.gates.push(event);
  if (event.event === "fault") Object.assign(life, {outcome: "culled", ended: event.step,
                                                    verdict: event});
  if (event.event !== "decision") continue;
  if (event.command in phaseOf)
    life.phases.push({name: phaseOf[event.command], from: event.step});
  if (event.command in endOf)
    Object.assign(life, {outcome: endOf[event.command], ended: event.step, verdict: event});
  if (event.command !== "promote" && event.command !== "reset") life.decisions.push(event);
}
const kept = lives.filter(l => l.outcome === "kept").length;
const culled = lives.filter(l => l.outcome === "culled").length;
const toneOf = outcome => outcome === "kept" ? "kept" : outcome === "alive" ? "born" : "culled";
