// One run: its curves, how its network grew, every decision, what it cost, what it writes, its record.
const figureNames = {accuracy: ["accuracy", percent], top5_accuracy: ["top-5 accuracy", percent],
                     f1: ["F1", number], auc: ["AUC", number], rmse: ["RMSE", number], perplexity: ["perplexity", number],
                     bits_per_byte: ["bits a byte", number]};
class RunPage {
  constructor(id, view, address) {
    this.id = id;
    this.address = address;
    this.views = {curves: "Curves", growth: "Growth", decisions: "Decisions", costs: "Costs",
                  kernels: "Kernels", text: "Samples", record: "Record"};
    this.view = Object.hasOwn(this.views, view || "") ? view : "curves";
    this.alerts = h("div");
    this.tiles = h("div", {class: "tiles"});
    this.actions = h("div");
    this.badge = h("span");
    this.place = h("div", {id: "panel", role: "tabpanel", "aria-labelledby": `tab-${this.view}`});
    this.tabs = h("div", {class: "tabs", role: "tablist", "aria-label": "views"},
      Object.entries(this.views).map(([key, name], i) => h("a", {role: "tab", id: `tab-${key}`,
        href: `#/run/${encodeURIComponent(id)}/${key}`, "aria-controls": "panel",
        "aria-selected": String(key === this.view), title: `key ${i + 1}`}, name)));
    this.element = h("div", {}, h("h1", {}, id, " ", this.badge), this.alerts, this.actions,
                     this.tiles, this.tabs,
                     h("h2", {class: "hidden"}, this.views[this.view]), this.place);
    // What takes long to load and draw is asked for less often, so that the page stays smooth.
    const soon = load => {
      let waits = 0, took = 0;
      return () => {
        waits ||= setTimeout(async () => {
          const began = performance.now();
          await load();
          took = performance.now() - began;
          waits = 0;
        }, Math.min(10000, Math.max(100, 8 * took)));
      };
    };
    this.loadGrowthSoon = soon(() => this.loadGrowth());
    this.loadSoon = soon(() => this.load());
    server.mayAct.then(may => {
      this.mayAct = may;
      this.drawActions();
    });
    this.open();
    this.load();
    this.loadGrowth();
    this.stop = server.listen(change => this.hear(change));
  }

  open() {
    if (this.view === "curves")
      this.child = new CurvesView([this.id], this.address, () => this.marks());
    else if (this.view === "growth") this.child = new GrowthView(this.id, this.address);
    else this.child = {element: h("div", {}, "Loading …"), remove() {}};
    this.place.replaceChildren(this.child.element);
  }

  hear(change) {
    if (change.all) {
      this.load();
      this.loadGrowth();
    }
    if (change.id !== this.id) return;
    if (change.gone) return this.alerts.replaceChildren(h("p", {class: "alert", role: "alert"},
      "The folder of this run is gone. What is shown is what was known of it."));
    if (change.row) {
      this.drawHead();
      this.loadSoon();
    }
    if (change.growth) this.loadGrowthSoon();
  }

  async load() {
    if (this.isGone) return;
    this.drawHead();
    try {
      this.detail = await server.ofRun(this.id, "");
    } catch (error) {
      return this.alerts.replaceChildren(h("p", {class: "alert", role: "alert"}, error.message));
    }
    this.draw();
  }
  async loadGrowth() {
    if (this.isGone) return;
    try {
      const growth = await server.ofRun(this.id, "/growth");
      growth.lives = growth.lives.map(life => ({...life,
        decisions: life.decisions.map(i => growth.events[i]),
        gates: life.gates.map(i => growth.events[i])}));
      this.growth = growth;
    } catch {
      return;  // load() says why
    }
    this.draw();
  }

  marks() {
    return (this.growth?.lives || []).flatMap(life => [{kind: "born", step: life.germinated},
      ...(life.outcome === "alive" ? [] : [{kind: toneOf(life.outcome), step: life.ended}])]);
  }

  drawHead() {
    const row = server.runs.get(this.id);
    if (!row) return;
    this.badge.replaceChildren(stateBadge(row.state), " ",
      row.growth_paused ? h("span", {class: "badge soft"}, "growth paused") : "");
    this.drawActions();
    this.alerts.replaceChildren(...alertList(row.alerts));
    const metrics = Object.entries(row.val_metrics || {accuracy: row.val_accuracy})
      .filter(([key]) => figureNames[key]).map(([key, value]) =>
        [`validation ${figureNames[key][0]}`, figureNames[key][1](value)]);
    const seeds = row.seeds || {};
    const tiles = [["epoch", number(row.epochs)], ["step", number(row.steps)],
      ["training loss", loss(row.train_loss)], ["validation loss", loss(row.val_loss)],
      ["validation loss, best", loss(bestLoss(row))], ...metrics,
      ["test loss", loss(row.test_loss)],
      ["parameters", number(row.parameters) + (row.parameters !== row.parameters_initial &&
        isNumber(row.parameters_initial) ? `, from ${number(row.parameters_initial)}` : "")],
      ["FLOPs in all", number(row.flops_total)], ["time", duration(row.wall_seconds)],
      ["seeds germinated", number(seeds.germinated)], ["kept", number(seeds.fossilized)],
      ["culled", number(seeds.culled)], ["written", ago(row.written)]];
    this.tiles.replaceChildren(...tiles.filter(([, value]) => value !== "–").map(([name, value]) =>
      h("div", {class: "tile"}, h("b", {}, value), h("span", {}, name))));
  }

