// Roadworthy's only page script: what HTML, forms and htmx can't do by themselves.
// Theme switch, state of the live connection, burn-up chart, toasts, spoken summary.

const page = document.documentElement;
const SILENCE_STALE_MS = 12_000;
const RETRY_MS = 1_000;
const RETRY_MAX_MS = 8_000;
const ANNOUNCE_EVERY_MS = 10_000;
const TOAST_MS = 6_000;
const SAMPLES_MAX = 1_200;

function isDark() {
  const chosen = page.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function showTheme(button) {
  button.setAttribute("aria-pressed", String(isDark()));
}

for (const button of document.querySelectorAll("[data-theme-switch]")) {
  showTheme(button);
  button.addEventListener("click", () => {
    page.dataset.theme = isDark() ? "light" : "dark";
    localStorage.setItem("theme", page.dataset.theme);
    showTheme(button);
    chart?.restyle();
  });
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chart?.restyle());

const stream = document.getElementById("live");
const badge = document.getElementById("connection");
let heard = performance.now();

function showConnection(state, text) {
  if (!badge || badge.dataset.state === state) return;
  badge.dataset.state = state;
  badge.lastElementChild.textContent = text;
}

function lose() {
  showConnection("lost", "Reconnecting");
}

function hear() {
  heard = performance.now();
  showConnection("live", "Live");
}

// htmx keeps a stream alive that was open once. A first connection that fails, it leaves at that.
class Connection {
  constructor() {
    this.open = false;
    this.tries = 0;
    this.next = performance.now() + RETRY_MS;
    document.addEventListener("htmx:sse:after:connection", () => this.opened());
    document.addEventListener("htmx:sse:before:message", hear);
    document.addEventListener("htmx:sse:error", lose);
    document.addEventListener("htmx:sse:close", () => this.closed());
    for (const name of ["htmx:error", "htmx:response:error"])
      document.addEventListener(name, (event) => event.target === stream && this.closed());
    setInterval(() => this.look(), 1_000);
  }

  opened() {
    this.open = true;
    this.tries = 0;
    hear();
  }

  closed() {
    this.open = false;
    lose();
  }

  look() {
    const now = performance.now();
    if (document.hidden) return;
    if (now - heard > SILENCE_STALE_MS && badge.dataset.state === "live")
      showConnection("stale", "Stale");
    if (this.open || now < this.next) return;
    this.tries += 1;
    this.next = now + Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** this.tries) * (0.7 + 0.6 * Math.random());
    window.htmx.trigger(stream, "connect");
  }
}

if (stream && badge && window.htmx) {
  showConnection("connecting", "Connecting");
  new Connection();
}

// Whoever is signed out meanwhile is asked to sign in, and comes back to this page.
document.addEventListener("htmx:response:error", (event) => signInAgain(event.detail.ctx.response.status));
document.addEventListener("htmx:sse:error", (event) => signInAgain(event.detail.status));

function signInAgain(status) {
  if (status === 401) location.reload();
}

const spoken = document.getElementById("announce");
let announcedAt = performance.now();

function announce(counts) {
  if (!spoken || counts.total === undefined) return;
  const text =
    `${counts.state}: ${counts.confirmed} of ${counts.total} vehicles confirmed, ` +
    `${counts.failed} failed, ${counts.in_progress} in progress`;
  if (performance.now() - announcedAt < ANNOUNCE_EVERY_MS || spoken.textContent === text) return;
  announcedAt = performance.now();
  spoken.textContent = text;
}

function elapsed(seconds) {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${String(whole % 60).padStart(2, "0")}`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60}`;
}

class BurnChart {
  constructor(host) {
    this.host = host;
    this.total = Number(host.dataset.total);
    this.columns = JSON.parse(host.dataset.burn);
    this.draw();
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(host);
  }

  size() {
    return { width: this.host.clientWidth, height: 260 };
  }

  colour(name) {
    return getComputedStyle(document.querySelector(`[data-swatch="${name}"]`)).color;
  }

  // uPlot draws lines; heights are stacked here: confirmed, then failed, then in progress.
  stacked() {
    const [at, confirmed, failed, moving] = this.columns;
    const ended = confirmed.map((count, n) => count + failed[n]);
    const reached = ended.map((count, n) => count + moving[n]);
    return [at, reached, ended, confirmed, at.map(() => this.total)];
  }

