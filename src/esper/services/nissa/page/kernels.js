// Which kernel computes each seed, how fast it was measured, or why the operators do.
const forgeNames = {ordered: "ordered", faster: "compiled, correct and faster",
                    not_faster: "correct but not faster", unsupported: "not supported by the compiler",
                    failed: "failed"};

function kernelsView(run, events) {
  const kernels = run.kernels || {};
  const chosen = events.filter(e => e.event === "kernel");
  const faults = events.filter(e => e.event === "kernel_fault");
  const ended = new Map(faults.map(f => [f.seed, f]));
  const most = Math.max(1, ...chosen.map(e => e.gain_high).filter(isNumber));
  const bar = event => isNumber(event.gain) ? [`${number(+event.gain.toPrecision(3))} times`,
    fromHtml(`<svg class="share" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" ` +
      `aria-label="between ${number(event.gain_low)} and ${number(event.gain_high)} times the ` +
      `speed of the operators"><rect y="2" height="2" width="${100 * event.gain / most}" ` +
      `fill="var(--val)"/><rect x="${100 * event.gain_low / most}" height="6" fill="var(--kept)" ` +
      `opacity=".5" width="${Math.max(.5, 100 * (event.gain_high - event.gain_low) / most)}"/></svg>`)]
    : "–";
  const forged = kernels.forged && Object.entries(forgeNames)
    .filter(([key]) => isNumber(kernels.forged[key]))
    .map(([key, words]) => h("div", {class: "tile"}, h("b", {}, number(kernels.forged[key])),
                             h("span", {}, words)));
  return [
    kernels.enabled === false || !chosen.length ? h("p", {class: "soft"}, kernels.enabled
      ? "No seed has germinated, so none has been decided about."
      : "This run asked for no kernels (growth.kernels is false): operators compute its seeds.") : "",
    kernels.unavailable ? h("p", {class: "alert", role: "alert"}, kernels.unavailable) : "",
    forged ? h("div", {}, h("h3", {}, "The forge beside this run"), h("div", {class: "tiles"}, forged),
      h("p", {class: "small soft"}, kernels.forged.finished ? "It has done all that was ordered."
        : "It had not done all that was ordered when the run ended or wrote this.")) : "",
    chosen.length ? h("div", {class: "card scroll", tabindex: "0", "aria-label": "kernels of seeds"},
      h("h3", {}, "What computes each seed"), h("table", {}, h("thead", {}, h("tr", {},
        ["step", "seed", "runs as", "measured speed against the operators", "why", "kernel"]
          .map(name => h("th", {scope: "col"}, name)))),
      h("tbody", {}, chosen.map(event => h("tr", {},
        h("td", {class: "step"}, String(event.step)),
        h("td", {}, h("b", {}, event.seed), h("br"), h("span", {class: "small soft"},
          `${event.blueprint} at ${event.anchor}`)),
        h("td", {}, h("span", {class: `badge ${ended.has(event.seed) ? "bad"
          : event.runs === "kernel" ? "kept" : "soft"}`},
          ended.has(event.seed) ? "operators, after a fault" : event.runs)),
        h("td", {class: "number"}, bar(event)),
        h("td", {}, event.why, (event.refused || []).length
          ? h("p", {class: "small bad"}, "Refused: ", event.refused.map(String).join("; ")) : ""),
        h("td", {}, event.kernel ? h("code", {}, event.kernel) : "–")))))) : "",
    faults.length ? h("div", {class: "card"}, h("h3", {}, "Kernels that failed or were lost"),
      h("table", {}, faults.map(f => h("tr", {}, h("td", {class: "step"}, `step ${f.step}`),
        h("td", {}, f.seed), h("td", {}, f.reason), h("td", {}, `taken out ${f.evicted}`))))) : "",
    chosen.some(e => e.kernel) ? h("p", {class: "small soft"}, "Who vouches for a kernel, and each ",
      "condition that it met: ", h("code", {}, "esper library why KERNEL --run RUN")) : ""];
}
