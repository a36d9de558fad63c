find("lives").innerHTML = splitsCard(data.splits || []) +
  (lives.map(life => lifeCard(life, lastStep)).join("") ||
    `<p class="soft">No seed germinated.</p>`);
