const marks = lives.flatMap(life => {
  const all = [{kind: "born", step: life.germinated, text: `${life.seed} germinated: ` +
    `${life.blueprint} at ${life.anchor}`}];
  if (life.outcome !== "alive")
    all.push({kind: toneOf(life.outcome), step: life.ended,
              text: `${life.seed} ${life.outcome}: ${life.reason}`});
  return all;
}).concat(data.events.filter(e => e.event === "resolution").map(e =>
  ({kind: "soft", step: e.step, text: `images grew from ${e.from} to ${e.to} pixels`})));
find("legend").innerHTML = lives.length
  ? [["born", "germinated"], ["kept", "kept"], ["culled", "culled, cancelled or rolled back"]].map(([kind, word]) =>
      `<svg width="14" height="14" viewBox="0 0 14 14">${shapes[kind](7, 7)}</svg>${word}`).join("")
  : "";

// What the curves are drawn over. Marks stand at steps; between two rows they are interpolated.
const axes = [["epoch", "epoch", number], ["step", "step", number],
              ["seconds", "time", duration]].filter(([key]) =>
  data.metrics.some(row => isNumber(row[key])));
function placeOf(step, key) {
  let before = {step: 0, [key]: 0};
  for (const row of data.metrics) {
    if (!isNumber(row[key])) continue;
    if (row.step >= step) {
      const share = row.step > before.step ? (step - before.step) / (row.step - before.step) : 1;
      return before[key] + share * (row[key] - before[key]);
    }
    before = row;
  }
  return before[key];
}

const plots = find("plots");
function plot({title, series, show = number, fromZero = false}, [key, axisName, showAxis]) {
  const rows = data.metrics.filter(row => isNumber(row[key]));
  const drawn = series.filter(s => rows.some(row => isNumber(row[s.key])));
  if (!drawn.length) return;
  const width = 560, height = 290, left = 62, right = 12, top = marks.length ? 34 : 12, bottom = 46;
  const values = drawn.flatMap(s => rows.map(r => r[s.key])).filter(isNumber);
  let low = Math.min(...values), high = Math.max(...values);
  if (fromZero) low = Math.min(low, 0);
  const margin = (high - low || Math.abs(high) || 1) * .05;
  high += margin;
  if (!fromZero) low -= margin;
  const last = Math.max(...rows.map(r => r[key])) || 1;
  const px = x => left + x / last * (width - left - right);
  const py = y => height - bottom - (y - low) / (high - low) * (height - bottom - top);
  let svg = "";
  for (const t of ticks(low, high, 5))
    svg += `<path class="grid" d="M${left} ${py(t)}H${width - right}"/>` +
      `<text x="${left - 7}" y="${py(t) + 4}" text-anchor="end">${show(+t.toPrecision(12))}</text>`;
  for (const t of ticks(0, last, 6))
    svg += `<text x="${px(t)}" y="${height - 26}" text-anchor="middle">` +
      `${showAxis(+t.toPrecision(12))}</text>`;
  svg += `<text x="${(left + width - right) / 2}" y="${height - 6}" text-anchor="middle">` +
    `${axisName}</text>` +
    `<path class="axis" d="M${left} ${height - bottom}H${width - right}"/>`;
  const rowsTaken = [];
  for (const mark of marks) {
    const x = px(placeOf(mark.step, key));
    const lane = rowsTaken.findIndex(end => x - end > 13);
    const at = lane < 0 ? rowsTaken.length : lane;
    rowsTaken[at] = x;
    const y = 8 + 12 * Math.min(at, 1);
    svg += `<g><title>step ${escape(mark.step)}: ${escape(mark.text)}</title>` +
      `<path d="M${x} ${y + 5}V${height - bottom}" stroke="var(--${mark.kind})" opacity=".35"
        stroke-dasharray="2 3"/>${shapes[mark.kind](x, y)}</g>`;
  }
  for (const s of drawn) {
    const line = rows.filter(r => isNumber(r[s.key])).map(r => `${px(r[key])},${py(r[s.key])}`);
    svg += `<polyline class="curve" points="${line.join(" ")}" stroke="${s.colour}"/>`;
  }
  svg += `<path class="cross" stroke="var(--soft)" opacity=".5"/>`;
  const names = drawn.map(s => `<i style="color:${s.colour};font-style:normal">━ ${s.name}</i>`)
    .join(" ");
  const figure = document.createElement("figure");
  figure.className = "card";
  figure.innerHTML = `<figcaption>${title} <span>${names}</span></figcaption>` +
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${title} by ${axisName}">${svg}` +
    `</svg>`;
  const caption = figure.querySelector("span"), picture = figure.querySelector("svg");
  picture.addEventListener("mousemove", move => {
    const box = picture.getBoundingClientRect();
    const x = ((move.clientX - box.left) / box.width * width - left) / (width - left - right) * last;
    const row = rows.reduce((a, b) => Math.abs(b[key] - x) < Math.abs(a[key] - x) ? b : a);
    figure.querySelector(".cross").setAttribute("d",
      `M${px(row[key])} ${top}V${height - bottom}`);
    caption.innerHTML = `${axisName} ${showAxis(row[key])}: ` + drawn.map(s =>
      `<i style="color:${s.colour};font-style:normal">${s.name} ${show(row[s.key])}</i>`).join(" ");
  });
  picture.addEventListener("mouseleave", () => {
    caption.innerHTML = names;
    figure.querySelector(".cross").removeAttribute("d");
  });
  plots.append(figure);
}

const curves = [
  {title: "Loss", series: [
    {name: "train", key: "train_loss", colour: "var(--train)"},
    {name: "validation", key: "val_loss", colour: "var(--val)"}]},
  {title: "Accuracy", show: percent, series: [
    {name: "validation", key: "val_accuracy", colour: "var(--val)"}]},
  {title: "Learning rate", fromZero: true, series: [
    {name: "at the last step", key: "learning_rate", colour: "var(--val)"}]},
  {title: "FLOPs of one example", fromZero: true, series: [
    {name: "forward", key: "flops_per_example", colour: "var(--val)"}]},
  {title: "FLOPs spent, everything counted", fromZero: true, series: [
    {name: "so far", key: "flops_total", colour: "var(--val)"}]},
  {title: "Examples trained in a second", fromZero: true, series: [
    {name: "over the epoch", key: "examples_per_second", colour: "var(--val)"}]},
  {title: "Memory of the process, bytes", fromZero: true, series: [
    {name: "resident", key: "resident_bytes", colour: "var(--val)"}]},
];
function drawCurves() {
  plots.textContent = "";
  const axis = axes[find("axis").selectedIndex] || axes[0];
  if (axis) for (const curve of curves) plot(curve, axis);
  if (!data.metrics.length)
    plots.innerHTML = `<p class="soft">No epoch has been completed yet.</p>`;
}
find("axis").innerHTML = axes.map(([, name]) => `<option>${name}</option>`).join("");
find("axis").addEventListener("change", drawCurves);
drawCurves();
