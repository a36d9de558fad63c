// One seed's life: the parts of its card, each as HTML.
const phaseColour = {"learning alone": "var(--born)", "blending in": "var(--wait)",
                     settling: "var(--train)", "on trial": "var(--ink)",
                     "learning with the host": "var(--val)"};
const stageWord = {before_graft: "before the graft", after_graft: "after the graft",
                   after_fine_tune: "after learning together"};
const commandWord = {germinate: "germinated", graft: "blended in", stabilize: "settles",
                     evaluate: "goes on trial", fine_tune: "learns with the host",
                     fossilize: "kept", cull: "culled", cancel: "cancelled"};

const endWord = {kept: "Kept", "rolled back": "Taken back with a rollback"};

// Where in the run the seed lived, phase by phase.
function timeline(life, lastStep) {
  const width = 1000, x = step => 4 + step / lastStep * (width - 8);
  let svg = `<path class="grid" d="M4 14H${width - 4}" stroke-width="2"/>`;
  life.phases.forEach((phase, i) => {
    const to = i + 1 < life.phases.length ? life.phases[i + 1].from : life.ended || lastStep;
    svg += `<rect x="${x(phase.from)}" y="8" width="${Math.max(2, x(to) - x(phase.from))}"
      height="12" rx="2" fill="${phaseColour[phase.name]}"><title>${escape(phase.name)}: steps ` +
      `${phase.from} to ${to}</title></rect>`;
  });
  if (life.outcome === "kept")
    svg += `<rect x="${x(life.ended)}" y="11" width="${Math.max(0, x(lastStep) - x(life.ended))}"
      height="6" fill="var(--kept)"><title>kept, part of the network</title></rect>`;
  svg += life.outcome === "alive" ? "" : shapes[toneOf(life.outcome)](x(life.ended), 14);
  const legend = [...new Set(life.phases.map(p => p.name))].map(name =>
    `<i style="color:${phaseColour[name]};font-style:normal">■</i> ${escape(name)}`).join(" &nbsp;");
  return `<svg viewBox="0 0 ${width} 28" role="img" aria-label="life of ${escape(life.seed)}">` +
    `${svg}</svg><p class="small soft">steps 0 to ${lastStep}: ${legend}</p>`;
}

