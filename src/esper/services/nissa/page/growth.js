// How a run's network grew: its drawing at any moment, the seeds' lives, the health of its slots.
const phaseWord = {"learning alone": "learns alone", "blending in": "is blended in",
                   settling: "settles", "on trial": "is on trial",
                   "learning with the host": "learns with the host"};

// What a split adds to the anchors: the copy's, before those of the block.
function withCopies(anchors, {block, copy}) {
  const isOf = anchor => anchor.name === block || anchor.name.startsWith(block + ".");
  const at = anchors.findIndex(isOf);
  if (at < 0) return anchors;
  const copies = anchors.filter(isOf).map(a => ({...a, name: copy + a.name.slice(block.length)}));
  return [...anchors.slice(0, at), ...copies, ...anchors.slice(at)];
}

// The moments of a growth in order: every edit of the network, every other phase of a seed, and every
// look at slots while a seed was in one.
function momentsOf({topology, lives, health}) {
  let anchors = topology.anchors;
  const moments = topology.edits.map(edit => {
    if (edit.split) anchors = withCopies(anchors, edit.split);
    return {...edit, anchors, order: 0};
  });
  const edited = new Set(moments.map(m => `${m.step} ${m.seed}`));
  for (const life of lives)
    for (const phase of life.phases) {
      if (edited.has(`${phase.from} ${life.seed}`)) continue;
      const before = moments.filter(m => m.order === 0 && m.step <= phase.from).at(-1);
      if (before) moments.push({...before, step: phase.from, seed: life.seed, edit: "phase",
                                reason: "", phase: phase.name, order: 1});
    }
  const steps = new Set(moments.map(m => m.step));
  for (const step of new Set(health.flatMap(slot => slot.step.filter((_, i) => slot.seeds[i])))) {
    if (steps.has(step)) continue;
    const before = moments.filter(m => m.order === 0 && m.step <= step).at(-1);
    if (before) moments.push({...before, step, seed: "", edit: "look", reason: "", order: 1});
  }
  return moments.sort((a, b) => a.step - b.step || a.order - b.order);
}

function momentInWords(moment, lives) {
  if (moment.edit === "look") return "How the seeds were at the end of an epoch.";
  if (moment.edit === "start") return "The network as it began.";
  if (moment.split) return `Block ${moment.split.block} became two` +
    (moment.reason ? `: ${moment.reason}` : ".");
  const life = lives.find(l => l.seed === moment.seed);
  const who = moment.seed + (life ? ` (${life.blueprint} at ${life.anchor})` : "");
  const what = moment.phase ? phaseWord[moment.phase] || moment.phase
    : editWord[moment.edit] || moment.edit;
  return `${who} ${what}${moment.reason ? `: ${moment.reason}` : "."}`;
}

class GrowthView {
  constructor(id, address) {
    this.address = address;
    this.problems = h("div");
    this.picture = h("div", {class: "scroll", tabindex: "0", "aria-label": "the network"});
    this.words = h("p", {class: "edit", "aria-live": "polite"});
    this.slider = h("input", {type: "range", min: "0", max: "0", value: "0",
      "aria-label": "moment of the run", oninput: () => this.moveTo(+this.slider.value)});
    this.output = h("output");
    this.playButton = h("button", {type: "button", onclick: () => this.play()}, "Play");
    this.seeds = new SeedTable();
    this.health = h("div", {class: "card scroll"});
    this.element = h("div", {}, this.problems, h("div", {class: "card"},
      h("div", {class: "player"},
        h("button", {type: "button", "aria-label": "the moment before",
                     onclick: () => this.step(-1)}, "◀"), this.playButton,
        h("button", {type: "button", "aria-label": "the next moment",
                     onclick: () => this.step(1)}, "▶"), this.slider, this.output),
      this.words, this.picture), h("h3", {}, "The seeds over time"), this.seeds.element,
      h("h3", {}, "Health of the slots"), this.health);
  }

  set(growth) {
    const follows = !this.moments || this.at >= this.moments.length - 1;
    this.lives = growth.lives;
    this.moments = momentsOf(growth);
    this.problems.replaceChildren(...growth.problems.map(p =>
      h("p", {class: "alert", role: "alert"}, p)));
    this.slider.max = String(Math.max(0, this.moments.length - 1));
    const asked = this.address.get("at");
    this.slots = growth.health;
    this.lastStep = Math.max(1, ...growth.events.map(e => e.step || 0),
                             ...growth.health.map(slot => slot.step.at(-1) || 0));
    this.drawHealth(growth.health);
    this.seeds.set(growth.lives, growth.health, this.lastStep);
    if (!this.moments.length) {
      this.words.textContent = "This run has no journal of edits yet.";
      return;
    }
    this.moveTo(follows && !asked ? this.moments.length - 1
      : Math.min(+(asked ?? this.at) || 0, this.moments.length - 1), true);
  }

