function drawTopology(at) {
  const now = data.topology[at];
  if (!now) return;
  const anchors = data.topology.slice(0, at + 1).findLast(t => t.anchors)?.anchors || data.anchors;
  find("topology").innerHTML = topologyPicture({anchors, seeds: now.seeds, fresh: now.seed,
                                                label: `anchors and seeds after edit ${at}`});
  find("position").textContent = `edit ${at} of ${data.topology.length - 1}`;
  const life = lives.find(l => l.seed === now.seed);
  const what = now.edit === "start" ? editWord.start
    : `<b>${escape(now.seed)}</b> ${life ? `(${escape(life.blueprint)} at ` +
      `${escape(life.anchor)}) ` : ""}${editWord[now.edit] || escape(now.edit)}` +
      (now.reason ? `: ${escape(now.reason)}` : "");
  find("edit").innerHTML = `<span class="soft">Step ${escape(now.step)}, ${number(now.parameters)} ` +
    `parameters, ${number(now.flops)} FLOPs an example.</span><br>${what}`;
}

const slider = find("slider");
slider.max = Math.max(0, data.topology.length - 1);
slider.value = slider.max;
const moveTo = at => {
  slider.value = at;
  drawTopology(+slider.value);
};
slider.addEventListener("input", () => drawTopology(+slider.value));
find("back").addEventListener("click", () => moveTo(+slider.value - 1));
find("forward").addEventListener("click", () => moveTo(+slider.value + 1));
let playing = 0;
find("play").addEventListener("click", () => {
  clearInterval(playing);
  if (slider.value === slider.max) moveTo(0);
  playing = setInterval(() => {
    moveTo(+slider.value + 1);
    if (slider.value === slider.max) clearInterval(playing);
  }, 900);
});
drawTopology(+slider.value);
