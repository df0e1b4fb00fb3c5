// Tables and datasets by layer against the latest runs; oldest run on the left.

const LAYERS = ["bronze", "silver", "gold"];
const GRID_ROWS = 100;
const AGES = [[8, "old"], [15, "older"]]; // narrow windows show the latest 15 runs, narrower ones 8

function drawGrid(state) {
  const section = byId("grid");
  const { overview, run } = state;
  section.hidden = false;
  if (!section.firstChild) section.append(...gridFrame(state));
  const live = state.live && { id: state.live.run_id, states: new Map(itemsOf(state.live).map((item) => [`${item.layer}/${item.name}`, shownStatus(item)])) };
  const found = overview.items.filter((item) => fits(item, state, live));
  byId("found").textContent = state.search || state.attention ? `${found.length} of ${overview.items.length} shown` : "";
  const key = JSON.stringify([overview.runs.map((one) => [one.run_id, shownStatus(one)]), found, state.shown, state.allRows, live && [...live.states], Math.floor(Date.now() / 60000), state.search]);
  show(byId("table"), key, () => {
    if (!overview.items.length) return el("p", {}, "The configuration has no tables.");
    if (!found.length) return el("p", {}, state.search ? "No table or dataset has this in its name." : "Nothing needs attention.");
    return [gridTable(state, found, live), LAYERS.some((layer) => found.filter((item) => item.layer === layer).length > GRID_ROWS) && !state.allRows
      ? el("button", { type: "button", "data-focus": "all rows", onclick: () => { state.allRows = true; draw(); } }, `Show all ${found.length}`)
      : null];
  });
}

function gridFrame(state) {
  return [
    el("h2", { id: "grid-title" }, "Tables and datasets"),
    el("div", { class: "filter", role: "search" },
      el("label", {}, "Find ", el("input", { type: "search", id: "search", autocomplete: "off", spellcheck: "false", oninput: (event) => { state.search = event.target.value.trim().toLowerCase(); draw(); } })),
      el("label", {}, el("input", { type: "checkbox", id: "attention", onchange: (event) => { state.attention = event.target.checked; draw(); } }), " only what needs attention"),
      el("span", { id: "found", class: "soft", role: "status" })),
    el("div", { id: "table" }),
  ];
}

const statusIn = (item, place, state, live) => (live && state.overview.runs[place]?.run_id === live.id ? live.states.get(`${item.layer}/${item.name}`) ?? null : item.history[place]);

const fits = (item, state, live) => (!state.search || item.name.toLowerCase().includes(state.search)) && (!state.attention || needsAttention(item, state, live));

function needsAttention(item, state, live) {
  const latest = state.overview.runs.map((_, place) => statusIn(item, place, state, live)).find((status) => status && !["pending", "queued", "running"].includes(status));
  return Boolean(item.stale || item.reload || item.checks?.failed || (latest !== undefined && latest !== "succeeded"));
}

function gridTable(state, found, live) {
  const { runs } = state.overview;
  const places = runs.map((_, place) => place).reverse();
  const old = (place) => ["cell", ...AGES.filter(([runs]) => place >= runs).map(([, name]) => name)].join(" ");
  const heads = places.map((place) => {
    const run = runs[place];
    const { sign, word, kind } = stateOf(shownStatus(run));
    const chosen = run.run_id === state.shown;
    return el("th", { scope: "col", class: old(place) }, el("button", {
      type: "button", class: `is-${kind}`, "aria-pressed": String(chosen), "data-focus": `head ${run.run_id}`, "data-place": place, title: `${run.run_id}: ${word}`,
      "aria-label": `Run ${run.run_id}, ${word}`, tabindex: chosen || (place === 0 && !runs.some((one) => one.run_id === state.shown)) ? "0" : "-1",
      onclick: () => openRun(run.run_id), onkeydown: moveAmongHeads,
    }, sign));
  });
  const groups = LAYERS.map((layer) => [layer, found.filter((item) => item.layer === layer)]).filter(([, items]) => items.length);
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "grid-title", "data-focus": "grid" }, el("table", { class: "history" },
    el("caption", { class: "unseen" }, "Outcome of each table and dataset in the latest runs, oldest first"),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, runs.length ? "Latest runs" : "No runs yet"), heads,
      el("th", { scope: "col", class: "after" }, "Rows"), el("th", { scope: "col", class: "after" }, "Checks"), el("th", { scope: "col", class: "after" }, "As of"))),
    groups.map(([layer, items]) => el("tbody", {},
      el("tr", { class: "layer" }, el("th", { scope: "rowgroup", colspan: runs.length + 4 }, `${layer} `, el("span", { class: "soft" }, String(items.length)))),
      firstRows(items, state, live).map((item) => gridRow(item, places, state, live, old))))));
}

