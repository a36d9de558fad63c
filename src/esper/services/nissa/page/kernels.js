// Which kernel computes each seed, how fast it was measured, or why the operators do.
const forgeNames = {ordered: "ordered", faster: "compiled, correct and faster",
                    not_faster: "correct but not faster", unsupported: "not supported by the compiler",
                    failed: "failed"};

// How fast the library measured a kernel, in times the speed of the operators.
function measuredSpeed(verdict) {
  const {speed_percent: mean, speed_percent_low: low, speed_percent_high: high,
         latency_ms_median: latency} = verdict?.measured || {};
  const times = percents => number(+(1 + percents / 100).toPrecision(3));
  return [isNumber(mean) && `${times(mean)} times` +
      (isNumber(low) && isNumber(high) ? ` [${times(low)}, ${times(high)}]` : ""),
    isNumber(latency) && `${number(latency)} ms a call`].filter(Boolean).join("; ") || "–";
}
const sizes = list => Array.isArray(list) ? list.map(String).join("×") : "";
const verdictBadge = kernel => {
  const isJudged = kernel.verdict?.passed === true;
  return [h("span", {class: `badge ${kernel.status === "VALIDATED" && isJudged ? "kept" : "soft"}`},
      kernel.status), " ",
    kernel.status === "VALIDATED" && !isJudged ? "by nobody: it is not used" : "",
    kernel.has_object === false ? "its object was given up: it is not used" : "",
    (kernel.verdict?.tags || []).map(tag => [h("span", {class: "badge soft"}, String(tag)), " "])];
};
const toSecond = time => String(time).slice(0, 19).replace("T", " ");
// What does not hold stands there at once.
function reasonList(reasons) {
  const line = reason => h("p", {class: `small ${reason.holds ? "soft" : "bad"}`},
    reason.holds ? "✓ " : "✗ ", reason.what, reason.why ? `: ${reason.why}` : "");
  const holding = reasons.filter(reason => reason.holds);
  return [reasons.filter(reason => !reason.holds).map(line), holding.length
    ? h("details", {}, h("summary", {class: "small"}, `${plural(holding.length, "condition")} met`),
        holding.map(line)) : ""];
}
// What the library says of kernels, and, where a run asks, what must hold before it uses one.
function kernelTable(kernels, title) {
  return h("div", {class: "card scroll", tabindex: "0", "aria-label": title},
    h("h3", {}, title), h("table", {}, h("thead", {}, h("tr", {},
      ["kernel", "verdict and tags", "measured", "compiled", "validated"].map(name =>
        h("th", {scope: "col"}, name)))),
    h("tbody", {}, kernels.map(kernel => h("tr", {"data-kernel": kernel.id},
      h("td", {}, h("b", {}, kernel.blueprint || String(kernel.branch).slice(0, 12)), " ",
        `${kernel.precision}, ${sizes(kernel.sample)}, ${kernel.isa}`, h("br"),
        h("code", {class: "small"}, kernel.id)),
      h("td", {}, verdictBadge(kernel), reasonList(kernel.reasons || [])),
      h("td", {}, measuredSpeed(kernel.verdict)),
      h("td", {}, `${duration(kernel.compile_seconds)}, ${kernel.pipeline}`, h("br"),
        h("span", {class: "small soft"}, toSecond(kernel.made))),
      h("td", {}, kernel.verdict ? [toSecond(kernel.verdict.at), h("br"), h("span", {class: "small soft"},
        kernel.verdict.hardware)] : "–"))))));
}
function libraryCard(library) {
  if (!library) return h("p", {class: "small soft"}, "Asking the library …");
  if (library.problem) return h("p", {class: "soft"}, "The library of this machine cannot say more: ",
                                library.problem);
  return library.kernels.length
    ? kernelTable(library.kernels, "What the library says of the kernels for these seeds") : "";
}

function kernelsView(run, events, library) {
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
    chosen.length ? libraryCard(library) : "",
    chosen.some(e => e.kernel) ? h("p", {class: "small soft"}, "Who vouches for a kernel, and each ",
      "condition that it met: ", h("code", {}, "esper library why KERNEL --run RUN")) : ""];
}