// Each look of a gate as an interval around its mean, against the rent it had to exceed.
function gates(life) {
  if (!life.gates.length) return `<p class="small soft">No gate has looked at it.</p>`;
  const values = life.gates.flatMap(g => [g.lower, g.upper, g.mean, g.rent, 0]).filter(isNumber);
  let low = Math.min(...values), high = Math.max(...values);
  const margin = (high - low || 1e-3) * .08;
  low -= margin;
  high += margin;
  const width = 520, row = 44, height = life.gates.length * row + 34;
  const x = v => 8 + (v - low) / (high - low) * (width - 16);
  let svg = `<path class="axis" d="M${x(0)} 4V${height - 24}" stroke-dasharray="2 3"/>`;
  for (const t of ticks(low, high, 4))
    svg += `<text x="${x(t)}" y="${height - 8}" text-anchor="middle">${number(+t.toPrecision(6))}` +
      `</text>`;
  life.gates.forEach((gate, i) => {
    const y = 26 + i * row;
    const colour = {keep: "var(--kept)", cull: "var(--culled)"}[gate.verdict] || "var(--wait)";
    svg += `<text class="strong" x="8" y="${y - 12}">${stageWord[gate.stage] || escape(gate.stage)}` +
      `, look ${escape(gate.look)}: ${escape(gate.verdict)} after ` +
      `${escape(gate.examples)} examples</text>` +
      `<path d="M${x(gate.rent ?? 0)} ${y - 8}v16" stroke="var(--bad)" stroke-width="2">` +
      `<title>rent ${number(gate.rent)}</title></path>`;
    if (isNumber(gate.lower) && isNumber(gate.upper))
      svg += `<path d="M${x(gate.lower)} ${y - 5}v10m0 -5H${x(gate.upper)}m0 -5v10" fill="none"
        stroke="${colour}" stroke-width="2"/><circle cx="${x(gate.mean)}" cy="${y}" r="4.5"
        fill="${colour}"/><title>${number(gate.lower)} to ${number(gate.upper)}</title>`;
    else svg += `<text x="${x(0) + 8}" y="${y + 4}">too few examples to bound it</text>`;
  });
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="gates">${svg}</svg>` +
    `<p class="small soft">loss saved per example, with its confidence interval; ` +
    `<span class="bad">|</span> the rent it has to exceed</p>`;
}

// What the seed would have been spared of: a copy of the run that trained on without it.
function counterfactual(life) {
  const forks = life.gates.filter(g => g.fork && typeof g.fork === "object");
  if (!forks.length) return "";
  return `<h4>Against a copy of the network that trained without it</h4><table>${forks.map(g =>
    `<tr><td class="step">look ${escape(g.look)}</td><td>loss ${number(g.fork.loss_with)} with the ` +
    `seed, ${number(g.fork.loss_without)} without it, both trained from step ` +
    `${escape(g.fork.from_step)}; ${escape(g.fork.examples)} examples</td></tr>`).join("")}</table>`;
}

function alternatives(life) {
  const birth = life.decisions[0];
  const others = (birth.alternatives || []).filter(a => a && typeof a === "object");
  if (!others.length) return `<p class="small soft">There was no other candidate.</p>`;
  const own = {anchor: birth.anchor, blueprint: birth.blueprint,
               score: birth.evidence?.score ?? null, own: true};
  const all = [own, ...others];
  const most = Math.max(...all.map(a => a.score || 0)) || 1;
  return `<table><tr><th>candidate</th><th>gain per FLOP</th><th></th></tr>${all.map(a =>
    `<tr><td>${a.own ? "<b>" : ""}${escape(a.blueprint)} at ${escape(a.anchor)}` +
    `${a.own ? "</b>" : ""}</td><td class="number">${isNumber(a.score) ? number(a.score)
      : "not measured"}</td><td style="width:30%"><svg viewBox="0 0 100 8"><rect width="` +
    `${Math.max(0, 100 * (a.score || 0) / most)}" height="8" rx="2" fill="var(--${a.own ? "born"
      : "train"})"/></svg></td></tr>`).join("")}</table>`;
}

const evidenceText = evidence => Object.entries(evidence || {})
  .map(([name, value]) => `${escape(name.replaceAll("_", " "))} ${number(value)}`).join(", ");

function splitsCard(splits) {
  const rows = splits.map(s => `<tr><td class="step">step ${escape(s.step)}</td><td>` +
    `block <b>${escape(s.block)}</b> was split into two: ${escape(s.reason)}` +
    `${isNumber(s.undone) ? `<br><span class="bad">taken back at step ${escape(s.undone)}: ` +
      `${escape(s.why_undone)}</span>` : ""}</td></tr>`).join("");
  return rows ? `<article class="card life"><header><h3>Depth</h3></header>` +
    `<div class="body"><table>${rows}</table></div></article>` : "";
}

// `life` with its decisions and gates as events.
const lifeCard = (life, lastStep) => `<article class="card life" data-seed="${escape(life.seed)}">
  <header><h3>${escape(life.seed)}</h3><span>${escape(life.blueprint)} at ` +
  `${escape(life.anchor)}</span><span class="badge ${toneOf(life.outcome)}">` +
  `${escape(life.outcome)}</span></header><div class="body">
  ${life.outcome !== "alive" ? `<p>${endWord[life.outcome] || "Taken out"} at step ` +
    `${life.ended} because ${escape(life.reason)}.</p>` : ""}
  ${timeline(life, lastStep)}
  <div class="columns"><div><h4>Gates</h4>${gates(life)}</div>
  <div><h4>What it was preferred to</h4>${alternatives(life)}</div></div>
  ${counterfactual(life)}<h4>Decisions</h4><table>${life.decisions.map(d =>
    `<tr><td class="step">step ${escape(d.step)}</td><td>${commandWord[d.command] ||
      escape(d.command || d.to)}</td><td>${escape(d.reason || "")}<br><span class="evidence">` +
    `${evidenceText(d.evidence)}</span></td></tr>`).join("")}</table></div></article>`;