  options() {
    const ink = this.colour("axis");
    const grid = { stroke: this.colour("grid"), width: 1 };
    const area = (name) => {
      const stroke = this.colour(name);
      return { stroke, fill: stroke, width: 1, points: { show: false } };
    };
    const axis = { stroke: ink, grid, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    return {
      ...this.size(),
      legend: { show: false },
      cursor: { show: false },
      padding: [10, 8, 0, 0],
      scales: { x: { time: false }, y: { range: [0, Math.max(1, this.total * 1.04)] } },
      axes: [
        { ...axis, values: (_, ticks) => ticks.map(elapsed), space: 70, size: 28 },
        { ...axis, size: 40, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 10000] },
      ],
      series: [
        {},
        area("busy"),
        area("bad"),
        area("ok"),
        { stroke: ink, width: 1, dash: [5, 4], points: { show: false } },
      ],
    };
  }

  // Until there are two samples, the host keeps what the server said there.
  draw() {
    if (this.columns[0].length < 2) return;
    this.host.replaceChildren();
    this.plot = new window.uPlot(this.options(), this.stacked(), this.host);
    this.plot.root.setAttribute("aria-hidden", "true");
  }

  restyle() {
    this.plot?.destroy();
    this.draw();
  }

  add(counts) {
    const [at] = this.columns;
    if (counts.at_s === null || counts.at_s <= (at.at(-1) ?? -1)) return;
    [counts.at_s, counts.confirmed, counts.failed, counts.in_progress].forEach((value, n) =>
      this.columns[n].push(value),
    );
    if (at.length > SAMPLES_MAX) this.thin();
    if (this.plot) this.plot.setData(this.stacked());
    else this.draw();
  }

  // Keep every second sample: the picture stays, the memory does not grow.
  thin() {
    this.columns = this.columns.map((column) => column.filter((_, n) => n % 2 === 0));
  }
}

const burnHost = document.getElementById("burn");
const chart = burnHost && window.uPlot ? new BurnChart(burnHost) : undefined;

stream?.addEventListener("tick", (event) => {
  const counts = JSON.parse(event.detail.data);
  announce(counts);
  if (counts.at_s !== undefined) chart?.add(counts);
});

const toasts = document.getElementById("toasts");

function toast(text, tone) {
  const note = document.createElement("p");
  note.className = `toast toast-${tone}`;
  note.textContent = text;
  toasts?.append(note);
  setTimeout(() => note.remove(), TOAST_MS);
}

// What a form says when it is done is noted before the request: by the time the answer is here,
// the event stream may have replaced the form by the next action's.
const asked = new WeakMap();

document.addEventListener("htmx:before:request", (event) => {
  const form = event.detail.ctx.sourceElement?.closest?.("form[data-done]");
  if (form) asked.set(event.detail.ctx, { done: form.dataset.done, dialog: form.closest("dialog") });
});

document.addEventListener("htmx:after:request", (event) => {
  const { ctx } = event.detail;
  const form = asked.get(ctx);
  if (!form) return;
  form.dialog?.close();
  if (ctx.response.status < 400) return toast(form.done, "ok");
  const answer = new DOMParser().parseFromString(ctx.text ?? "", "text/html");
  const happened = answer.getElementById("problem-happened")?.textContent.trim();
  toast(happened || `The server refused (${ctx.response.status})`, "bad");
});

// A filtered table can be bookmarked, although htmx has fetched only the table.
document.addEventListener("htmx:after:swap", (event) => {
  const { ctx } = event.detail;
  const form = document.getElementById("vehicle-filter");
  if (!form || ctx?.target?.id !== "vehicle-table") return;
  const shown = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value) shown.set(name, value);
  const number = document.getElementById("vehicle-page")?.value;
  if (number && number !== "1") shown.set("page", number);
  const query = shown.toString();
  const address = location.pathname + (query ? `?${query}` : "");
  if (address !== location.pathname + location.search) history.replaceState(null, "", address);
});

if (!("commandForElement" in HTMLButtonElement.prototype)) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[commandfor]");
    const dialog = button && document.getElementById(button.getAttribute("commandfor"));
    if (button?.getAttribute("command") === "show-modal") dialog?.showModal();
    if (button?.getAttribute("command") === "close") dialog?.close();
  });
}
