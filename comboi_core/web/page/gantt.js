// The timeline of a run. Records that hold no start times show how long each item took, from a common left edge.

const GANTT_ROWS = 40;
const ORDER = { failed: 0, running: 1, cancelled: 2, queued: 3, pending: 3, skipped: 4, succeeded: 5 };

function timeline(run, state) {
  const items = itemsOf(run).sort((a, b) => (ORDER[a.status] ?? 9) - (ORDER[b.status] ?? 9) || (a.started_at ?? "").localeCompare(b.started_at ?? "") || (b.seconds ?? 0) - (a.seconds ?? 0));
  if (!items.length) return null;
  const begun = Date.parse(run.started_at);
  const timed = items.some((item) => item.started_at) && Number.isFinite(begun);
  const now = run.status === "running" && Number.isFinite(begun) ? since(run.started_at) : 0;
  const spans = items.map((item) => spanOf(item, timed ? begun : null, now, waveStart(items, item, begun)));
  const total = Math.max(...spans.map((span) => span.end), timed ? (run.seconds ?? now) : 0, 0.1);
  const shown = state.allBars ? items : items.slice(0, GANTT_ROWS);
  const legend = [["queued", "queued"], ["running", "running"], ["succeeded", "succeeded"], ["failed", "failed"], ["retried", "an attempt that failed"]];
  return [
    el("h3", {}, "Timeline"),
    el("p", { class: "soft" }, legend.filter(([kind]) => timed || kind !== "queued").map(([kind, word]) => el("span", {}, el("span", { class: `key bar ${kind}` }), `${word}  `)),
      timed ? null : " This record holds no start times: bars show how long each item took."),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Timeline", "data-focus": "timeline" },
      el("table", { class: "gantt" }, el("caption", { class: "unseen" }, "Timeline of the run's items"),
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Item"),
          el("th", { scope: "col", class: "track" }, el("span", { class: "axis" }, el("span", {}, "0"), el("span", { class: "wide" }, seconds(total / 2)), el("span", {}, seconds(total)))),
          el("th", { scope: "col", class: "n" }, "Time"), el("th", { scope: "col", class: "n wide" }, "Rows"), el("th", { scope: "col", class: "n wide" }, "Attempts"))),
        el("tbody", {}, shown.map((item, place) => ganttRow(item, spans[place], total))))),
    items.length > shown.length
      ? el("button", { type: "button", "data-focus": "all bars", onclick: () => { state.allBars = true; draw(); } }, `Show all ${items.length} items`)
      : null,
  ];
}

// Second at which an item that is not done yet was queued: a layer begins when those before it have ended.
function waveStart(items, item, begun) {
  const before = items.filter((one) => LAYERS.indexOf(one.layer) < LAYERS.indexOf(item.layer) && one.finished_at);
  return Math.max(0, ...before.map((one) => (Date.parse(one.finished_at) - begun) / 1000));
}

// Bars as [kind, start, end, words] in seconds from the run's start.
function spanOf(item, begun, now, wave) {
  const kind = ["succeeded", "failed", "running"].includes(item.status) ? item.status : "other";
  const at = (iso) => (Date.parse(iso) - begun) / 1000;
  if (begun === null) return { bars: item.seconds ? [[kind, 0, item.seconds, kind]] : [], end: item.seconds ?? 0 };
  const queued = item.queued_at ? Math.max(at(item.queued_at), 0) : wave;
  if (!item.started_at) return { bars: item.status === "queued" ? [["queued", queued, now, "queued"]] : [], end: now };
  const start = at(item.started_at);
  const end = item.seconds === undefined ? Math.max(now, start) : start + item.seconds;
  // Attempts that failed lie over the item's bar: chunks of one table are tried side by side.
  const retried = (item.retried ?? []).filter((one) => one.failed_at).map((one) => ["retried", at(one.started_at), at(one.failed_at), `failed attempt of ${one.activity}: ${one.code}`]);
  return { bars: [["queued", queued, start, "queued"], [kind, start, end, kind], ...retried].filter(([, left, right]) => right >= left), end };
}

function ganttRow(item, span, total) {
  const state = stateOf(shownStatus(item));
  const progress = item.progress ?? {};
  const told = [
    state.word,
    item.status === "running" && progress.phase,
    progress.attempt && `attempt ${progress.attempt}: ${progress.error?.message ?? ""}`,
    progress.chunks > 1 && progress.chunks_done !== undefined && `${progress.chunks_done} of ${progress.chunks} chunks`,
    progress.estimated_rows && `of about ${plural(progress.estimated_rows, "row")}`,
    item.reason,
  ].filter(Boolean).join(", ");
  return el("tr", {},
    el("th", { scope: "row" }, el("span", { class: `is-${state.kind} badge`, "aria-hidden": "true" }, state.sign), " ", itemLinkIn("gantt", item),
      state.kind === "succeeded" ? el("span", { class: "unseen" }, "succeeded") : el("span", { class: "soft data" }, ` ${told}`)),
    el("td", { class: "track" }, el("div", { class: "lane", "aria-hidden": "true" }, span.bars.map(([kind, left, right, words]) => el("span", {
      class: `bar ${kind}`, title: `${words}, ${seconds(right - left)}`,
      place: { left: `${(100 * left) / total}%`, width: `${(100 * (right - left)) / total}%` },
    })))),
    el("td", { class: "n" }, seconds(item.seconds)),
    el("td", { class: "n wide" }, number(item.rows)),
    el("td", { class: "n wide" }, item.attempts > 1 ? el("span", { class: "warn" }, String(item.attempts)) : String(item.attempts ?? "")));
}

const itemLinkIn = (where, item) => el("a", { href: `#item=${encodeURIComponent(`${item.layer}/${item.name}`)}`, class: "data", "data-focus": `${where} ${item.layer} ${item.name}` }, item.name);
