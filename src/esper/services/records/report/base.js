const data = JSON.parse(document.getElementById("data").textContent);
const run = data.run;
const find = id => document.getElementById(id);

const lastStep = Math.max(1, run.steps || 0, ...data.metrics.map(row => row.step || 0));

// Each seed's life as the run's events tell it, rollbacks included.
const lives = data.lives.map(life => ({...life,
  decisions: life.decisions.map(i => data.events[i]), gates: life.gates.map(i => data.events[i])}));
const howMany = outcome => lives.filter(l => l.outcome === outcome).length;
