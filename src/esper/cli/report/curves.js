// What happened to seeds, as marks over the curves.
const shapes = {
  born: (x, y) => `<circle cx="${x}" cy="${y}" r="4" fill="none" stroke="var(--born)"
    stroke-width="2"/>`,
  kept: (x, y) => `<circle cx="${x}" cy="${y}" r="5" fill="var(--kept)"/>`,
  culled: (x, y) => `<path d="M${x - 4} ${y - 4}l8 8m0 -8l-8 8" stroke="var(--culled)"
    stroke-width="2.2" fill="none"/>`,
};
const marks = lives.flatMap(life => {
  const all = [{kind: "born", step: life.born, text: `${life.seed} germinated: ` +
    `${life.blueprint} at ${life.anchor}`}];
  if (life.outcome !== "alive")
    all.push({kind: toneOf(life.outcome), step: life.ended,
              text: `${life.seed} ${life.outcome}: ${life.verdict.reason || ""}`});
  return all;
});
find("legend").innerHTML = lives.length
  ? [["born", "germinated"], ["kept", "kept"], ["culled", "culled"]].map(([kind, word]) =>
      `<svg width="14" height="14" viewBox="0 0 14 14">${shapes[kind](7, 7)}</svg>${word}`).join("")
  : "";

function ticks(low, high, wanted) {
  const raw = (high - low) / wanted || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find(m => m * power >= raw * .999);
  const all = [];
  for (let t = Math.ceil(low / step) * step; t <= high + step * 1e-6; t += step) all.push(t);
  return all;
}

const plots = find("plots");
function plot({title, series, show = number, fromZero = false}) {
  const drawn = series.filter(s => data.metrics.some(row => isNumber(row[s.key])));
  if (!drawn.length) return;
  const rows = data.metrics;
  const width = 560, height = 270, left = 56, right = 12, top = marks.length ? 34 : 12, bottom = 30;
  const values = drawn.flatMap(s => rows.map(r => r[s.key])).filter(isNumber);
  let low = Math.min(...values), high = Math.max(...values);
  if (fromZero) low = 0;
  const margin = (high - low || Math.abs(high) || 1) * .05;
  high += margin;
  if (!fromZero) low -= margin;
  const lastEpoch = Math.max(...rows.map(r => r.epoch));
  const px = epoch => left + epoch / lastEpoch * (width - left - right);
  const py = y => height - bottom - (y - low) / (high - low) * (height - bottom - top);
  let svg = "";
  for (const t of ticks(low, high, 4))
    svg += `<path class="grid" d="M${left} ${py(t)}H${width - right}"/>` +
      `<text x="${left - 7}" y="${py(t) + 4}" text-anchor="end">${show(t)}</text>`;
  for (const t of ticks(0, lastEpoch, 6))
    svg += `<text x="${px(t)}" y="${height - 10}" text-anchor="middle">${number(t)}</text>`;
  svg += `<path class="axis" d="M${left} ${height - bottom}H${width - right}"/>`;
  const rowsTaken = [];
  for (const mark of marks) {
    const x = px(mark.step / stepsPerEpoch);
    const lane = rowsTaken.findIndex(last => x - last > 13);
    const at = lane < 0 ? rowsTaken.length : lane;
    rowsTaken[at] = x;
    const y = 8 + 12 * Math.min(at, 1);
    svg += `<g><title>step ${mark.step}: ${escape(mark.text)}</title>` +
      `<path d="M${x} ${y + 5}V${height - bottom}" stroke="var(--${mark.kind})" opacity=".35"
        stroke-dasharray="2 3"/>${shapes[mark.kind](x, y)}</g>`;
  }
  for (const s of drawn) {
    const line = rows.filter(r => isNumber(r[s.key])).map(r => `${px(r.epoch)},${py(r[s.key])}`);
    svg += `<polyline class="curve" points="${line.join(" ")}" stroke="${s.colour}"/>`;
  }
  svg += `<path class="cross" stroke="var(--soft)" opacity=".5"/>`;
  const names = drawn.map(s => `<i style="color:${s.colour};font-style:normal">━ ${s.name}</i>`)
    .join(" ");
  const figure = document.createElement("figure");
  figure.className = "card";
  figure.innerHTML = `<figcaption>${title} <span>${names}</span></figcaption>` +
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${title} by epoch">${svg}</svg>`;
  const caption = figure.querySelector("span"), picture = figure.querySelector("svg");
  picture.addEventListener("mousemove", move => {
    const box = picture.getBoundingClientRect();
    const epoch = ((move.clientX - box.left) / box.width * width - left) /
      (width - left - right) * lastEpoch;
    const row = rows.reduce((a, b) =>
      Math.abs(b.epoch - epoch) < Math.abs(a.epoch - epoch) ? b : a);
    figure.querySelector(".cross").setAttribute("d",
      `M${px(row.epoch)} ${top}V${height - bottom}`);
    caption.innerHTML = `epoch ${row.epoch}: ` + drawn.map(s =>
      `<i style="color:${s.colour};font-style:normal">${s.name} ${show(row[s.key])}</i>`).join(" ");
  });
  picture.addEventListener("mouseleave", () => {
    caption.innerHTML = names;
    figure.querySelector(".cross").removeAttribute("d");
  });
  plots.append(figure);
}

plot({title: "Loss", series: [
  {name: "train", key: "train_loss", colour: "var(--train)"},
  {name: "validation", key: "val_loss", colour: "var(--val)"}]});
plot({title: "Accuracy", show: percent, series: [
  {name: "validation", key: "val_accuracy", colour: "var(--val)"}]});
plot({title: "FLOPs of one example", fromZero: true, series: [
  {name: "forward", key: "flops_per_example", colour: "var(--val)"}]});
plot({title: "FLOPs spent, everything counted", fromZero: true, series: [
  {name: "so far", key: "flops_total", colour: "var(--val)"}]});
if (!data.metrics.length)
  plots.innerHTML = `<p class="soft">No epoch has been completed yet.</p>`;
