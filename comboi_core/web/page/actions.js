// What can be done. Each button opens a dialog that says what will happen; nothing is sent before it is confirmed.

const ACTIONS = [
  { id: "run-now", label: "Run now", open: askRun, idle: true },
  { id: "run-failed", label: "Run failed only", open: askFailed, idle: true, needs: (state) => failedOf(state).length },
  { id: "cancel", label: "Cancel the run", open: askCancel, needs: (state) => state.overview.holder && !state.overview.holder.cancelled },
  { id: "backfill", label: "Backfill", open: askBackfill, idle: true, needs: (state) => rangedTables(state).length },
  { id: "reset", label: "Reset a table", open: askReset, needs: (state) => tablesOf(state).length },
];

const tablesOf = (state) => state.overview.items.filter((item) => item.layer === "bronze");
const rangedTables = (state) => tablesOf(state).filter((item) => item.backfill);
const failedOf = (state) => (state.run && !state.run.erasure ? itemsOf(state.run).filter((item) => item.status === "failed") : []);

function drawActions(state) {
  const group = byId("actions");
  if (!group.firstChild) {
    for (const action of ACTIONS) group.append(el("button", { type: "button", id: action.id, onclick: () => action.open(state) }, action.label));
  }
  for (const action of ACTIONS) {
    const busy = action.idle && state.overview?.holder;
    const button = byId(action.id);
    button.disabled = !state.overview || Boolean(busy) || (action.needs ? !action.needs(state) : false);
    button.title = busy ? "A run is on." : "";
  }
}

// Shows a dialog. `send` does the work and returns what to say; a refusal stays in the dialog.
function ask({ title, body, verb, kind = "main", ready = () => true, send }) {
  const dialog = byId("dialog");
  const told = el("div", { role: "alert" });
  const confirm = el("button", { type: "submit", class: kind }, verb);
  const check = () => { confirm.disabled = !ready(); };
  const form = el("form", {
    oninput: check,
    onsubmit: async (event) => {
      event.preventDefault();
      if (confirm.disabled) return;
      confirm.disabled = true;
      told.replaceChildren();
      try {
        const outcome = await send();
        dialog.close();
        said(outcome);
        wake(true);
      } catch (error) {
        told.replaceChildren(problemBox(error.body ?? { message: String(error) }, "Refused"));
        check();
      }
    },
  }, el("h2", { id: "dialog-title" }, title), body, told,
  el("div", { class: "buttons" }, el("button", { type: "button", onclick: () => dialog.close() }, verb ? "Leave it" : "Close"), verb ? confirm : null));
  dialog.replaceChildren(form);
  check();
  if (!dialog.open) dialog.showModal();
}

const once = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;

async function start(body, key) {
  const { run_id: id } = await call("runs", { method: "POST", body, once: key });
  openRun(id);
  return `Run ${id} has started`;
}

const picker = (label, items, chosen) => {
  const select = el("select", {}, items.map((item) => el("option", { value: item.name, selected: item.name === chosen }, item.name)));
  return [select, el("label", {}, label, select)];
};

function askRun(state, only = null) {
  const stage = el("select", {}, [["", "all layers"], ...LAYERS.map((layer) => [layer, layer])].map(([value, text]) => el("option", { value }, text)));
  const full = el("input", { type: "checkbox" });
  const key = once();
  ask({
    title: only ? ["Run ", data(only.name), " now"] : "Run now",
    body: [
      el("p", {}, only ? "Only this one is run; what depends on it is not." : ["Runs the pipeline ", data(state.overview.pipeline, "b"), ": reads what changed, builds and checks the datasets, publishes what passes."]),
      only ? null : el("label", {}, "What to run", stage),
      only && only.layer !== "bronze" ? null : el("label", {}, full, " full refresh: read every table whole, which may take long and load the source"),
    ],
    verb: "Start the run",
    send: () => start({ ...(only ? { stage: only.layer, select: [only.name] } : stage.value ? { stage: stage.value } : {}), ...(full.checked ? { full_refresh: true } : {}) }, key),
  });
}

function askFailed(state) {
  const failed = failedOf(state);
  const skipped = itemsOf(state.run).filter((item) => item.status === "skipped");
  const withSkipped = el("input", { type: "checkbox", checked: true });
  const key = once();
  ask({
    title: "Run failed only",
    body: [
      el("p", {}, `Runs again what failed in run `, data(state.run.run_id, "code"), ":"),
      el("ul", {}, failed.map((item) => data(item.name, "li"))),
      skipped.length ? el("label", {}, withSkipped, ` and the ${plural(skipped.length, "item")} that it skipped`) : null,
    ],
    verb: "Start the run",
    send: () => start({ select: [...failed, ...(withSkipped.checked ? skipped : [])].map((item) => item.name) }, key),
  });
}

function askCancel(state) {
  const { holder } = state.overview;
  ask({
    title: "Cancel the run",
    body: [el("p", {}, "Run ", data(holder.run_id, "code"), " ends before its next step. What is under way is finished; what was landed and published stays.")],
    verb: "Cancel the run", kind: "danger",
    send: async () => {
      await call(`runs/${encodeURIComponent(holder.run_id)}/cancel`, { method: "POST" });
      return `Run ${holder.run_id} is being cancelled`;
    },
  });
}

function askBackfill(state, name = null) {
  const [table, label] = picker("Table", rangedTables(state), name);
  const from = el("input", { required: true, autocomplete: "off", placeholder: "2026-11-01" });
  const to = el("input", { required: true, autocomplete: "off", placeholder: "2026-11-08" });
  const key = once();
  ask({
    title: "Backfill",
    body: [
      el("p", {}, "Reads a range of the table's cursor once more, above the first value up to and with the second. The watermark stays where it is, and no row is doubled."),
      label, el("label", {}, "From", from), el("label", {}, "To", to),
    ],
    verb: "Start the backfill",
    ready: () => from.value.trim() && to.value.trim(),
    send: () => start({ stage: "bronze", select: [table.value], backfill: { from: from.value.trim(), to: to.value.trim() } }, key),
  });
}

function askReset(state, name = null) {
  const [table, label] = picker("Table", tablesOf(state), name);
  const typed = el("input", { required: true, autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
  ask({
    title: "Reset a table",
    body: [
      el("p", {}, "The next run reads the whole table again and replaces what readers see. Until that load is committed they see what they see now. A large table takes long."),
      label, el("label", {}, "Type the table's name to confirm", typed),
    ],
    verb: "Reset the table", kind: "danger",
    ready: () => typed.value === table.value,
    send: async () => {
      await call(`tables/${encodeURIComponent(table.value)}/reset`, { method: "POST" });
      return `${table.value} is reset`;
    },
  });
}
