// The curves of some runs, kept up to date while they train. State of the view lives in the address.
const xAxes = {step: ["step", number], flops_total: ["FLOPs spent", number],
               seconds: ["time", duration], epoch: ["epoch", number]};
// A page that stays open while a run goes on asks again beyond so many rows: the server has them as
// stretches.
const mostLiveRows = 2400;
const notDrawn = ["epoch", "step", "seconds"];
const chartTitles = {train_loss: "Training loss", val_loss: "Validation loss",
                     val_accuracy: "Validation accuracy", learning_rate: "Learning rate",
                     parameters: "Parameters", flops_per_example: "FLOPs of one example, forward",
                     flops_total: "FLOPs spent, everything counted",
                     examples_per_second: "Examples trained in a second",
                     resident_bytes: "Memory of the process, bytes"};
const metricShow = metric => metric.endsWith("accuracy") ? percent
  : metric.endsWith("loss") ? (x => isNumber(x) ? String(+x.toPrecision(5)) : "–") : number;

class CurvesView {
  // `marks`: a function that gives the marks of a single run, at steps.
  constructor(ids, address, marks) {
    this.ids = ids;
    this.address = address;
    this.marks = marks || (() => []);
    this.charts = new Map();
    this.data = new Map();  // id → {columns, exact, x, y: metric → values or {low, high, mean}}
    this.plots = h("div", {class: "plots"});
    this.note = h("p", {class: "soft", role: "status"}, "Loading …");
    this.element = h("div", {}, this.controls(), this.note, this.plots);
    this.drawSoon = onceAFrame(() => this.draw());
    this.stop = server.listen(change => this.hear(change));
    this.load();
  }

  get x() { return xAxes[this.address.get("x")] ? this.address.get("x") : "step"; }
  get smoothing() { return Math.min(.99, Math.max(0, +this.address.get("smooth") || 0)); }
  get log() { return this.address.get("log") === "1"; }

  controls() {
    const axis = h("select", {"aria-label": "horizontal axis", onchange: () => {
      this.address.set("x", axis.value);
      this.zoom(null, null);
    }}, Object.entries(xAxes).map(([key, [name]]) =>
      h("option", {value: key, selected: key === this.x}, name)));
    const smooth = h("input", {type: "range", min: "0", max: "0.99", step: "0.01",
      value: String(this.smoothing), "aria-label": "smoothing", oninput: () => {
        this.address.set("smooth", +smooth.value ? smooth.value : "");
        this.redraw();
      }});
    const log = h("input", {type: "checkbox", checked: this.log, onchange: () => {
      this.address.set("log", log.checked ? "1" : "");
      this.redraw();
    }});
    return h("p", {class: "controls"}, h("label", {}, "over ", axis),
      h("label", {}, "smoothing ", smooth), h("label", {}, log, " logarithmic"),
      h("span", {class: "soft small"}, "drag to look closer, double click to see all"));
  }

  async load() {
    const asked = this.asked = {heard: []};  // what is heard while the curves are on their way
    const range = this.range ? `&from=${this.range[0]}&to=${this.range[1]}` : "";
    try {
      await Promise.all(this.ids.map(async id => {
        const columns = (await server.ofRun(id, "")).columns;
        const metrics = columns.filter(c => !notDrawn.includes(c));
        if (!metrics.length) return this.data.set(id, null);
        const x = this.x;
        if (!columns.includes(x)) return this.data.set(id, {lacks: x});
        // Every stretch of 64 names is asked for alone: the server takes no more at once.
        const parts = [], wanted = [...metrics, "step"];
        for (let i = 0; i < wanted.length; i += 60)
          parts.push(server.ofRun(id, "/series?metrics=" +
            wanted.slice(i, i + 60).map(encodeURIComponent).join(",") + `&x=${x}${range}`));
        const all = await Promise.all(parts);
        if (asked !== this.asked) return;
        const {step, ...curves} = Object.assign({}, ...all.map(part => part.curves));
        this.data.set(id, {columns, curves, x: all[0].x, steps: step?.mean || step,
                           exact: all.every(part => part.exact)});
      }));
    } catch (error) {
      this.note.textContent = error.message;
      return;
    } finally {
      asked.isDone = true;
    }
    if (asked !== this.asked) return;
    for (const change of asked.heard) this.hear(change);
    this.drawSoon();
  }

