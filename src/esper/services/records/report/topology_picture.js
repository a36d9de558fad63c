// The host as a spine of anchors; a seed is a branch that leaves its anchor and comes back.
const modeColour = {isolated: "var(--soft)", blended: "var(--wait)", folded: "var(--kept)"};
const modeWord = {isolated: "learns alone", blended: "blended in", folded: "kept"};
const editWord = {start: "The network as it began.", germinated: "germinated",
                  blended: "is blended into the host", folded: "was kept", removed: "was removed",
                  isolated: "was isolated"};

// Anchors from input to output with their seeds; `fresh` is the seed to point out. A seed may bring a
// `word` and a `colour` of its own for what it does, and a `detail`, a second line.
function topologyPicture({anchors, seeds, fresh, label}) {
  const nodeX = 16, nodeWidth = 250, nodeHeight = 28, seedX = 350, seedWidth = 300;
  const seedHeight = seeds.some(s => s.detail) ? 46 : nodeHeight, seedRow = seedHeight + 8;
  const spine = nodeX + nodeWidth / 2;
  let y = 30;
  let svg = `<text x="${spine}" y="16" text-anchor="middle">input</text>`;
  for (const anchor of anchors) {
    const own = seeds.filter(s => s.anchor === anchor.name);
    const room = Math.max(1, own.length) * seedRow;
    const joinY = y + Math.max(nodeHeight, room - 8) + 14;
    svg += `<path d="M${spine} ${y - 10}V${y}" class="axis"/>` +
      `<rect x="${nodeX}" y="${y}" width="${nodeWidth}" height="${nodeHeight}" rx="6"
        fill="var(--host)" stroke="var(--line)"/>` +
      `<text class="strong" x="${nodeX + 12}" y="${y + 18}">${escape(anchor.name)}</text>` +
      `<text x="${nodeX + nodeWidth - 10}" y="${y + 18}" text-anchor="end">` +
      `${escape(anchor.features)} ${escape(anchor.kind)}</text>`;
    own.forEach((seed, i) => {
      const top = y + i * seedRow, middle = top + seedHeight / 2;
      const colour = seed.colour || modeColour[seed.mode] || "var(--soft)";
      const dash = seed.mode === "isolated" ? ` stroke-dasharray="4 4"` : "";
      const isFresh = seed.seed === fresh;
      svg += `<path d="M${spine} ${y + nodeHeight}C${spine} ${y + nodeHeight + 12} ` +
        `${seedX - 80} ${middle} ${seedX} ${middle}" fill="none" stroke="${colour}"${dash}
          stroke-width="1.6"/>`;
      if (seed.mode !== "isolated")
        svg += `<path d="M${seedX + seedWidth} ${middle}h16V${joinY}H${spine + 8}" fill="none"
          stroke="${colour}" stroke-width="1.6"/>`;
      svg += `<rect x="${seedX}" y="${top}" width="${seedWidth}" height="${seedHeight}" rx="14"
          fill="var(--card)" stroke="${colour}" stroke-width="${isFresh ? 3 : 1.6}"${dash}/>` +
        `<text class="strong" x="${seedX + 16}" y="${top + 18}">` +
        `${escape(seed.seed)} ${escape(seed.blueprint)}</text>` +
        (seed.detail ? `<text x="${seedX + 16}" y="${top + 37}">${escape(seed.detail)}</text>` : "") +
        `<text x="${seedX + seedWidth - 16}" y="${top + 18}" text-anchor="end"
          style="fill:${colour}">${escape(seed.word || modeWord[seed.mode] || seed.mode)}</text>`;
    });
    svg += `<path d="M${spine} ${y + nodeHeight}V${joinY + 8}" class="axis"/>`;
    if (own.some(s => s.mode !== "isolated"))
      svg += `<circle cx="${spine}" cy="${joinY}" r="8" fill="var(--card)" class="axis"/>` +
        `<path class="axis" d="M${spine - 4} ${joinY}h8m-4 -4v8"/>`;
    y = joinY + 18;
  }
  svg += `<text x="${spine}" y="${y + 8}" text-anchor="middle">output</text>`;
  return `<svg viewBox="0 0 700 ${y + 16}" width="700" role="img" aria-label="${escape(label)}">` +
    `${svg}</svg>`;
}