  moveTo(at, quiet) {
    if (!this.moments?.length) return;
    this.at = Math.max(0, Math.min(at, this.moments.length - 1));
    const isLast = this.at === this.moments.length - 1;
    if (!quiet) this.address.set("at", isLast ? "" : String(this.at));
    const now = this.moments[this.at];
    this.slider.value = String(this.at);
    this.output.textContent = `${this.at + 1} of ${this.moments.length}`;
    const seeds = now.seeds.map(seed => {
      const life = this.lives.find(l => l.seed === seed.seed);
      const phase = life?.phases.filter(p => p.from <= now.step).at(-1);
      const isKept = seed.mode === "folded";
      return {...seed, word: isKept ? "kept" : phaseWord[phase?.name],
              colour: isKept ? "var(--kept)" : phaseColour[phase?.name],
              detail: isKept ? "" : seedDetail(life, looksAt(seed.seed, this.slots), now.step)};
    });
    this.picture.replaceChildren(fromHtml(topologyPicture({anchors: now.anchors, seeds,
      fresh: now.seed, label: `the network at step ${now.step}: ${now.anchors.length} anchors, ` +
        seeds.map(s => `${s.seed} ${s.blueprint} at ${s.anchor} ${s.word}`).join(", ")})));
    this.words.replaceChildren(h("span", {class: "soft"}, `Step ${number(now.step)}` +
      (isNumber(now.parameters) ? `, ${number(now.parameters)} parameters` : "") + ". "),
      momentInWords(now, this.lives));
    this.seeds.moveTo(now.step, this.lastStep);
  }
  step(by) { this.moveTo(this.at + by); }
  play() {
    if (this.playing) return this.pause();
    if (this.at >= this.moments.length - 1) this.moveTo(0);
    this.playButton.textContent = "Pause";
    this.playing = setInterval(() => {
      this.step(1);
      if (this.at >= this.moments.length - 1) this.pause();
    }, Math.max(80, Math.min(900, 30000 / this.moments.length)));
  }
  pause() {
    clearInterval(this.playing);
    this.playing = 0;
    this.playButton.textContent = "Play";
  }

  drawHealth(slots) {
    if (!slots.length) return this.health.replaceChildren(
      h("p", {class: "soft"}, "Nothing has been measured yet."));
    const spark = (values, name) => {
      const all = values.filter(isNumber);
      const low = Math.min(...all), high = Math.max(...all), n = values.length;
      const at = (v, i) => `${(n > 1 ? i / (n - 1) : 0) * 96 + 2},` +
        `${20 - (v - low) / (high - low || 1) * 16}`;
      return all.length ? [fromHtml(`<svg class="spark" viewBox="0 0 100 22" role="img" ` +
        `aria-label="${escape(name)}"><polyline class="curve" stroke="var(--val)" points="` +
        values.map((v, i) => isNumber(v) ? at(v, i) : "").join(" ") + `"/></svg>`),
        number(all.at(-1))] : "–";
    };
    this.health.replaceChildren(h("table", {}, h("thead", {}, h("tr", {},
      ["slot", "anchor", "seed", "state", "gradient norm", "variance of its output",
       "share of dead outputs"].map(name => h("th", {scope: "col"}, name)))),
      h("tbody", {}, slots.map(slot => h("tr", {}, h("td", {class: "step"}, String(slot.slot)),
        h("td", {}, slot.anchor), h("td", {}, slot.seed || "–"),
        h("td", {}, slot.state.toLowerCase().replaceAll("_", " ")),
        h("td", {class: "number"}, spark(slot.gradient_norm, "gradient norm")),
        h("td", {class: "number"}, spark(slot.activation_variance, "variance")),
        h("td", {class: "number"}, spark(slot.dead_ratio, "dead outputs")))))));
  }

  key(event) {
    if (event.key === "ArrowLeft" && event.target !== this.slider) this.step(-1);
    else if (event.key === "ArrowRight" && event.target !== this.slider) this.step(1);
    else if (event.key === " " && event.target.tagName !== "BUTTON") this.play();
    else return false;
    return true;
  }
  remove() { this.pause(); }
}