  // New rows of a run are put at the end of what is drawn; where points stand for several rows, or
  // rows have gone, the curves are asked for again.
  hear(change) {
    if (change.all) return this.load();
    if (!this.ids.includes(change.id) || !(change.rows || change.again)) return;
    if (this.asked && !this.asked.isDone) return this.asked.heard.push(change);
    const data = this.data.get(change.id);
    const place = data && change.columns && change.columns.indexOf(this.x);
    if (data?.lacks) return;
    if (!data || change.again || !data.exact || this.range || !(place >= 0) ||
        data.x.length > mostLiveRows) return this.loadSoon();
    for (const row of change.rows) {
      if (data.x.length && row[place] <= data.x.at(-1)) continue;  // it came with the curves
      data.x.push(row[place]);
      if (data.steps !== data.x) data.steps?.push(row[change.columns.indexOf("step")]);
      for (const [metric, values] of Object.entries(data.curves))
        values.push(row[change.columns.indexOf(metric)] ?? null);
    }
    this.drawSoon();
  }
  loadSoon() {
    if (this.waits) return;
    this.waits = setTimeout(() => {
      this.waits = 0;
      this.load();
    }, this.data.size && [...this.data.values()].some(d => d && !d.exact) ? 1500 : 50);
  }

  zoom(from, to) {
    this.range = from === null ? null : [from, to];
    this.load();
  }
  redraw() {
    for (const chart of this.charts.values()) chart.remove();
    this.charts.clear();
    this.draw();
  }

  // A single run's losses share a chart; of several runs each metric has its own.
  groups() {
    const metrics = [];
    for (const data of this.data.values())
      for (const metric of Object.keys(data?.curves || {}))
        if (!metrics.includes(metric)) metrics.push(metric);
    const losses = metrics.filter(m => m === "train_loss" || m === "val_loss");
    const rest = metrics.filter(m => !losses.includes(m) && m !== this.x);
    if (this.ids.length > 1 || losses.length < 2) return [...losses, ...rest].map(m => [m]);
    return [losses, ...rest.map(m => [m])];
  }

  draw() {
    const groups = this.groups();
    const lacking = this.ids.filter(id => this.data.get(id)?.lacks === this.x);
    this.note.hidden = groups.length > 0 && !lacking.length;
    this.note.textContent = lacking.length
      ? `${this.ids.length > 1 ? lacking.join(", ") + ": " : ""}not drawn, since metrics.csv has no ` +
        `column '${this.x}'. Choose another axis.`
      : "No epoch has been completed yet.";
    for (const metrics of groups) {
      const key = metrics.join(" ");
      const lines = [];
      this.ids.forEach((id, i) => metrics.forEach((metric, m) => {
        const data = this.data.get(id), curve = data?.curves[metric];
        if (!curve) return;
        const values = Array.isArray(curve) ? curve : curve.mean;
        if (!values.some(isNumber)) return;
        const place = this.ids.length > 1 ? i : m;
        const name = this.ids.length > 1 ? id : metrics.length > 1
          ? metric.replace("_loss", "").replace("val", "validation") : metric;
        lines.push({name, colour: lineColour(place), dash: lineDash(place), x: data.x, y: values,
                    low: curve.low, high: curve.high});
      }));
      let chart = this.charts.get(key);
      if (!lines.length) {
        chart?.remove();
        this.charts.delete(key);
        continue;
      }
      if (!chart) {
        const [xName, showX] = xAxes[this.x];
        chart = new Chart({title: metrics.length > 1 ? "Loss" : chartTitles[metrics[0]] || metrics[0],
          xName, showX, showY: metricShow(metrics[0]), log: this.log, smoothing: this.smoothing,
          marks: () => this.ids.length > 1 ? [] : this.marks().map(mark =>
            ({...mark, x: this.placeOf(mark.step)})), onZoom: (from, to) => this.zoom(from, to)});
        this.charts.set(key, chart);
        this.plots.append(chart.element);
      }
      chart.set(lines);
    }
  }

  // Marks stand at steps; over another axis they are put between the rows around them.
  placeOf(step) {
    if (this.x === "step") return step;
    const data = this.data.get(this.ids[0]);
    const steps = data?.steps || [];
    const i = steps.findIndex(s => s >= step);
    if (i < 0) return NaN;
    const [s0, x0] = i ? [steps[i - 1], data.x[i - 1]] : [0, 0];
    return x0 + (step - s0) / (steps[i] - s0 || 1) * (data.x[i] - x0);
  }

  remove() {
    this.stop();
    clearTimeout(this.waits);
    for (const chart of this.charts.values()) chart.remove();
  }
}
