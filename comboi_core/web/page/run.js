// One run: what failed first, then its timeline.

const FAILURES = 8;
const SAMPLE_ROWS = 10;

function itemsOf(run) {
  return [
    ...(run.tables ?? []).map((item) => ({ ...item, layer: "bronze", name: `${item.source}.${item.table}` })),
    ...(run.datasets ?? []).map((item) => ({ ...item, layer: item.stage })),
  ];
}

const badChecks = (item, severe) => (item.checks ?? []).filter((check) => !check.passed && (check.severity !== "warn") === severe);
const isMild = (item) => item.status !== "failed" && (item.warnings?.length || badChecks(item, false).length || item.schema_changes?.length);

function drawRun(state) {
  const section = byId("run");
  const { runProblem, overview } = state;
  const run = state.run?.run_id === state.shown ? state.run : null;
  const summary = overview.runs.find((one) => one.run_id === state.shown);
  section.hidden = !state.shown;
  if (!state.shown) return;
  const live = run?.status === "running";
  const key = JSON.stringify([state.shown, run, runProblem, state.allBars, state.selected, live ? Math.floor(Date.now() / 1000) : 0, summary]);
  show(section, key, () => [
    el("h2", { id: "run-title", tabindex: "-1", "data-focus": "run-title" }, "Run ", data(state.shown), " ", badge(shownStatus(run ?? summary ?? { status: "unfinished" }))),
    run ? facts(run, summary) : runProblem ? null : el("p", { class: "soft" }, "loading"),
    state.selected ? el("p", {}, el("a", { href: "#latest", "data-focus": "latest" }, "Show the latest run")) : null,
    runProblem ? problemBox(runProblem, "The record of this run cannot be shown") : null,
    (run?.error ?? (runProblem && summary?.error)) ? problemBox(run?.error ?? summary.error, "The run itself failed") : null,
    run?.problem ? problemBox(run.problem, "What its tables and datasets do cannot be shown now") : null,
    run?.cancelled ? el("p", { class: "box mild" }, "It was cancelled by ", data(run.cancelled.by), " at ", moment(run.cancelled.at), ".") : null,
    run?.pipeline && run.pipeline !== overview.pipeline ? el("p", { class: "box mild" }, "It is a run of another pipeline: ", data(run.pipeline, "b"), ".") : null,
    run?.holder ? el("p", { class: "box mild" }, "It was skipped: ", data(run.holder.run_id, "code"), " held the lease.") : null,
    run ? [failures(run), shortfalls(run), mild(run), timeline(run, state), reports(run)] : null,
  ]);
}

function facts(run, summary) {
  const items = itemsOf(run);
  const counts = Object.keys(STATES).map((status) => [items.filter((item) => shownStatus(item) === status).length, stateOf(status).word]).filter(([count]) => count).map(([count, word]) => `${count} ${word}`);
  const scope = [run.stage && `stage ${run.stage}`, run.select?.length && `only ${run.select.slice(0, 5).join(", ")}${run.select.length > 5 ? ", …" : ""}`, run.full_refresh && "full refresh", run.backfill && "backfill", run.erasure && "erasure"].filter(Boolean).join(", ");
  const took = run.seconds ?? summary?.seconds;
  const lines = [
    run.started_at && ["started ", moment(run.started_at), run.status === "running" ? ` (${seconds(since(run.started_at))} so far)` : took !== undefined ? `, took ${seconds(took)}` : ""],
    run.trigger && ["by ", data(run.trigger)],
    scope && data(scope),
    run.status === "running" && run.phase && ["phase ", data(run.phase)],
    counts.length && counts.join(", "),
    run.fence && `fence ${run.fence}`,
    run.unrecorded ? "no record: the lake did not take it" : run.path && ["record ", data(`${run.lake ? `${run.lake}/` : ""}${run.path}`, "code")],
  ];
  return el("ul", { class: "facts soft" }, lines.filter(Boolean).map((line) => el("li", {}, line)));
}

function failures(run) {
  const failed = itemsOf(run).filter((item) => item.status === "failed");
  if (!failed.length) return null;
  const rest = failed.slice(FAILURES);
  return [
    el("h3", { class: "bad" }, plural(failed.length, "failure")),
    failed.slice(0, FAILURES).map(failureBox),
    rest.length ? el("details", { "data-focus": "failures" }, el("summary", { "data-focus": "failures summary" }, `${rest.length} more`), rest.map(failureBox)) : null,
  ];
}

function failureBox(item) {
  const error = item.error ?? { code: "failed", message: "The record names no error." };
  return el("div", { class: "box" },
    el("h4", {}, data(item.name), el("span", { class: "soft" }, ` ${item.layer}`)),
    el("p", {}, data(error.code, "code"), attempts(item)),
    data(error.message, "p"),
    error.remedy ? el("p", { class: "remedy" }, "What to do: ", data(error.remedy)) : null,
    badChecks(item, true).map(checkDetails),
    item.retried?.length ? el("details", { "data-focus": `retries ${item.name}` }, el("summary", { "data-focus": `retries summary ${item.name}` }, plural(item.retried.length, "earlier attempt")),
      el("ol", {}, item.retried.map((one) => el("li", {}, data(one.code, "code"), " ", data(one.message))))) : null);
}

