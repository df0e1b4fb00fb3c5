// What is told at a glance: last run, next slot, lease, stale tables.

function tile(name, alarm, ...lines) {
  return el("div", { class: alarm ? "tile alarm" : "tile" }, el("dt", {}, name), lines.filter(Boolean).map((line) => el("dd", {}, line)));
}

const itemLink = (layer, name) => el("a", { href: `#item=${encodeURIComponent(`${layer}/${name}`)}`, class: "data", "data-focus": `top ${layer} ${name}` }, name);

function drawTop(state) {
  const { overview } = state;
  const last = overview.runs.find((run) => run.status !== "running");
  const { holder, timer } = overview;
  const stale = overview.items.filter((item) => item.stale);
  const shown = last && shownStatus(last);
  const troubled = last && last.status !== "succeeded";
  byId("top").replaceChildren(el("dl", { class: "tiles" },
    last
      ? tile("Last run", troubled, [el("a", { href: `#run=${encodeURIComponent(last.run_id)}`, "aria-label": `Last run: ${stateOf(shown).word}`, "data-focus": "last" }, badge(shown)), " ", moment(last.started_at), ` (${ago(last.started_at)})`],
        el("span", { class: "soft" }, [last.seconds === undefined ? "" : `took ${seconds(last.seconds)}`, last.rows === undefined ? "" : `${number(last.rows)} rows`].filter(Boolean).join(", ")))
      : tile("Last run", false, "none has finished yet"),
    timer.next
      ? tile("Next slot", false, [moment(timer.next), ` (in ${seconds(-since(timer.next))})`], [el("span", { class: "soft" }, "schedule "), data(timer.schedule, "code")])
      : timer.schedule
        ? tile("Next slot", false, data(timer.schedule, "code"), el("span", { class: "soft" }, "not a calendar of slots that this page can read"))
        : tile("Next slot", false, "no schedule", el("span", { class: "soft" }, "set COMBOI_TIMER_SCHEDULE")),
    holder
      ? tile("Lease", false, [badge("running"), ` for ${seconds(since(holder.since))}`, holder.cancelled ? [", cancelled by ", data(holder.cancelled.by)] : ""], el("a", { href: `#run=${encodeURIComponent(holder.run_id)}`, class: "data", "data-focus": "holder" }, holder.run_id))
      : tile("Lease", false, "free", el("span", { class: "soft" }, "no run is on")),
    stale.length
      ? tile("Stale tables", true, plural(stale.length, "table"), [stale.slice(0, 5).map((item, place) => [place ? ", " : "", itemLink(item.layer, item.name)]), stale.length > 5 ? ` and ${stale.length - 5} more` : ""])
      : tile("Stale tables", false, "none", el("span", { class: "soft" }, plural(overview.items.filter((item) => item.freshness).length, "table has", "tables have") + " a freshness target"))));
}
