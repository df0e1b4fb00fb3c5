// The page's state, its address, and how it keeps itself up to date.

const LIVE_PAUSE = 2, IDLE_PAUSE = 10, HIDDEN_PAUSE = 60, OVERVIEW_AGE = 60;
const state = { overview: null, at: 0, run: null, live: null, runProblem: null, problem: null, shown: null, selected: null, search: "", attention: false, allRows: false, allBars: false };
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;
let wakeUp = () => {};
let forced = false;

function wake(force = false) {
  forced = forced || force;
  wakeUp();
}

function openRun(id) {
  if (location.hash === `#run=${encodeURIComponent(id)}`) focusRun();
  else location.hash = `run=${encodeURIComponent(id)}`;
}

function focusRun() {
  const title = byId("run-title");
  title?.scrollIntoView({ block: "nearest" });
  title?.focus({ preventScroll: true });
}

async function follow() {
  if (takeKey() && state.problem) wake(true);
  const [kind, value] = location.hash.slice(1).split("=", 2).map(decodeURIComponent);
  if (kind === "item" && state.overview) {
    const [layer, ...rest] = value.split("/");
    history.replaceState(null, "", state.selected ? `#run=${encodeURIComponent(state.selected)}` : location.pathname + location.search);
    openItem(state, layer, rest.join("/"));
    return;
  }
  if (kind !== "run" && kind !== "latest" && kind !== "") return;
  state.selected = kind === "run" ? value : null;
  state.allBars = false;
  if (state.overview) {
    await refresh(false);
    focusRun();
  }
}

// Whether the newest run has begun or ended since the overview was made; the overview tells more where that is not known.
async function newer() {
  const before = state.overview.runs[0];
  return call("runs?limit=1").then(({ runs: [newest] }) => newest?.run_id !== before?.run_id || newest?.status !== before?.status, () => true);
}

// Asks for what may have changed: cheap questions often, the overview when the newest run has begun or ended.
async function refresh(force) {
  try {
    const old = Date.now() - state.at > OVERVIEW_AGE * 1000;
    if (force || old || (await newer())) {
      state.overview = await call("overview");
      state.at = Date.now();
      clock.ahead = Date.parse(state.overview.now) - Date.now();
    }
    await refreshRun();
    state.problem = null;
  } catch (error) {
    state.problem = error.body ?? { code: "page_error", message: String(error), remedy: "Reload the page; if it stays, report it." };
  }
  draw();
}

async function refreshRun() {
  const before = state.run;
  const wanted = state.selected ?? state.overview.runs[0]?.run_id ?? null;
  state.shown = wanted;
  const same = before && before.run_id === state.shown;
  if (state.shown && !(same && before.status !== "running")) {
    const [run, runProblem] = await call(`runs/${encodeURIComponent(wanted)}`).then(
      (found) => [found, null],
      (error) => [null, error.body ?? { code: "page_error", message: String(error) }],
    );
    if (state.shown !== wanted) return; // another one was chosen in the meantime
    Object.assign(state, { run, runProblem });
  }
  const { holder } = state.overview;
  state.live = !holder ? null : holder.run_id === state.run?.run_id ? state.run : await call(`runs/${encodeURIComponent(holder.run_id)}`).catch(() => null);
  if (same && before.status === "running" && state.run && state.run.status !== "running") {
    said(`Run ${state.run.run_id}: ${state.run.status}`);
    wake(true);
  }
}

function draw() {
  const { overview, problem } = state;
  const problems = [...(problem ? [problem] : []), ...(overview?.problems ?? [])];
  show(byId("problems"), JSON.stringify(problems), () => [...problems.map((one) => problemBox(one, "What is shown may be old or incomplete")), problems.some((one) => one.code === "http_401") ? keyForm() : null]);
  byId("updated").textContent = overview ? `as of ${new Date(state.at).toLocaleTimeString("en-GB")}, times in ${ZONE}${overview.holder ? ", live" : ""}` : problem ? "no data" : "loading";
  drawActions(state);
  if (!overview) return;
  byId("pipeline").textContent = overview.pipeline;
  const failing = overview.runs[0]?.status;
  document.title = `${failing ? `${stateOf(failing).sign} ` : ""}${overview.pipeline} – comboi`;
  drawTop(state);
  drawRun(state);
  drawGrid(state);
}

async function keepUp() {
  for (let failures = 0; ;) {
    const force = forced || !state.overview;
    forced = false;
    await refresh(force);
    failures = state.problem ? failures + 1 : 0;
    const calm = document.hidden ? HIDDEN_PAUSE : state.overview?.holder ? LIVE_PAUSE : IDLE_PAUSE;
    await new Promise((resolve) => {
      wakeUp = resolve;
      setTimeout(resolve, forced ? 0 : 1000 * Math.min(calm * 2 ** failures, HIDDEN_PAUSE));
    });
  }
}

addEventListener("hashchange", follow);
document.addEventListener("visibilitychange", () => { if (!document.hidden) wake(); });
follow();
keepUp();