function shortfalls(run) {
  const short = itemsOf(run).filter((item) => item.shortfalls?.length);
  if (!short.length) return null;
  const count = short.reduce((sum, item) => sum + item.shortfalls.length, 0);
  return [
    el("h3", { class: "warn" }, plural(count, "shortfall")),
    el("p", { class: "soft" }, "What follows succeeded, but readers do not see all of its rows or values."),
    short.map((item) => el("div", { class: "box mild" },
      el("h4", {}, data(item.name), el("span", { class: "soft" }, ` ${item.layer}`)),
      item.shortfalls.map((one) => [el("p", {}, data(one.code, "code"), " ", data(one.message)), el("p", { class: "remedy" }, "What to do: ", data(one.remedy))]))),
  ];
}

const attempts = (item) => (item.attempts > 1 ? el("span", { class: "soft" }, ` after ${plural(item.attempts, "attempt")}`) : null);

function mild(run) {
  const noted = itemsOf(run).filter(isMild);
  if (!noted.length) return null;
  return el("details", { "data-focus": "mild" }, el("summary", { class: "warn", "data-focus": "mild summary" }, `${plural(noted.length, "item")} with warnings`), noted.map((item) => el("div", { class: "box mild" },
    el("h4", {}, data(item.name)),
    (item.warnings ?? []).map((text) => data(text, "p")),
    (item.schema_changes ?? []).map((change) => el("p", {}, "schema: ", data(typeof change === "string" ? change : JSON.stringify(change)))),
    badChecks(item, false).map(checkDetails))));
}

function checkDetails(check) {
  return el("div", {}, el("p", {}, data(check.name, "code"), " ", data(check.message ?? "")), sampleTable(check));
}

function sampleTable(check) {
  const sample = (check.sample ?? []).slice(0, SAMPLE_ROWS);
  if (!sample.length) return null;
  const columns = [...new Set(sample.flatMap((row) => Object.keys(row)))];
  const cell = (value) => (value === null || value === undefined
    ? el("td", { class: "null" }, "NULL")
    : data(typeof value === "object" ? JSON.stringify(value) : value, "td", { title: String(value).slice(0, 1000) }));
  return el("div", { class: "scroll rows", tabindex: "0", role: "region", "aria-label": `Failing rows of ${check.name}`, "data-focus": `rows ${check.name}` },
    el("table", {}, el("caption", { class: "unseen" }, `First failing rows of ${check.name}`),
      el("thead", {}, el("tr", {}, columns.map((name) => data(name, "th", { scope: "col" })))),
      el("tbody", {}, sample.map((row) => el("tr", {}, columns.map((name) => cell(row[name])))))));
}

function reports(run) {
  const found = itemsOf(run).filter((item) => item.duplicates?.report);
  if (!found.length) return null;
  return [el("h3", {}, "Match-quality reports"), el("p", { class: "soft" }, "Each is about the latest build of its dataset."), el("ul", {}, found.map((item) => el("li", {}, reportLink(item.name), ": ", data(item.duplicates.report, "code"), el("span", { class: "soft" }, ` in the ${item.layer} lake `),
    el("button", { class: "plain", type: "button", "data-focus": `copy ${item.name}`, "aria-label": `Copy the report path of ${item.name}`, onclick: () => navigator.clipboard.writeText(item.duplicates.report).then(() => said("Path copied")) }, "copy path"))))];
}

// A link cannot bear a key in a header: where one is needed, the page asks for the report and opens what it got.
function reportLink(name) {
  const path = `datasets/${encodeURIComponent(name)}/report`;
  const click = functionKey() ? (event) => openReport(event, path) : () => {};
  return el("a", { href: `${BASE}/${path}`, target: "_blank", rel: "noopener", class: "data", "data-focus": `report ${name}`, "aria-label": `Match-quality report of ${name}, opens in a new tab`, onclick: click, onauxclick: click }, name);
}

const blobUrl = (text, type) => URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));

async function openReport(event, path) {
  if (event.button > 1) return;
  event.preventDefault();
  const tab = window.open("", "_blank"); // at once: after the answer, a browser takes it for a pop-up
  if (!tab) return said("The browser refuses to open a tab");
  tab.opener = null;
  try {
    const html = await call(path, { read: String });
    // What this page opens inherits its policy, under which a style may be a file of this page's, but not inline.
    tab.location.replace(blobUrl(html.replace(/<style>([^]*?)<\/style>/g, (_, style) => `<link rel='stylesheet' href='${blobUrl(style, "text/css")}'>`), "text/html"));
  } catch (error) {
    tab.close();
    ask({ title: "The report cannot be shown", body: problemBox(error.body ?? { message: String(error) }), verb: null });
  }
}
