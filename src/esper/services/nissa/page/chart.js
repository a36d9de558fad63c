// One chart: several lines over one axis, drawn by uPlot. A line is {name, colour, dash, x, y} or,
// where a point stands for several rows, has `low` and `high` besides, which become a band.
function smoothed(values, weight) {
  if (!weight) return values;
  let sum = 0, norm = 0;  // an exponential mean without its bias towards zero at the start
  return values.map(v => {
    if (!isNumber(v)) return v;
    sum = weight * sum + (1 - weight) * v;
    norm = weight * norm + 1 - weight;
    return sum / norm;
  });
}

// The texts of an axis; where two would be the same, all get more digits.
function tickTexts(values, show) {
  const texts = values.map(v => v === null || v === undefined ? "" : show(v));
  const shown = texts.filter(Boolean);
  if (new Set(shown).size === shown.length) return texts;
  return values.map(v => {
    if (!isNumber(v)) return "";
    const unit = Math.abs(v) < 1e4 ? 0 : Math.min(6, Math.floor(Math.log10(Math.abs(v)) / 3));
    return String(+(v / 1000 ** unit).toPrecision(6)) + ["", " k", " M", " G", " T", " P", " E"][unit];
  });
}

class Chart {
  // options: title, xName, showX, showY, log, smoothing, marks (of {x, kind, text}), onZoom
  constructor(options) {
    this.options = options;
    this.place = h("div", {class: "plot"});
    this.element = h("figure", {class: "card chart"},
      h("figcaption", {}, h("span", {class: "strong"}, options.title)), this.place);
    this.resize = new ResizeObserver(() => {
      const width = this.place.clientWidth;
      if (this.plot && width && width !== this.plot.width) this.plot.setSize({width, height: 260});
    });
    this.resize.observe(this.place);
  }

  set(lines) {
    this.lines = lines;
    const {smoothing, log} = this.options;
    const tables = [], bands = [];
    const series = [{label: this.options.xName, value: (_, x) => this.options.showX(x)}];
    const positive = values => log ? values.map(v => v > 0 ? v : null) : values;
    for (const line of lines) {
      const columns = [line.x];
      if (line.low) {
        bands.push({series: [series.length, series.length + 1], fill: line.colour + "33"});
        columns.push(positive(line.high), positive(line.low));
        for (const side of ["greatest", "least"])
          series.push({label: `${line.name}, ${side}`, class: "band", stroke: "transparent",
                       points: {show: false}});
      } else if (smoothing) {
        columns.push(positive(line.y));
        series.push({label: `${line.name}, as measured`, class: "band", stroke: line.colour + "55",
                     width: 1, points: {show: false}});
      }
      columns.push(positive(smoothed(line.y, smoothing)));
      series.push({label: line.name, stroke: line.colour, width: 2, dash: line.dash,
                   spanGaps: true, value: (_, v) => this.options.showY(v),
                   points: {show: line.x.length < 40, size: 5}});
      tables.push(columns);
    }
    const data = tables.length > 1 ? uPlot.join(tables) : tables[0] || [[]];
    const shape = JSON.stringify([series.map(s => s.label), log, !!smoothing]);
    if (this.plot && shape === this.shape) this.plot.setData(data, !this.isZoomed);
    else this.draw(data, series, bands);
    this.shape = shape;
    this.place.setAttribute("role", "img");
    this.place.setAttribute("aria-label", `${this.options.title} by ${this.options.xName}: ` +
      lines.map(line => `${line.name} ${this.options.showY(line.y.findLast(isNumber))}`).join(", "));
  }

  draw(data, series, bands) {
    if (this.plot) this.plot.destroy();
    const {showX, showY, log, xName, onZoom} = this.options;
    const ink = colourOf("--soft"), grid = {stroke: colourOf("--line"), width: 1};
    const font = "11px system-ui, sans-serif";
    const axis = {stroke: ink, grid, ticks: grid, font};
    this.plot = new uPlot({
      width: this.place.clientWidth || 480, height: 260, series, bands,
      scales: {x: {time: false}, y: {distr: log ? 3 : 1}},
      axes: [{...axis, values: (_, all) => tickTexts(all, showX), label: xName, labelSize: 18,
              labelFont: font, size: 34, space: 70},
             {...axis, values: (_, all) => tickTexts(all, showY), size: 66}],
      cursor: {drag: {x: true, y: false}, sync: {key: "esper"}},
      hooks: {
        draw: [plot => this.drawMarks(plot)],
        setSelect: [plot => {
          if (plot.select.width < 4) return;
          this.isZoomed = true;
          onZoom?.(plot.posToVal(plot.select.left, "x"),
                   plot.posToVal(plot.select.left + plot.select.width, "x"));
        }],
      },
    }, data, this.place);
    this.plot.over.addEventListener("dblclick", () => {
      this.isZoomed = false;
      onZoom?.(null, null);
    });
  }

  drawMarks(plot) {
    const {ctx, bbox} = plot;
    ctx.save();
    for (const mark of this.options.marks?.() || []) {
      const x = plot.valToPos(mark.x, "x", true);
      if (!(x >= bbox.left && x <= bbox.left + bbox.width)) continue;
      ctx.strokeStyle = ctx.fillStyle = colourOf(`--${mark.kind}`);
      ctx.globalAlpha = .45;
      ctx.setLineDash([2, 4]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.globalAlpha = 1;
      ctx.setLineDash([]);
      ctx.beginPath();
      const r = 4 * devicePixelRatio, y = bbox.top + r;
      if (mark.kind === "culled") {
        ctx.moveTo(x - r, y - r); ctx.lineTo(x + r, y + r);
        ctx.moveTo(x + r, y - r); ctx.lineTo(x - r, y + r);
        ctx.stroke();
      } else {
        ctx.arc(x, y, r, 0, 7);
        if (mark.kind === "kept") ctx.fill(); else ctx.stroke();
      }
    }
    ctx.restore();
  }

  remove() {
    this.resize.disconnect();
    this.plot?.destroy();
    this.element.remove();
  }
}