  // What the run is asked for becomes an event of it; so it is seen here once it was done.
  drawActions() {
    const row = server.runs.get(this.id);
    const can = this.mayAct && row?.state === "running";
    const shown = can ? String(!!row.growth_paused) : "";
    if (shown === this.actionsShown) return;
    this.actionsShown = shown;
    if (!can) return this.actions.replaceChildren();
    const note = h("span", {class: "soft", role: "status"});
    const button = (action, words, question) => h("button", {type: "button",
      "data-action": action, onclick: async () => {
        if (question && !confirm(question)) return;
        try {
          await server.act(this.id, action);
          note.textContent = `Asked: ${words.toLowerCase()}.`;
        } catch (error) {
          note.textContent = error.message;
        }
      }}, words);
    this.actions.replaceChildren(h("p", {class: "controls", role: "group", "aria-label": "actions"},
      row.growth_paused ? button("resume_growth", "Resume growth")
        : button("pause_growth", "Pause growth"),
      button("checkpoint", "Checkpoint"),
      button("rollback", "Roll back", "Go back to the last checkpoint and shut the newest seed?"),
      button("stop", "Stop", "Stop this run with a checkpoint? 'esper resume' goes on."), note));
  }

  draw() {
    if (this.isGone) return;
    const draws = {growth: () => this.growth && this.child.set(this.growth),
                   curves: () => this.child.redrawMarks?.(),
                   decisions: () => this.growth && this.drawDecisions(),
                   costs: () => this.detail && this.drawCosts(),
                   kernels: () => this.growth && this.detail && this.drawKernels(),
                   text: () => this.growth &&
                     this.child.element.replaceChildren(...samplesView(this.growth.events)),
                   record: () => this.detail && this.drawRecord()};
    draws[this.view]();
  }

  drawDecisions() {
    const {lives, splits, events} = this.growth;
    const lastStep = Math.max(1, server.runs.get(this.id)?.steps || 0,
                              ...events.map(e => e.step || 0));
    const waits = this.detail?.run.waiting_for;
    const troubles = events.filter(e => ["fault", "rollback", "rollback_refused"].includes(e.event));
    this.child.element.replaceChildren(
      troubles.length ? h("div", {class: "card"}, h("h3", {}, "Faults and rollbacks"),
        h("table", {}, troubles.map(e => h("tr", {}, h("td", {class: "step"}, `step ${e.step}`),
          h("td", {class: "bad"}, e.event), h("td", {}, [e.seed, e.anchor && "at " + e.anchor,
            e.event === "rollback" && `back to step ${e.to_step}:`, e.reason].filter(Boolean)
            .map(asText).join(" ")))))) : "",
      fromHtml(splitsCard(splits) + [...lives].reverse().map(l => lifeCard(l, lastStep)).join("")),
      lives.length ? "" : h("p", {class: "soft"}, "No seed has germinated" +
        (waits ? `: ${waits}.` : " yet.")));
  }

  // The library is asked again when the run has decided about another seed.
  async drawKernels() {
    const chosen = this.growth.events.filter(e => e.event === "kernel").length;
    this.child.element.replaceChildren(
      ...kernelsView(this.detail.run, this.growth.events, this.library));
    if (chosen === this.askedAt) return;
    this.askedAt = chosen;
    try {
      this.library = await server.ofRun(this.id, "/kernels");
    } catch (error) {
      this.library = {kernels: [], problem: error.message};
    }
    if (this.child.element.isConnected) this.drawKernels();
  }

  drawCosts() {
    const {run} = this.detail;
    const table = (title, costs, show, none) => h("div", {class: "card"}, h("h3", {}, title),
      costs.length ? h("table", {}, h("tbody", {}, costs.map(([name, value, share]) => h("tr", {},
        h("th", {scope: "row"}, name),
        h("td", {class: "number"}, show(value)), h("td", {class: "number"}, percent(share)),
        h("td", {class: "wide"}, fromHtml(`<svg viewBox="0 0 100 4" preserveAspectRatio="none" ` +
          `class="share"><rect width="${100 * share}" height="4" fill="var(--val)"/></svg>`))))))
        : h("p", {class: "soft"}, none));
    const {test, ...others} = run.seconds || {};
    this.child.element.replaceChildren(
      table("Where the FLOPs went", costsOf(run.flops), number, "This run has not counted them."),
      table("Where the seconds went", costsOf({...others, "test and samples": test}), duration,
            "This run has not counted them."),
      h("p", {class: "small soft"}, `As of the last epoch that run.json knows, with `,
        `${number(run.flops_total)} FLOPs and ${duration(run.wall_seconds)} `,
        "in all. What a run in progress has spent since stands in the curves."));
  }

  drawRecord() {
    const {run, config, folder} = this.detail;
    const events = this.growth?.events || [];
    this.child.element.replaceChildren(h("p", {}, "Folder: ", h("code", {}, folder)),
      h("details", {open: true}, h("summary", {}, "Figures of run.json"), h("table", {},
        Object.entries(run).map(([key, value]) => h("tr", {}, h("th", {scope: "row"}, key),
          h("td", {}, asText(value)))))),
      h("details", {}, h("summary", {}, "Configuration"), h("pre", {}, config)),
      h("details", {}, h("summary", {}, `Events (${events.length}, without those of health)`),
        h("div", {class: "scroll"}, h("table", {}, events.slice(-500).map(
          ({event, step, epoch, ...rest}) => h("tr", {}, h("td", {class: "step"}, String(step)),
            h("td", {}, event), h("td", {}, h("pre", {}, JSON.stringify(rest)))))))));
  }

  key(event) {
    const names = Object.keys(this.views);
    if (event.key >= "1" && event.key <= String(names.length))
      location.hash = `#/run/${encodeURIComponent(this.id)}/${names[+event.key - 1]}`;
    else return this.child.key?.(event) || false;
    return true;
  }
  remove() {
    this.stop();
    this.isGone = true;
    this.child.remove();
  }
}
