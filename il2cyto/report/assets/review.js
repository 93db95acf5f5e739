/* Gate review: a contact sheet of one gate over all samples, drawn from binned densities; what a person would change becomes
   a list that is saved as overrides.yaml. Nothing is sent anywhere. */
"use strict";
(() => {
  const root = document.getElementById("review");
  if (!root) return;
  const data = JSON.parse(document.getElementById("review-data").textContent);
  const PAGE = 24;
  const state = { gate: 0, page: 0, current: 0, shown: [] };
  const $ = (name) => root.querySelector(`[data-${name}]`);
  const overrides = [];
  const decoded = new Map();

  // One gzip stream a gate holds the bytes of all its tiles, one tile after the other.
  const pixels = (index) => {
    if (!decoded.has(index)) {
      const bytes = Uint8Array.from(atob(data.gates[index].pixels), (c) => c.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      decoded.set(index, new Response(stream).arrayBuffer().then((buffer) => new Uint8Array(buffer)));
    }
    return decoded.get(index);
  };

  // Viridis at 16 levels; level 0 is no event.
  const COLOURS = ["#ffffff", "#440154", "#481a6c", "#472f7d", "#414487", "#39568c", "#31688e", "#2a788e", "#23888e",
    "#1f988b", "#22a884", "#35b779", "#54c568", "#7ad151", "#a5db36", "#fde725"]
    .map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));

  const draw = async (canvas, index, tile) => {
    const gate = data.gates[index], size = data.size, all = await pixels(index);
    const image = new ImageData(size, size);
    for (let row = 0; row < size; row++) for (let column = 0; column < size; column++) {
      const level = all[tile.at * size * size + row * size + column];
      const at = 4 * ((size - 1 - row) * size + column);            // y grows upwards
      image.data.set([...COLOURS[level], 255], at);
    }
    const small = new OffscreenCanvas(size, size);
    small.getContext("2d").putImageData(image, 0, 0);
    canvas.width = canvas.height = 2 * data.shown;
    const pen = canvas.getContext("2d"), side = canvas.width;
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, 0, 0, side, side);
    const x = (v) => side * (v - gate.x.low) / (gate.x.high - gate.x.low);
    const y = (v) => side * (1 - (v - gate.y.low) / (gate.y.high - gate.y.low));
    const line = (at, axis, style, dash, width) => {
      if (at === null) return;
      pen.strokeStyle = style; pen.lineWidth = width; pen.setLineDash(dash); pen.beginPath();
      if (axis === "x") { pen.moveTo(x(at), 0); pen.lineTo(x(at), side); } else { pen.moveTo(0, y(at)); pen.lineTo(side, y(at)); }
      pen.stroke();
    };
    for (const cut of tile.cuts) {
      line(cut.consensus, cut.axis, "#444444", [2, 5], 2);
      line(cut.own, cut.axis, "#0b5e8a", [8, 6], 2);
      line(cut.final, cut.axis, "#d1006c", [], 3);
    }
    if (tile.shape) {
      pen.strokeStyle = "#d1006c"; pen.lineWidth = 3; pen.setLineDash([]); pen.beginPath();
      tile.shape.forEach(([a, b], i) => (i ? pen.lineTo(x(a), y(b)) : pen.moveTo(x(a), y(b))));
      pen.closePath(); pen.stroke();
    }
    pen.fillStyle = "#333333"; pen.font = "18px sans-serif"; pen.textBaseline = "bottom";
    let free = 0;
    for (const [at, label] of gate.x.ticks) {
      const width = pen.measureText(label).width, left = Math.min(x(at) + 2, side - width - 2);
      if (left < free) continue;                                    // a label on top of another says nothing
      pen.fillText(label, left, side - 2);
      free = left + width + 8;
    }
    pen.textBaseline = "middle";
    for (const [at, label] of gate.y.ticks) if (y(at) > 12 && y(at) < side - 24) pen.fillText(label, 2, y(at));
  };

  const percent = (fraction) => (fraction === null ? "not evaluable" : (100 * fraction).toPrecision(3) + " %");
  const text = (tag, content, name) => {
    const node = document.createElement(tag);
    node.textContent = content;
    if (name) node.className = name;
    return node;
  };

  // Without a second axis it is a histogram of the first.
  const axes = (gate) => `→ ${gate.x.label}` + (gate.y.label ? `, ↑ ${gate.y.label}` : "");

  // Of one gate over all samples a tile is known by its sample; of all gates of one sample, by its population.
  const card = (index, tile, ofSample = false) => {
    const sample = data.samples[tile.sample], gate = data.gates[index];
    const box = document.createElement("button");
    box.type = "button";
    box.className = "tile" + (tile.flags.length ? " flagged" : "");
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${sample.name}, ${gate.population}: ${axes(gate)}, events of ${gate.parent}`);
    box.append(canvas, text("b", ofSample ? gate.population : sample.name));
    box.append(text("span", `${gate.reported ? percent(tile.fraction) + " of " : ""}${tile.n} events`));
    box.append(text("span", ofSample ? `of ${gate.parent}; ${axes(gate)}` : [sample.subject, sample.batch].filter(Boolean).join(", ")));
    if (tile.flags.length) box.append(text("span", tile.flags.join(", "), "flag"));
    draw(canvas, index, tile);
    return box;
  };

  const matching = () => {
    const flag = $("flag").value, batch = $("batch").value, subject = $("subject").value.trim().toLowerCase();
    return data.gates[state.gate].tiles.filter((tile) => {
      const sample = data.samples[tile.sample];
      return (flag === "" || (flag === "any" ? tile.flags.length : tile.flags.includes(flag)))
        && (batch === "" || sample.batch === batch)
        && (subject === "" || sample.subject.toLowerCase().includes(subject) || sample.name.toLowerCase().includes(subject));
    });
  };

  const mark = () => {
    const tiles = [...$("tiles").children];
    tiles.forEach((tile, i) => { tile.classList.toggle("current", i === state.current); tile.setAttribute("aria-current", i === state.current); });
    const tile = state.shown[state.current];
    $("chosen").textContent = tile ? data.samples[tile.sample].name : "none";
    const cut = tile && tile.cuts.length === 1 ? tile.cuts[0].final : null;
    $("cut").value = cut === null ? "" : cut.toFixed(4);
    $("cut").disabled = !(tile && tile.cuts.length === 1);
  };

  const show = () => {
    const all = matching(), pages = Math.max(1, Math.ceil(all.length / PAGE));
    state.page = Math.min(Math.max(state.page, 0), pages - 1);
    state.shown = all.slice(state.page * PAGE, (state.page + 1) * PAGE);
    state.current = Math.min(state.current, Math.max(0, state.shown.length - 1));
    const gate = data.gates[state.gate];
    $("about").textContent = `${gate.population}: ${axes(gate)}, events of ${gate.parent}`;
    $("count").textContent = `${all.length} of ${gate.tiles.length} samples, page ${state.page + 1} of ${pages}`;
    $("tiles").replaceChildren(...state.shown.map((tile, i) => {
      const box = card(state.gate, tile);
      box.onclick = () => { state.current = i; mark(); hierarchy(tile.sample); };
      return box;
    }));
    mark();
  };

  const hierarchy = (sample) => {
    const dialog = $("dialog");
    dialog.querySelector("h3").textContent = `${data.samples[sample].name}: all gates`;
    const cards = data.gates.flatMap((gate, index) => gate.tiles.filter((tile) => tile.sample === sample).map((tile) => card(index, tile, true)));
    dialog.querySelector(".tiles").replaceChildren(...cards);
    dialog.showModal();
  };

  const goTo = (page, current) => { state.page = page; state.current = current; show(); };

  const step = (by) => {
    const next = state.current + by, last = state.shown.length - 1;
    if (next < 0 && state.page > 0) goTo(state.page - 1, PAGE - 1);
    else if (next > last && (state.page + 1) * PAGE < matching().length) goTo(state.page + 1, 0);
    else { state.current = Math.min(Math.max(next, 0), Math.max(last, 0)); mark(); }
    const tile = $("tiles").children[state.current];
    if (tile) { tile.focus({ preventScroll: true }); tile.scrollIntoView({ block: "nearest" }); }
  };

  const yaml = () => "schema: il2cyto/gating-overrides/1\noverrides:\n" + overrides.map((o) => "- " + JSON.stringify(o)).join("\n") + "\n";
  const list = () => {
    $("overrides").replaceChildren(...overrides.map((o, i) => {
      const line = text("li", `${o.sample}, ${o.population}: cut ${o.cut} (${o.who}: ${o.why}) `);
      const remove = text("button", "remove");
      remove.type = "button";
      remove.onclick = () => { overrides.splice(i, 1); list(); };
      line.append(remove);
      return line;
    }));
    $("save").disabled = !overrides.length;
  };

  $("propose").onsubmit = (event) => {
    event.preventDefault();
    const tile = state.shown[state.current], cut = Number($("cut").value);
    if (!tile || $("cut").value === "" || !Number.isFinite(cut)) return;
    const entry = { sample: data.samples[tile.sample].name, population: data.gates[state.gate].population, cut,
      who: $("who").value.trim(), why: $("why").value.trim(), when: new Date().toISOString().slice(0, 19) + "Z" };
    const same = overrides.findIndex((o) => o.sample === entry.sample && o.population === entry.population);
    if (same < 0) overrides.push(entry); else overrides[same] = entry;
    list();
  };
  $("save").onclick = () => window.il2cyto.save("overrides.yaml", yaml(), "application/yaml");
  for (const name of ["flag", "batch"]) $(name).onchange = () => goTo(0, 0);
  $("subject").oninput = () => goTo(0, 0);
  $("gate").onchange = () => { state.gate = Number($("gate").value); goTo(0, 0); };
  $("previous").onclick = () => goTo(state.page - 1, 0);
  $("next").onclick = () => goTo(state.page + 1, 0);
  $("close").onclick = () => $("dialog").close();
  $("tiles").onkeydown = (event) => {
    const moves = { ArrowRight: 1, ArrowLeft: -1, n: 1, p: -1 };
    if (event.key in moves) { event.preventDefault(); step(moves[event.key]); }
    if (event.key === "o") { event.preventDefault(); $("cut").focus(); }
  };
  data.gates.forEach((gate, i) => $("gate").append(new Option(gate.population, i)));
  // What has no line to look at, such as the edges of the detectors, is not where a review begins.
  state.gate = Math.max(0, data.gates.findIndex((gate) => gate.tiles.some((tile) => tile.cuts.length || tile.shape)));
  $("gate").value = state.gate;
  data.batches.forEach((batch) => $("batch").append(new Option(batch, batch)));
  data.flags.forEach((flag) => $("flag").append(new Option(flag, flag)));
  list();
  show();
})();
