find("status").textContent = run.status;
find("status").classList.add(run.status === "failed" ? "bad" : "kept");
find("name").textContent = run.name;

const grew = run.parameters !== run.parameters_initial;
const ends = ["kept", "culled", "cancelled", "rolled back"].map(word => [word, howMany(word)])
  .filter(([word, n]) => n || word === "kept" || word === "culled")
  .map(([word, n]) => `<b>${n}</b> ${n === 1 ? "was" : "were"} ${word}`);
const sizes = (run.resolution && run.resolution.changes) || [];
find("headline").innerHTML =
  (lives.length
    ? `Of <b>${plural(lives.length, "seed")}</b> that germinated, ${ends.join(", ")}` +
      (howMany("alive") ? `, <b>${howMany("alive")}</b> still alive. ` : ". ")
    : "No seed germinated in this run" +
      (run.waiting_for ? `: ${escape(run.waiting_for)}. ` : ". ")) +
  (grew
    ? `The network grew from ${number(run.parameters_initial)} to ` +
      `<b>${number(run.parameters)}</b> parameters. `
    : `The network still has its ${number(run.parameters)} parameters. `) +
  (sizes.length
    ? `Its images grew from ${escape(sizes[0].from)} to ` +
      sizes.map(change => `${escape(change.to)} (step ${number(change.step)})`).join(", ") +
      " pixels. " : "") +
  (isNumber(run.val_loss)
    ? `After ${number(run.steps)} steps its validation loss is <b>${loss(run.val_loss)}</b>.` : "");

// The figures of the run's task.
const figureOf = {
  accuracy: ["accuracy", percent],
  top5_accuracy: ["top-5 accuracy", percent],
  f1: ["F1, mean over classes", value => value.toFixed(4)],
  auc: ["area under the ROC curve", value => value.toFixed(4)],
  rmse: [`RMSE${run.target ? ` of ${run.target}` : ""}`, value => number(+value.toPrecision(5))],
  perplexity: ["perplexity", value => number(+value.toPrecision(4))],
  bits_per_byte: ["bits a byte", value => number(+value.toPrecision(4))],
};
const metricTiles = (part, metrics, where) => Object.entries(metrics)
  .filter(([key, value]) => figureOf[key] && isNumber(value))
  .map(([key, value]) => [`${part} ${figureOf[key][0]}${where}`, figureOf[key][1](value)]);
const ofTest = run.test_checkpoint
  ? ` (${run.test_checkpoint} checkpoint, step ${number(run.test_step)})` : "";
// How many seeds ran a native kernel, and how much faster than their operators it was measured.
const chosen = (run.kernels && run.kernels.seeds) || [];
const gains = chosen.map(seed => seed.gain).filter(isNumber);
const withKernels = !chosen.length ? "–" : `${gains.length} of ${chosen.length}`;
const gainText = gains.length
  ? ` (${Math.min(...gains).toFixed(2)} to ${Math.max(...gains).toFixed(2)} × the operators)` : "";
find("tiles").innerHTML = [
  ["validation loss, last", loss(run.val_loss)],
  ["validation loss, best" + (isNumber(run.best_step) ? ` (step ${number(run.best_step)})` : ""),
   loss(isNumber(run.best_val_loss) ? run.best_val_loss
     : Math.min(...data.metrics.map(row => row.val_loss).filter(isNumber)))],
  ...metricTiles("validation", run.val_metrics || {accuracy: run.val_accuracy}, ""),
  ["test loss" + ofTest, loss(run.test_loss)],
  ...metricTiles("test", run.test_metrics || {accuracy: run.test_accuracy}, ofTest),
  ["parameters", number(run.parameters)],
  ["FLOPs an example", number(run.flops_per_example)],
  ["FLOPs in all", number(run.flops_total)],
  ["time", duration(run.wall_seconds)],
  ["memory at most", isNumber(run.peak_resident_bytes)
    ? `${number(Math.round(run.peak_resident_bytes / 1e6))} MB` : "–"],
  ["seeds with a native kernel" + gainText, withKernels],
].filter(([, value]) => value !== "–").map(([name, value]) =>
  `<div class="tile"><b>${escape(value)}</b><span>${escape(name)}</span></div>`).join("");

// The darker a cell, the larger its share of the row.
const confusion = run.test_confusion;
find("confused").hidden = !confusion;
if (confusion) {
  const head = confusion.classes.map(name => `<th>${escape(name)}</th>`).join("");
  find("confusion").innerHTML = `<tr><th>right \\ said</th>${head}</tr>` +
    confusion.rows.map((row, right) => {
      const all = row.reduce((sum, n) => sum + n, 0) || 1;
      return `<tr><th>${escape(confusion.classes[right])}</th>` + row.map((n, said) =>
        `<td class="number" style="background:color-mix(in srgb, var(--${right === said
          ? "kept" : "culled"}) ${(100 * n / all).toFixed(0)}%, transparent)">${number(n)}</td>`)
        .join("") + "</tr>";
    }).join("");
}
const spentTable = (title, costs, show) => costs.length
  ? `<div class="card"><h4>${title}</h4><table>${costs.map(([name, amount, share]) =>
      `<tr><th>${escape(name)}</th><td>${show(amount)}</td><td>${percent(share)}</td></tr>`)
      .join("")}</table></div>` : "";
find("spent").innerHTML = spentTable("FLOPs", costsOf(run.flops), number) +
  spentTable("Time", costsOf(run.seconds), duration);
find("costs").hidden = !find("spent").innerHTML;

const samples = data.events.filter(e => e.event === "sample");
find("text").hidden = !samples.length;
find("samples").innerHTML = samples.map(s =>
  `<div class="card"><h4>${escape(s.when)} (step ${number(s.step)})</h4><pre>${escape(s.text)}</pre></div>`)
  .join("");

const troubles = data.events.filter(e =>
  ["fault", "kernel_fault", "rollback", "rollback_refused"].includes(e.event));
find("faults").innerHTML = troubles.length
  ? `<div class="card"><table>${troubles.map(e =>
      `<tr><td class="step">step ${escape(e.step)}</td><td class="bad">${escape(e.event)}</td>` +
      `<td>${escape([e.seed, e.anchor && "at " + e.anchor,
        e.event === "rollback" && `back to step ${e.to_step}:`, e.reason]
        .filter(Boolean).join(" "))}` +
      `</td></tr>`).join("")}</table></div>`
  : `<p class="soft">None in this run.</p>`;

find("figures").innerHTML = Object.entries(run).filter(([key]) => key !== "test_confusion").map(([key, value]) =>
  `<tr><th>${escape(key)}</th><td>${escape(value !== null && typeof value === "object"
    ? Object.entries(value).map(([k, v]) =>
      `${k} ${v !== null && typeof v === "object" ? JSON.stringify(v) : v}`).join(", ")
    : value)}</td></tr>`).join("");
find("events").innerHTML = "<tr><th>step</th><th>event</th><th>content</th></tr>" +
  data.events.map(({event, step, epoch, ...rest}) =>
    `<tr><td class="step">${escape(step)}</td><td>${escape(event)}</td>` +
    `<td><pre>${escape(JSON.stringify(rest))}</pre></td></tr>`).join("");
find("config").textContent = data.config || "";
find("configuration").hidden = !data.config;
