find("status").textContent = run.status;
find("status").classList.add(run.status === "failed" ? "bad" : "kept");
find("name").textContent = run.name;

const grew = run.parameters !== run.parameters_initial;
find("headline").innerHTML =
  (lives.length
    ? `Of <b>${plural(lives.length, "seed")}</b> that germinated, <b>${kept}</b> ` +
      `${kept === 1 ? "was" : "were"} kept and <b>${culled}</b> culled. `
    : "No seed germinated in this run. ") +
  (grew
    ? `The network grew from ${number(run.parameters_initial)} to ` +
      `<b>${number(run.parameters)}</b> parameters. `
    : `The network still has its ${number(run.parameters)} parameters. `) +
  (isNumber(run.val_loss)
    ? `After ${run.steps} steps its validation loss is <b>${run.val_loss.toFixed(4)}</b>.` : "");

find("tiles").innerHTML = [
  ["validation loss", isNumber(run.val_loss) ? run.val_loss.toFixed(4) : "–"],
  ["validation accuracy", percent(run.val_accuracy)],
  ["test accuracy", percent(run.test_accuracy)],
  ["parameters", number(run.parameters)],
  ["FLOPs an example", number(run.flops_per_example)],
  ["FLOPs in all", number(run.flops_total)],
  ["time", duration(run.wall_seconds)],
].map(([name, value]) =>
  `<div class="tile"><b>${escape(value)}</b><span>${name}</span></div>`).join("");

const samples = data.events.filter(e => e.event === "sample");
find("text").hidden = !samples.length;
find("samples").innerHTML = samples.map(s =>
  `<div class="card"><h4>${escape(s.when)} (step ${s.step})</h4><pre>${escape(s.text)}</pre></div>`)
  .join("");

const troubles = data.events.filter(e => e.event === "fault" || e.event === "rollback" ||
  (e.event === "decision" && e.command === "rollback"));
find("faults").innerHTML = troubles.length
  ? `<div class="card"><table>${troubles.map(e =>
      `<tr><td class="step">step ${e.step}</td><td class="bad">${escape(e.event)}</td>` +
      `<td>${escape([e.seed, e.anchor && "at " + e.anchor, e.reason].filter(Boolean).join(" "))}` +
      `</td></tr>`).join("")}</table></div>`
  : `<p class="soft">None in this run.</p>`;

find("figures").innerHTML = Object.entries(run).map(([key, value]) =>
  `<tr><th>${escape(key)}</th><td>${escape(value !== null && typeof value === "object"
    ? Object.entries(value).map(([k, v]) => `${k} ${v}`).join(", ")
    : value)}</td></tr>`).join("");
find("events").innerHTML = "<tr><th>step</th><th>event</th><th>content</th></tr>" +
  data.events.map(({event, step, epoch, ...rest}) =>
    `<tr><td class="step">${step}</td><td>${escape(event)}</td>` +
    `<td><pre>${escape(JSON.stringify(rest))}</pre></td></tr>`).join("");