// Where not all are shown, those that need attention come first.
function firstRows(items, state, live) {
  if (state.allRows || items.length <= GRID_ROWS) return items;
  return [...items].sort((a, b) => needsAttention(b, state, live) - needsAttention(a, state, live)).slice(0, GRID_ROWS);
}

function gridRow(item, places, state, live, old) {
  const { runs } = state.overview;
  return el("tr", {},
    el("th", { scope: "row" }, itemLinkIn("grid", item), item.stale ? el("span", { class: "bad narrow", "aria-hidden": "true" }, " stale") : null, item.reload ? el("span", { class: "warn" }, " reset: read whole next time") : null),
    places.map((place) => {
      const status = statusIn(item, place, state, live);
      const known = status && stateOf(status);
      return el("td", { class: old(place), onclick: () => openRun(runs[place].run_id) }, known
        ? el("span", { class: `is-${known.kind}`, role: "img", "aria-label": known.word, title: `${item.name}: ${known.word} in ${runs[place].run_id}` }, known.kind === "succeeded" ? "" : known.sign)
        : null);
    }),
    el("td", { class: "after" }, sparkline(item.rows)),
    el("td", { class: "after" }, checksCell(item.checks)),
    el("td", { class: "after" }, freshCell(item)));
}

function moveAmongHeads(event) {
  const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
  if (!step) return;
  const heads = [...event.currentTarget.closest("tr").querySelectorAll("button")].filter((one) => one.offsetParent);
  const next = Math.min(Math.max(heads.indexOf(event.currentTarget) + step, 0), heads.length - 1);
  heads.forEach((one, place) => { one.tabIndex = place === next ? 0 : -1; });
  heads[next].focus();
  event.preventDefault();
}

function sparkline(rows, width = 90, height = 20) {
  const values = rows.map((value, place) => [rows.length - 1 - place, value]).filter(([, value]) => value !== null).reverse();
  if (!values.length) return null;
  const most = Math.max(...values.map(([, value]) => value), 1);
  const points = values.map(([place, value]) => [3 + (place / Math.max(rows.length - 1, 1)) * (width - 6), height - 3 - (value / most) * (height - 6)]);
  const latest = values.at(-1)[1];
  const [x, y] = points.at(-1);
  return el("svg:svg", { class: "spark", width, height, role: "img", "aria-label": `latest ${plural(latest, "row")}, at most ${number(most)}` },
    el("svg:title", {}, `latest ${plural(latest, "row")}, at most ${number(most)}`),
    el("svg:polyline", { points: points.map((point) => point.map((one) => one.toFixed(1)).join(",")).join(" ") }),
    el("svg:circle", { cx: x, cy: y, r: 2 }));
}

function checksCell(checks) {
  if (!checks) return null;
  const parts = [[checks.failed, "bad", "✕", "failed"], [checks.warned, "warn", "!", "with a warning"], [checks.passed, "good", "✓", "passed"]];
  return parts.filter(([count]) => count).map(([count, kind, sign, word]) => el("span", { class: kind, title: `${count} ${word}` }, el("span", { "aria-hidden": "true" }, `${sign}${count} `), el("span", { class: "unseen" }, `${count} ${word} `)));
}

function freshCell(item) {
  const target = item.freshness ? `, target ${seconds(item.freshness)}` : "";
  if (!item.as_of) return el("span", { class: item.stale ? "bad" : "soft" }, item.stale ? `stale: never loaded${target}` : "");
  return el("span", { class: item.stale ? "bad" : item.freshness ? "good" : "soft", title: item.as_of }, `${item.stale ? "stale: " : ""}${ago(item.as_of)}${target}`);
}
