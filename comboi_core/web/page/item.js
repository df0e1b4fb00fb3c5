// One table or dataset: where it stands, its latest loads, what can be done with it.

async function openItem(state, layer, name) {
  const item = state.overview.items.find((one) => one.layer === layer && one.name === name);
  const loads = el("div", {});
  const facts = item ? itemFacts(item) : [["", "The configuration no longer has it."]];
  ask({
    title: [data(name), " ", el("span", { class: "soft" }, layer)],
    body: [
      el("dl", {}, facts.map(([term, text]) => [el("dt", {}, term), el("dd", {}, text)])),
      item ? sparkline(item.rows, 300, 48) : null,
      loads,
      item ? itemActions(state, item) : null,
    ],
    verb: null,
  });
  if (!item || layer !== "bronze") return;
  try {
    const found = await call(`tables/${encodeURIComponent(name)}`);
    loads.replaceChildren(...loadsTable(found).filter(Boolean));
  } catch (error) {
    loads.replaceChildren(problemBox(error.body ?? { message: String(error) }));
  }
}

function itemFacts(item) {
  const latest = item.history.find(Boolean);
  return [
    ["latest run", latest ? badge(latest) : "in none of the runs shown"],
    ["as of", item.as_of ? [moment(item.as_of), ` (${ago(item.as_of)})`] : "never loaded or built"],
    item.freshness ? ["freshness", [`target ${seconds(item.freshness)}, `, el("b", { class: item.stale ? "bad" : "good" }, item.stale ? "stale" : "met")]] : null,
    item.checks ? ["checks", checksCell(item.checks)] : null,
    item.layer === "bronze" ? ["watermark", item.watermark ? data(item.watermark, "code") : "none"] : null,
    item.layer === "bronze" ? ["loads", number(item.sequence)] : null,
    item.reload ? ["reset", "the next load reads the whole table"] : null,
  ].filter(Boolean);
}

function itemActions(state, item) {
  const busy = Boolean(state.overview.holder);
  const button = (label, open, off = false) => el("button", { type: "button", disabled: off, title: off ? "A run is on." : null, onclick: open }, label);
  return el("p", {},
    button("Run only this", () => askRun(state, item), busy), " ",
    item.backfill ? [button("Backfill", () => askBackfill(state, item.name), busy), " "] : null,
    item.layer === "bronze" ? button("Reset", () => askReset(state, item.name)) : null);
}

function loadsTable(table) {
  if (!table.loads?.length) return [el("p", { class: "soft" }, "Nothing was loaded yet.")];
  return [el("div", { class: "scroll rows tall", tabindex: "0", role: "region", "aria-label": "Latest loads" }, el("table", {},
    el("caption", { class: "unseen" }, "Latest loads"),
    el("thead", {}, el("tr", {}, ["Load", "Committed", "Mode", "Rows", "Size", "Run"].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, table.loads.map((load) => el("tr", {},
      el("td", {}, String(load.sequence)), el("td", {}, load.committed_at ? moment(load.committed_at) : ""), data(load.mode ?? "", "td"),
      el("td", { class: "n" }, number(load.rows)), el("td", { class: "n" }, typeof load.bytes === "number" ? bytes(load.bytes) : ""),
      el("td", {}, el("a", { href: `#run=${encodeURIComponent(load.run_id ?? "")}`, class: "data", onclick: () => byId("dialog").close() }, load.run_id ?? ""))))))),
  table.audit?.length ? el("ul", { class: "soft" }, table.audit.slice(0, 3).map((one) => el("li", {}, data(one.what), " by ", data(one.by), " at ", moment(one.at)))) : null];
}
