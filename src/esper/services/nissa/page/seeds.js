// Every seed over the run: how far it was blended in, what it gained, how it was.
const lookNames = {alpha: "α", gradient_norm: "gradient norm", dead_ratio: "share of dead outputs"};

// The looks at one seed, in order: {step, alpha, gradient_norm, dead_ratio, activation_variance}.
function looksAt(seed, slots) {
  return slots.flatMap(slot => slot.step.map((step, i) => ({step, seed: slot.seeds[i],
    alpha: slot.alpha[i], gradient_norm: slot.gradient_norm[i], dead_ratio: slot.dead_ratio[i],
    activation_variance: slot.activation_variance[i]})))
    .filter(look => look.seed === seed).sort((a, b) => a.step - b.step);
}

// The newest of `list` (each with a `step`) at a moment.
const newestAt = (list, step) => list.filter(item => item.step <= step).at(-1);

// What is known about a seed at a moment, in a few words.
function seedDetail(life, looks, step) {
  const look = newestAt(looks, step), gate = life && newestAt(life.gates, step);
  const short = value => number(+value.toPrecision(2));
  return [isNumber(look?.alpha) && `α ${number(+look.alpha.toPrecision(3))}`,
    isNumber(gate?.mean) && isNumber(gate.rent) &&
      `gain ${short(gate.mean)}, rent ${short(gate.rent)}`,
    isNumber(look?.gradient_norm) && `gradient ${short(look.gradient_norm)}`]
    .filter(Boolean).join(" · ");
}

class SeedTable {
  constructor() {
    this.element = h("div", {class: "card scroll", tabindex: "0", "aria-label": "seeds over time"});
  }

  set(lives, slots, lastStep) {
    this.lines = [];
    if (!lives.length) return this.element.replaceChildren(
      h("p", {class: "soft"}, "No seed has germinated yet."));
    this.element.replaceChildren(h("table", {class: "seeds"},
      h("caption", {class: "small soft"}, `steps 0 to ${number(lastStep)}; the dashed line is the ` +
        "moment drawn above; the bar of a gain is its confidence interval, the red line the rent"),
      h("thead", {}, h("tr", {}, ["seed", "α", "gain", "gradient norm", "share of dead outputs"]
        .map(name => h("th", {scope: "col"}, name)))),
      h("tbody", {}, lives.map(life => {
        const looks = looksAt(life.seed, slots);
        return h("tr", {"data-seed": life.seed}, h("th", {scope: "row"}, life.seed, " ",
            h("span", {class: `badge ${toneOf(life.outcome)}`}, life.outcome), h("br"),
            h("span", {class: "small soft"}, `${life.blueprint} at ${life.anchor}`)),
          ...["alpha", "gain", "gradient_norm", "dead_ratio"].map(what => h("td", {class: "number"},
            what === "gain" ? this.gains(life, lastStep) : this.curve(looks, what, lastStep, life))));
      }))));
  }

  // One look after the other, from the seed's germination to its end. Blending in begins at α = 0.
  curve(looks, what, lastStep, life) {
    const seen = looks.filter(look => isNumber(look[what]));
    const blended = what === "alpha" && life.phases.find(phase => phase.name === "blending in");
    if (blended && seen.length && seen[0].step > blended.from)
      seen.unshift({step: blended.from, alpha: 0});
    if (!seen.length) return "–";
    const top = what === "alpha" ? 1 : Math.max(...seen.map(look => look[what])) || 1;
    const x = step => 2 + 116 * step / (lastStep || 1), y = value => 30 - 26 * value / top;
    const dots = seen.length < 30 ? seen.map(look =>
      `<circle cx="${x(look.step)}" cy="${y(look[what])}" r="1.8" fill="var(--val)"/>`).join("") : "";
    return this.frame(`${lookNames[what]} of ${life.seed}: ${seen.map(look =>
      `${number(look[what])} at step ${look.step}`).slice(-6).join(", ")}`,
      `<polyline class="curve" stroke="var(--val)" points="${seen.map(look =>
        `${x(look.step)},${y(look[what])}`).join(" ")}"/>${dots}`, number(seen.at(-1)[what]));
  }

  // Each look of the gates as an interval, against the rent.
  gains(life, lastStep) {
    const gates = life.gates.filter(gate => isNumber(gate.mean));
    if (!gates.length) return "–";
    const values = gates.flatMap(g => [g.mean, g.lower, g.upper, g.rent, 0]).filter(isNumber);
    const low = Math.min(...values), high = Math.max(...values);
    const x = step => 2 + 116 * step / (lastStep || 1);
    const y = value => 30 - 26 * (value - low) / (high - low || 1);
    return this.frame(`gain of ${life.seed}: ${gates.map(g => `${number(g.mean)} at step ${g.step}`)
      .join(", ")}`, gates.map(gate => {
      const colour = {keep: "var(--kept)", cull: "var(--culled)"}[gate.verdict] || "var(--wait)";
      return (isNumber(gate.rent) ? `<path d="M${x(gate.step) - 5} ${y(gate.rent)}h10"
          stroke="var(--bad)" stroke-width="1.5"/>` : "") +
        (isNumber(gate.lower) && isNumber(gate.upper) ? `<path d="M${x(gate.step)} ` +
          `${y(gate.lower)}V${y(gate.upper)}" stroke="${colour}" stroke-width="2.5"/>` : "") +
        `<circle cx="${x(gate.step)}" cy="${y(gate.mean)}" r="2.6" fill="${colour}"/>`;
    }).join(""), number(gates.at(-1).mean));
  }

  frame(label, inside, last) {
    const picture = fromHtml(`<svg class="seed-spark" viewBox="0 0 120 34" role="img" ` +
      `aria-label="${escape(label)}"><path class="grid" d="M2 30H118"/>${inside}` +
      `<path class="moment" d="M0 2V32" stroke="var(--soft)" stroke-dasharray="2 2"/></svg>`);
    this.lines.push(picture.querySelector(".moment"));
    return [picture, last];
  }

  moveTo(step, lastStep) {
    const x = 2 + 116 * step / (lastStep || 1);
    for (const line of this.lines || []) line.setAttribute("d", `M${x} 2V32`);
  }
}
