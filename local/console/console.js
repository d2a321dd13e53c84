/*
Stable ids, for browser tests. Wait for <body data-busy="0"> first: then no action of the person
and no refresh is under way.

  bar        token-login token-verified token-expiry   clock step-gauge clock-offset clock-notice
             clock-advance (the form) clock-advance-30 clock-advance-300 clock-advance-900 clock-advance-3600
  path       guide guide-steps (li button: open-<step>, data-done) guide-progress leave-guide
             step-title step-text step-actions (button: do-<action>, data-done) guide-notice
             step-section step-back step-next
  what if    switch-ses switch-sns switch-attacker (aria-checked) guesses day-passes start-anew switch-notice
             guess-board guess-count guess-judged guess-refused guess-right guess-notice close-guesses
             attacker attempts (li: data-attempt data-status data-code) attack attack-notice
  screens    screen-phone screen-mailbox screen-ledger
             phone accounts (li: data-device; .otp) texts (li.message: data-channel=sms …; .use-code)
             mailbox inbox (li.message: data-id data-channel data-to data-code; .show-mail .use-code)
             inbox-count empty-inbox inbox-notice
             ledger ledger-facts (div: data-fact data-new) ledger-stored ledger-items
  sign in    user-alice user-bob user-carol   user-sub user-email user-phone user-expires   sign-in sign-in-notice
             login-held login-claims
  status     refresh status (data-enabled) status-lamp status-facts status-notice
             devices (li: data-id data-verified) devices-notice
             of a device: rename-<id> (.rename-device), then name-<id> save-name-<id> keep-name-<id>
             remove-<id> (.remove-device), then confirm-remove-<id> keep-<id>   remove-notice
  set up     device-name device-label setup setup-notice   setup-reply qr secret otpauth setup-about setup-timer
             copy-secret copy-otpauth   setup-code compute-setup-code setup-code-notice   confirm-setup confirm-notice
  toggle     enable disable toggle-notice
  recovery   recovery (the section)   generate-recovery recovery-notice
             recovery-reply recovery-codes (li: data-used, its text is the code) copy-recovery forget-recovery
             recovery-code take-recovery   recovery-trust-device use-recovery use-recovery-notice   reset reset-notice
  send       method method-totp method-email method-sms method-hint send-code send-notice
  verify     verify-device code compute-code code-notice trust-device verify verify-notice
             verified verified-tokens verified-claims (dd: data-claim)
  session    refresh-session repeat-refresh session-notice   session session-tokens session-claims (dd: data-claim)
             sessions (li: data-id data-current) sessions-notice   end-others sign-out end-notice
             of a session: end-<id> (.end-device), then confirm-end-<id> keep-<id>
  trust      trust-about use-trust trust-notice   trusted-devices (li: data-id) trusted-notice
             of a trusted device: revoke-<id> (.revoke-device), then confirm-revoke-<id> keep-<id>   revoke-notice
  told       feed (li: data-type data-user; .event-text .deny-event) feed-notice
  log        log (li: data-method data-path data-status) clear-log
             own own-count own-log (li: data-method data-path data-status data-times)

A notice has data-kind (good, bad, broken, note). If it shows an answer, it has its data-status and,
for a problem, its data-code. The text of #secret is the secret alone: CSS draws the gaps between
its groups.

To add a section, copy the markup of a section, then add a block below that calls
`action(form, notice, run)`. If the section shows something from the server that any action may
change, call `onRefresh(…)` too. To add a step to the guided path, add it to `STEPS`.
*/

const $ = (id) => document.getElementById(id);

// ── State ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const state = {
  sub: null,
  login: null, // what was sent to sign in, for signing in again
  tokens: { login: null, verified: null },
  use: "login",
  devices: [],
  setup: null, // the latest set-up: { sub, deviceId, secret, lastStep }
  recovery: [], // the latest recovery codes that this page was given: { code, used }
  known: [], // authenticators whose secret this page has seen: { sub, deviceId, secret, lastStep }
  session: null, // { next: the refresh token to send, last: the one that was sent before it }
  trust: {}, // the trust token of this page, by user
  attacker: null, // the token of another login of this user, while somebody else has the password
};
const bearer = () => state.tokens[state.use];

// ── Making elements: text only ever becomes a text node ─────────────────────────────────────────────────────────────

function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") made.addEventListener("click", value);
    else if (value !== undefined && value !== null && value !== false)
      made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const pad = (n) => String(n).padStart(2, "0");
const duration = (seconds) => {
  const s = Math.max(0, Math.ceil(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)}:${pad(s % 60)} min`;
  return `${Math.floor(s / 3600)}:${pad(Math.floor(s / 60) % 60)}:${pad(s % 60)} h`;
};
const moment = (value) => {
  const date = new Date(typeof value === "number" ? value * 1000 : value);
  return Number.isNaN(date.getTime())
    ? String(value)
    : date
        .toISOString()
        .replace("T", " ")
        .replace(/\.\d+Z/, "");
};

function copyButton(what, text) {
  const button = el("button", { type: "button", class: "text" }, `Copy ${what}`);
  wireCopy(button, () => text);
  return button;
}

function wireCopy(button, text) {
  const label = button.textContent;
  button.addEventListener("click", async () => {
    const done = await navigator.clipboard?.writeText(text()).then(
      () => "Copied",
      () => null,
    );
    button.textContent = done ?? "Copying not allowed";
    setTimeout(() => {
      button.textContent = label;
    }, 1500);
  });
}

// A countdown on the bundle's clock: moving the clock moves the countdown too.
const countdown = (before, until, after) =>
  el("span", { "data-until": until, "data-before": before, "data-after": after });

// ── Calls and their log ─────────────────────────────────────────────────────────────────────────────────────────────

class Problem extends Error {
  constructor(status, body, headers) {
    super(body?.message ?? `The server answered ${status}.`);
    this.status = status;
    this.code = body?.code;
    this.attemptsLeft = body?.attemptsLeft;
    this.retryAfter = headers?.get("retry-after");
  }
}

const SHOWN_HEADERS = ["x-request-id", "retry-after", "www-authenticate"];
const LOG_LENGTH = 100;

/**
 * Makes one request: returns `{ status, body }`, or throws a `Problem`. `quiet` marks a request that
 * is not an action of the person.
 */
async function call(method, path, body, { quiet = false, token = bearer(), headers = {} } = {}) {
  if (path.startsWith("/auth/") && token) headers.authorization = `Bearer ${await renewed(token)}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const sent = { method, path, body, headers, which: holderOf(token), quiet, at: moment(clock.now()) };
  const started = performance.now();
  const options = { method, headers, body: body && JSON.stringify(body), cache: "no-store", credentials: "omit" };
  let answer;
  let parsed;
  try {
    answer = await fetch(path, options);
    parsed = await answer.text();
  } catch {
    log(sent, { ms: performance.now() - started });
    throw new Problem(0, { message: "No answer. Is the local server running?" });
  }
  try {
    parsed = JSON.parse(parsed);
  } catch {
    /* Not JSON: shown unchanged. */
  }
  log(sent, { status: answer.status, headers: answer.headers, body: parsed, ms: performance.now() - started });
  if (!answer.ok) throw new Problem(answer.status, parsed, answer.headers);
  return { status: answer.status, body: parsed };
}

/** Whose a token is, for the list of requests. */
function holderOf(token) {
  if (!token) return null;
  if (token === state.attacker) return "the other login’s token";
  const name = Object.keys(state.tokens).find((name) => state.tokens[name] === token);
  return name ? `the ${name} token` : null;
}

// The next token of the same login, until the same end: identity providers make one every few minutes.
async function renewed(token) {
  if (token !== state.tokens.login) return token;
  const { iat, ...claims } = claimsOf(token) ?? {};
  const next = { ...claims, jti: crypto.randomUUID() };
  const made = await call("POST", "/__local/token", next, { quiet: true, token: null }).catch(() => null);
  return made?.body.accessToken ?? token;
}

const kindOf = (status) => (status >= 200 && status < 400 ? "good" : status >= 400 && status < 500 ? "bad" : "broken");

// A picture is cut short, because nobody reads base64.
const pretty = (body) =>
  typeof body === "string"
    ? body
    : JSON.stringify(
        body,
        (_, value) =>
          typeof value === "string" && value.startsWith("data:")
            ? `${value.slice(0, 40)}… (${value.length} characters)`
            : value,
        2,
      );

/** One exchange, folded to a line. `times` is how often the page made it, if it made it itself. */
function exchange(sent, got, times) {
  const { method, path, headers, body, which } = sent;
  const lineOf = ([name, value]) => `${name}: ${name === "authorization" && which ? `Bearer (${which})` : value}`;
  const request = Object.entries(headers).map(lineOf);
  const answer = SHOWN_HEADERS.filter((name) => got.headers?.has(name)).map((name) =>
    lineOf([name, got.headers.get(name)]),
  );
  const part = (title, lines, content) => {
    const text = content === undefined || content === "" ? [] : [...(lines.length ? [""] : []), pretty(content)];
    return [el("h3", {}, title), el("pre", {}, [...lines, ...text].join("\n") || "(empty)")];
  };
  const quoted = (value) => `'${value.replaceAll("'", "'\\''")}'`;
  const options = Object.entries(headers).flatMap(([name, value]) => ["-H", quoted(`${name}: ${value}`)]);
  if (body !== undefined) options.push("-d", quoted(JSON.stringify(body)));
  const curl = ["curl", "-i", "-X", method, ...options, quoted(location.origin + path)].join(" ");
  const status = got.status ?? 0;
  const counted = times ? `×${times}` : `${Math.round(got.ms)} ms`;

  const summary = el(
    "summary",
    {},
    el("span", { class: "badge", "data-kind": kindOf(status) }, String(got.status ?? "–")),
    el("span", {}, method),
    el("span", {}, path),
    el("span", { class: "muted" }, counted),
  );
  const details = el(
    "div",
    { class: "stack" },
    el("div", { class: "row apart small muted" }, `${sent.at} UTC`, copyButton("as curl", curl)),
    ...part("Request", request, body),
    ...(got.status ? part("Answer", answer, got.body) : part("Answer", ["none"])),
  );
  const about = { "data-method": method, "data-path": path, "data-status": status, "data-times": times };
  return el("li", about, el("details", {}, summary, details));
}

function log(sent, got) {
  if (sent.quiet) {
    logOwn(sent, got);
    return;
  }
  $("log").prepend(exchange(sent, got));
  while ($("log").children.length > LOG_LENGTH) $("log").lastChild.remove();
}

// What the page asks by itself would push what the person did out of the list. Of each kind of
// request, only the last one is kept, and how many there were.
const own = new Map();

function logOwn(sent, got) {
  const kind = `${sent.method} ${sent.path}`;
  own.set(kind, { ...own.get(kind), sent, got, times: (own.get(kind)?.times ?? 0) + 1 });
  put($("own-count"), String([...own.values()].reduce((sum, { times }) => sum + times, 0)));
  if ($("own").open) showOwn(kind);
}

function showOwn(kind) {
  const entry = own.get(kind);
  // Whoever reads an answer must not have it replaced.
  if (entry.view?.firstChild.open || entry.view?.contains(document.activeElement)) return;
  const view = exchange(entry.sent, entry.got, entry.times);
  if (entry.view?.isConnected) entry.view.replaceWith(view);
  else $("own-log").append(view);
  entry.view = view;
}

$("own").addEventListener("toggle", () => {
  if ($("own").open) for (const kind of own.keys()) showOwn(kind);
});

$("clear-log").addEventListener("click", () => {
  $("log").replaceChildren();
  $("own-log").replaceChildren();
  own.clear();
  put($("own-count"), "0");
});

// ── Notices and actions ─────────────────────────────────────────────────────────────────────────────────────────────

const HINTS = {
  MFA_REQUIRED: "Verify with a code, then call with the verified token.",
  INVALID_TOKEN: "Sign in again, or choose the other token above.",
  NO_AUTH_PROVIDED: "Sign in first.",
  REFRESH_TOKEN_INVALID: "Verify again: that opens a new session.",
  REFRESH_TOKEN_EXPIRED: "Verify again: that opens a new session.",
};

// The paragraph is the live region. The countdowns are outside it, so that a screen reader does not
// read every second aloud.
for (const notice of document.querySelectorAll(".notice"))
  notice.append(el("p", { role: "status" }), el("div", { class: "timers" }));

function clear(id) {
  const notice = $(id);
  for (const name of ["kind", "status", "code"]) delete notice.dataset[name];
  for (const child of notice.children) child.replaceChildren();
}

function say(id, { kind = "note", status, code, text, hint, extras = [] }) {
  const notice = $(id);
  clear(id);
  Object.assign(notice.dataset, { kind, ...(status && { status }), ...(code && { code }) });
  const [paragraph, timers] = notice.children;
  if (status) paragraph.append(el("span", { class: "badge", "data-kind": kind }, String(status)), " ");
  paragraph.append(text);
  if (code) paragraph.append(" ", el("code", {}, code));
  if (hint) paragraph.append(el("span", { class: "hint" }, hint));
  timers.append(...extras);
  tick();
}

function sayProblem(id, problem) {
  if (!(problem instanceof Problem)) console.error(problem);
  const { status, code, message, retryAfter } = problem;
  const again = clock.now() + Number(retryAfter);
  const move = () => perform($(id), id, () => clock.moveTo(again));
  const extras = retryAfter
    ? [
        `Retry-After: ${retryAfter}`,
        countdown("try again in", again, "try again now"),
        ...(clock.adjustable
          ? [el("button", { type: "button", class: "text", onclick: move }, "Move the clock there")]
          : []),
      ]
    : [];
  say(id, { kind: kindOf(status ?? 0), status, code, text: message, hint: HINTS[code], extras });
}

async function busy(work) {
  document.body.dataset.busy = Number(document.body.dataset.busy) + 1;
  try {
    return await work();
  } finally {
    document.body.dataset.busy = Number(document.body.dataset.busy) - 1;
  }
}

const refreshers = [];
/** After every action, `load` asks the server, and `show` shows the answer or `notice` an error. */
const onRefresh = (notice, load, show) => refreshers.push({ notice, load, show });

let turn = 0;
const refresh = () => {
  const mine = ++turn;
  return busy(() =>
    Promise.all([
      readLedger().catch(() => {}),
      ...refreshers.map(async ({ notice, load, show }) => {
        const token = bearer();
        if (!token) return;
        try {
          const reply = await load();
          if (mine !== turn || token !== bearer()) return; // stale: a newer refresh began, or the token changed
          clear(notice);
          show(reply.body);
        } catch (problem) {
          if (token === bearer()) sayProblem(notice, problem);
        }
      }),
    ]),
  );
};

/** When `form` is submitted, runs `run(button)`, shows the outcome in `notice`, and refreshes. */
function action(form, notice, run) {
  $(form).addEventListener("submit", (event) => {
    event.preventDefault();
    perform($(form), notice, () => run(event.submitter));
  });
}

/** What a notice says of an answer. */
const outcome = ({ status, body }, text = body.message) => ({ status, text });

function perform(owner, notice, run, after = refresh) {
  if (owner.getAttribute("aria-busy") === "true") return undefined;
  owner.setAttribute("aria-busy", "true");
  clear(notice);
  return busy(async () => {
    try {
      const told = await run();
      if (told) say(notice, { kind: told.status ? kindOf(told.status) : "note", ...told });
    } catch (problem) {
      sayProblem(notice, problem);
    }
    owner.removeAttribute("aria-busy");
    await after?.();
  });
}

const filled = (fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ""));

// ── The clock ───────────────────────────────────────────────────────────────────────────────────────────────────────

const clock = {
  unix: Date.now() / 1000,
  at: performance.now(),
  adjustable: false,
  now() {
    return this.unix + (performance.now() - this.at) / 1000;
  },
  async sync() {
    const { body } = await call("GET", "/__local/clock", undefined, { quiet: true });
    if (typeof body?.unix === "number")
      Object.assign(this, {
        unix: body.unix,
        at: performance.now(),
        adjustable: body.adjustable ?? this.adjustable,
        known: true,
      });
    for (const button of [...$("clock-advance").elements, $("day-passes")]) button.disabled = !this.adjustable;
    tick();
    return this.now();
  },
  async advance(seconds) {
    await call("POST", "/__local/clock", { advance: seconds }, { token: null });
    return this.sync();
  },
  /** Moves the clock to a moment, if it is not there yet, and says so. */
  async moveTo(moment) {
    const seconds = Math.ceil(moment - (await this.sync()));
    if (seconds > 0) await this.advance(seconds);
    return { text: seconds > 0 ? `The clock moved ${duration(seconds)}.` : "The clock is there already." };
  },
};

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function tick() {
  const now = clock.now();
  if (clock.known) {
    const ahead = now - Date.now() / 1000;
    put($("clock"), `${moment(now)} UTC`);
    const offset =
      Math.abs(ahead) < 2
        ? "agrees with your computer"
        : `${duration(Math.round(Math.abs(ahead)))} ${ahead > 0 ? "ahead of" : "behind"} your computer`;
    put($("clock-offset"), clock.adjustable ? offset : `${offset}, not adjustable`);
    $("step-gauge").style.setProperty("--p", Math.floor(now % 30) / 30);
    tickPhone(now);
  }
  for (const shown of document.querySelectorAll("[data-until]")) {
    const left = Number(shown.dataset.until) - now;
    put(shown, left > 0 ? `${shown.dataset.before} ${duration(left)}` : shown.dataset.after);
  }
  const expires = claimsOf(bearer())?.exp;
  if (bearer())
    put(
      $("token-expiry"),
      typeof expires !== "number"
        ? "never expires"
        : expires > now
          ? `expires in ${duration(expires - now)}`
          : "has expired",
    );
}

action("clock-advance", "clock-notice", async (button) => {
  await clock.advance(Number(button.value));
});

// ── Tokens ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function claimsOf(token) {
  try {
    const bytes = Uint8Array.from(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")), (c) =>
      c.charCodeAt(0),
    );
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

/** Lists the claims, and marks those that `before` lacks or has with another value. */
function claimsList(token, before) {
  const claims = claimsOf(token);
  if (!claims) return el("p", { class: "muted" }, "Not a JSON Web Token: no claims to show.");
  return el(
    "dl",
    { class: "claims" },
    ...Object.entries(claims).flatMap(([name, value]) => [
      el("dt", { class: before && JSON.stringify(before[name]) !== JSON.stringify(value) ? "new" : null }, name),
      el(
        "dd",
        { "data-claim": name },
        typeof value === "string" ? value : JSON.stringify(value),
        ["iat", "exp", "nbf", "auth_time"].includes(name) && typeof value === "number"
          ? el("small", {}, `  ${moment(value)}`)
          : null,
      ),
    ]),
  );
}

function use(name) {
  state.use = name;
  for (const radio of document.getElementsByName("token")) {
    radio.disabled = !state.tokens[radio.value];
    radio.checked = radio.value === name;
  }
  tick();
}

$("token").addEventListener("change", (event) => {
  use(event.target.value);
  refresh();
});

// ── Sign in ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const SUGGESTED = [
  {
    id: "user-alice",
    name: "Alice",
    has: "e-mail and phone",
    sub: "alice",
    email: "alice@example.com",
    phone: "+12025550143",
  },
  { id: "user-bob", name: "Bob", has: "e-mail", sub: "bob", email: "bob@example.com", phone: "" },
  { id: "user-carol", name: "Carol", has: "no e-mail, no phone", sub: "carol", email: "", phone: "" },
];
const USER_FIELDS = ["sub", "email", "phone"];

const suggest = (user) => {
  for (const name of USER_FIELDS) $(`user-${name}`).value = user[name];
  markSuggested();
};
const markSuggested = () => {
  for (const user of SUGGESTED)
    $(user.id).setAttribute(
      "aria-pressed",
      USER_FIELDS.every((name) => $(`user-${name}`).value === user[name]),
    );
};
for (const user of SUGGESTED) {
  $("users").append(
    el(
      "button",
      { type: "button", id: user.id, class: "suggested", onclick: () => suggest(user) },
      user.name,
      el("small", {}, user.has),
    ),
  );
}
$("sign-in-form").addEventListener("input", markSuggested);
suggest(SUGGESTED[0]);

action("sign-in-form", "sign-in-notice", async () => {
  const sub = $("user-sub").value.trim();
  const lives = $("user-expires").value.trim();
  const again = state.sub !== null;
  $("user-sub").setAttribute("aria-invalid", String(!sub));
  if (!sub) {
    $("user-sub").focus();
    return { kind: "bad", text: "Enter a user id: without one, there is nobody to sign in." };
  }
  const reply = await signIn({
    sub,
    ...filled({ email: $("user-email").value, phone: $("user-phone").value }),
    ...(lives && { expiresIn: Number(lives) }),
  });
  return outcome(reply, `This page now holds a ${again ? "new " : ""}login token of ${sub}.`);
});

async function signIn(login) {
  const reply = await call("POST", "/__local/token", login, { token: null });
  const token = reply.body.accessToken;
  if (state.sub !== login.sub) {
    forget();
    forgetAttacker();
  }
  Object.assign(state, { sub: login.sub, login, tokens: { login: token, verified: null } });
  use("login");
  holdSession(null);
  showTrust();
  $("login-held").hidden = false;
  $("login-claims").replaceChildren(
    claimsList(token),
    el("div", { class: "row" }, copyButton("the login token", token)),
  );
  $("verified").hidden = true;
  for (const notice of ["verify-notice", "use-recovery-notice", "trust-notice"]) clear(notice);
  $("sign-in").textContent = "Sign in again";
  for (const part of document.querySelectorAll(".needs-login")) part.disabled = false;
  return reply;
}

// Clears what the page shows of the previous person.
function forget() {
  state.devices = [];
  $("status").hidden = true;
  $("devices").replaceChildren();
  $("trusted-devices").replaceChildren();
  $("sessions").replaceChildren();
  $("code").value = $("recovery-code").value = "";
  forgetSetup();
  showRecovery([]);
  for (const notice of document.querySelectorAll(".needs-login .notice")) clear(notice.id);
}

function forgetSetup() {
  state.setup = null;
  $("setup-reply").hidden = true;
  $("setup-code").value = "";
}

// ── Status and devices ──────────────────────────────────────────────────────────────────────────────────────────────

action("refresh-form", "status-notice", async () => {});

onRefresh(
  "status-notice",
  () => call("GET", "/auth/mfa/status", undefined, { quiet: true }),
  (status) => {
    $("status").hidden = false;
    $("status").dataset.enabled = $("status-lamp").dataset.on = status.isEnabled;
    put($("status-lamp"), `MFA is ${status.isEnabled ? "on" : "off"} for ${state.sub}`);
    const shown = (value) =>
      Array.isArray(value)
        ? value.join(", ") || "none"
        : value === true
          ? "yes"
          : value === false
            ? "no"
            : String(value);
    $("status-facts").replaceChildren(
      ...Object.entries(status)
        .filter(([name]) => name !== "totpDevices")
        .map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, shown(value)))),
    );
  },
);

/** Shows each of `items`, by `view`. They are null if the token in use may not see them. */
function list(place, items, view) {
  const line = (text) => [el("li", { class: "small muted" }, text)];
  const none = items ? "None." : "Shown only with the verified token.";
  $(place).replaceChildren(...(items?.length ? items.map(view) : line(none)));
}

/** One of a list: `facts` become data attributes, and `about` says more than its head. */
function listed(facts, head, about, ...actions) {
  const data = Object.entries(facts).map(([name, value]) => [`data-${name}`, String(value)]);
  return el(
    "li",
    { class: "device", ...Object.fromEntries(data) },
    head,
    el("span", { class: "small muted" }, about),
    el("div", { class: "row apart" }, el("span", { class: "mono muted wrap" }, facts.id), ...actions),
  );
}

onRefresh(
  "devices-notice",
  () => call("GET", "/auth/mfa/devices", undefined, { quiet: true }),
  (devices) => {
    state.devices = devices;
    list("devices", devices, ({ id, deviceName, verified, createdAt, lastUsedAt }) =>
      listed(
        { id, verified },
        el(
          "div",
          { class: "row apart" },
          el("b", {}, deviceName),
          el("span", { class: "small muted" }, verified ? "confirmed" : "not confirmed yet"),
        ),
        `Created ${moment(createdAt)}, ${lastUsedAt ? `last used ${moment(lastUsedAt)}` : "never used"}`,
        ...renaming(id, deviceName),
        ...removal("Remove", id, deviceName, remove),
      ),
    );
    const chosen = $("verify-device").value;
    $("verify-device").replaceChildren(
      el("option", { value: "" }, "Any of them"),
      ...devices
        .filter((device) => device.verified)
        .map((device) => el("option", { value: device.id }, device.deviceName)),
    );
    $("verify-device").value = [...$("verify-device").options].some((option) => option.value === chosen) ? chosen : "";
  },
);

/** A button, and the question that replaces it. The focus moves to "Keep"; Escape means "Keep". */
function removal(verb, id, name, run) {
  const word = verb.toLowerCase();
  const ask = el(
    "button",
    {
      type: "button",
      class: `text ${word}-device`,
      id: `${word}-${id}`,
      "aria-label": `${verb} ${name}`,
      onclick: () => turnTo(true),
    },
    verb,
  );
  const keep = el("button", { type: "button", id: `keep-${id}`, onclick: () => turnTo(false) }, "Keep");
  const confirm = el(
    "button",
    { type: "button", class: "danger", id: `confirm-${word}-${id}`, onclick: () => run(id) },
    verb,
  );
  const question = el(
    "div",
    { class: "row", role: "group", "aria-label": `${verb} ${name} for good?`, hidden: true },
    el("span", { class: "small" }, `${verb} it for good?`),
    confirm,
    keep,
  );
  const turnTo = (asked) => {
    ask.hidden = asked;
    question.hidden = !asked;
    (asked ? keep : ask).focus();
  };
  question.addEventListener("keydown", (event) => {
    if (event.key === "Escape") turnTo(false);
  });
  return [ask, question];
}

/** A button, and the field that replaces it. Enter saves; Escape keeps the name. */
function renaming(id, name) {
  const ask = el(
    "button",
    {
      type: "button",
      class: "text rename-device",
      id: `rename-${id}`,
      "aria-label": `Rename ${name}`,
      onclick: () => turnTo(true),
    },
    "Rename",
  );
  const field = el("input", { id: `name-${id}`, value: name, "aria-label": `New name of ${name}` });
  const keep = el("button", { type: "button", id: `keep-name-${id}`, onclick: () => turnTo(false) }, "Keep");
  const form = el("form", { class: "row", hidden: true }, field, el("button", { id: `save-name-${id}` }, "Save"), keep);
  const turnTo = (asked) => {
    ask.hidden = asked;
    form.hidden = !asked;
    (asked ? field : ask).focus();
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    rename(id, field.value);
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") turnTo(false);
  });
  return [ask, form];
}

/** Refreshes, then restores the focus: the new list no longer has the button that was pressed. */
const refreshAndFocus = (button, list) => async () => {
  await refresh();
  if (document.activeElement === document.body) ($(button) ?? $(list)).focus();
};

const rename = (id, deviceName) =>
  perform(
    $("devices"),
    "remove-notice",
    async () => outcome(await call("PATCH", `/auth/mfa/devices/${encodeURIComponent(id)}`, { deviceName })),
    refreshAndFocus(`rename-${id}`, "devices"),
  );

const remove = (id) =>
  perform(
    $("devices"),
    "remove-notice",
    async () => {
      const reply = await call("DELETE", `/auth/mfa/devices/${encodeURIComponent(id)}`);
      if (state.setup?.deviceId === id) forgetSetup();
      return outcome(reply);
    },
    refreshAndFocus(`remove-${id}`, "devices"),
  );

// ── Codes of an authenticator (RFC 6238: SHA-1, 6 digits, 30 s) ─────────────────────────────────────────────────────

const stepAt = (unix) => Math.floor(unix / 30);

async function totp(secret, step) {
  if (!globalThis.crypto?.subtle)
    throw new Problem(0, { message: "The browser computes codes only on 127.0.0.1, localhost or https." });
  let bits = "";
  for (const letter of secret.toUpperCase().replace(/[\s=]/g, ""))
    bits += "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0");
  const bytes = Uint8Array.from(bits.match(/.{8}/g), (byte) => parseInt(byte, 2));
  const counter = new DataView(new ArrayBuffer(8));
  counter.setBigUint64(0, BigInt(step));
  const key = await crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-1" }, false, ["sign"]);
  const mac = new DataView(await crypto.subtle.sign("HMAC", key, counter.buffer));
  const number = mac.getUint32(mac.getUint8(19) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

/** Fills `field` with the current code of the device from `choose(step)`. Says if it was used. */
async function compute(field, notice, choose) {
  const now = await clock.sync();
  const step = stepAt(now);
  const device = choose(step);
  if (!device)
    return {
      text: "This page doesn't hold the secret. It knows only devices that you set up and confirmed here since you loaded it.",
    };
  $(field).value = await totp(device.secret, step);
  const next = (step + 1) * 30;
  if (step > device.lastStep)
    return { text: "This is the current code.", extras: [countdown("next code in", next, "the next code is due")] };
  const move = el(
    "button",
    {
      type: "button",
      class: "text",
      onclick: () =>
        perform($(field), notice, async () => {
          await clock.advance(30);
          return compute(field, notice, choose);
        }),
    },
    "Move the clock 30 s",
  );
  return {
    text: "This code was already used, and a code works only once. Wait for the next code, or move the clock 30 s.",
    extras: [countdown("next code in", next, "the next code is due"), ...(clock.adjustable ? [move] : [])],
  };
}

// The bundle accepts the steps T-1, T and T+1. The step of the accepted code and all earlier ones
// are used now.
async function markUsed(devices, code) {
  const now = stepAt(clock.now());
  for (const device of devices) {
    for (const step of [now - 1, now, now + 1]) {
      if ((await totp(device.secret, step).catch(() => null)) === code)
        device.lastStep = Math.max(device.lastStep, step);
    }
  }
}

// ── Set up an authenticator ─────────────────────────────────────────────────────────────────────────────────────────

async function setUp(fields) {
  const reply = await call("POST", "/auth/mfa/setup-totp", fields);
  const { secret, qrCode, otpAuthUrl, issuer, account, deviceId, expiresIn } = reply.body;
  state.setup = { sub: state.sub, deviceId, secret, issuer, account, lastStep: -1 };
  state.known.push(state.setup);
  if (String(qrCode).startsWith("data:image/png;base64,")) $("qr").src = qrCode;
  $("secret").replaceChildren(...secret.match(/.{1,4}/g).map((group) => el("span", {}, group)));
  $("otpauth").textContent = otpAuthUrl;
  $("setup-about").textContent = `${issuer}, account ${account}.`;
  const timer = expiresIn
    ? countdown("Confirm within", clock.now() + expiresIn, "This set-up has expired. Set up again.")
    : "";
  $("setup-timer").replaceWith(el("span", { id: "setup-timer" }, timer));
  $("setup-code").value = "";
  clear("setup-code-notice");
  clear("confirm-notice");
  $("setup-reply").hidden = false;
  return reply;
}

action("setup-form", "setup-notice", async () => {
  const { status } = await setUp(filled({ deviceName: $("device-name").value, label: $("device-label").value }));
  return { status, text: "Scan the QR code or copy the secret, then confirm with a code." };
});

// A camera needs sharp and even modules. A small picture is enlarged without smoothing, which keeps
// them sharp. A large one is reduced with smoothing, which keeps them even.
$("qr").addEventListener("load", () => $("qr").classList.toggle("small-picture", $("qr").naturalWidth < 160));
wireCopy($("copy-secret"), () => state.setup.secret);
wireCopy($("copy-otpauth"), () => $("otpauth").textContent);
$("compute-setup-code").addEventListener("click", () =>
  perform(
    $("setup-code"),
    "setup-code-notice",
    () => compute("setup-code", "setup-code-notice", () => state.setup),
    null,
  ),
);

async function confirmSetUp(otp) {
  const reply = await call("POST", "/auth/mfa/verify-totp-setup", { otp, secret: state.setup.secret });
  await markUsed([state.setup], otp);
  state.setup.confirmed = true;
  clear("setup-code-notice");
  $("setup-timer").replaceWith(el("span", { id: "setup-timer" }, "Confirmed."));
  return outcome(reply, withTokens(reply));
}

action("confirm-form", "confirm-notice", () => confirmSetUp($("setup-code").value));

// ── Turn MFA on or off ──────────────────────────────────────────────────────────────────────────────────────────────

async function toggle(enabled) {
  const reply = await call("POST", "/auth/mfa/toggle", { enabled });
  return outcome(reply, withTokens(reply));
}

action("toggle-form", "toggle-notice", (button) => toggle(button.value === "true"));

// ── Recovery codes ──────────────────────────────────────────────────────────────────────────────────────────────────

function showRecovery(codes) {
  state.recovery = codes.map((code) => ({ code, used: false }));
  $("recovery-codes").replaceChildren(...codes.map((code) => el("li", {}, code)));
  $("recovery-reply").hidden = $("take-recovery").hidden = codes.length === 0;
}

// Reads a recovery code as the bundle does: ignores separators and case, and takes look-alike
// letters for digits.
const plainCode = (code) => code.toUpperCase().replace(/[ -]/g, "").replace(/O/g, "0").replace(/[IL]/g, "1");

function markRecoveryUsed(typed) {
  const place = state.recovery.findIndex(({ code }) => plainCode(code) === plainCode(typed));
  if (place < 0) return;
  state.recovery[place].used = $("recovery-codes").children[place].dataset.used = true;
  $("take-recovery").hidden = state.recovery.every(({ used }) => used);
}

async function generateRecovery() {
  const reply = await call("POST", "/auth/mfa/generate-recovery-code");
  showRecovery(reply.body.codes);
  return outcome(reply, `${reply.body.codes.length} new codes. Earlier codes no longer work.`);
}

action("recovery-form", "recovery-notice", generateRecovery);

wireCopy($("copy-recovery"), () => state.recovery.map(({ code }) => code).join("\n"));
$("forget-recovery").addEventListener("click", () => {
  showRecovery([]);
  $("generate-recovery").focus();
});
$("take-recovery").addEventListener("click", () => {
  $("recovery-code").value = state.recovery.find(({ used }) => !used).code;
});

async function useRecovery(code, trustDevice) {
  const reply = await call("POST", "/auth/mfa/verify-recovery-code", { code, ...(trustDevice && { trustDevice }) });
  markRecoveryUsed(code);
  $("recovery-code").value = "";
  showVerified(reply.body);
  const left = reply.body.recoveryCodesLeft;
  return outcome(
    reply,
    `${reply.body.message}, ${left} ${left === 1 ? "code" : "codes"} left. Calls now carry the verified token. Its claims are under Verify.`,
  );
}

action("use-recovery-form", "use-recovery-notice", () =>
  useRecovery($("recovery-code").value, $("recovery-trust-device").checked),
);

action("reset-form", "reset-notice", async () => {
  const reply = await call("POST", "/auth/mfa/reset-totp", { code: $("recovery-code").value });
  $("recovery-code").value = "";
  forgetSetup();
  showRecovery([]);
  return outcome(reply);
});

// ── Send a code, and where it arrives ───────────────────────────────────────────────────────────────────────────────

const CODE_FROM = { totp: "from the authenticator", email: "from the e-mail", sms: "from the SMS" };
const method = () => document.querySelector("[name=method]:checked").value;

function chooseMethod(name) {
  $(`method-${name}`).checked = true;
  put($("code-method"), CODE_FROM[name]);
  for (const id of ["method-hint", "verify-device-field", "compute-code"]) $(id).hidden = name !== "totp";
  clear("code-notice");
}
$("method").addEventListener("change", () => chooseMethod(method()));
chooseMethod("totp");

async function sendCode(by) {
  const { status, body } = await call("POST", "/auth/mfa/challenge", { method: by });
  const now = clock.now();
  await readInbox().catch(() => {});
  return {
    status,
    text: body.destination ? `${body.message}: ${body.destination}` : body.message,
    extras: [
      body.expiresIn ? countdown("valid for", now + body.expiresIn, "code expired") : "",
      body.resendAfter ? countdown("next send in", now + body.resendAfter, "another code may be sent") : "",
    ],
  };
}

action("challenge-form", "send-notice", () => sendCode(method()));

// ── Verify ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const usable = () =>
  state.known.filter(
    (known) =>
      known.sub === state.sub && state.devices.some((device) => device.verified && device.id === known.deviceId),
  );

$("compute-code").addEventListener("click", () =>
  perform(
    $("code"),
    "code-notice",
    () =>
      compute("code", "code-notice", (step) => {
        const wanted = $("verify-device").value;
        const found = usable().filter((known) => !wanted || known.deviceId === wanted);
        return found.find((known) => known.lastStep < step) ?? found[0];
      }),
    null,
  ),
);

function showVerified({ accessToken, refreshToken, trustToken }) {
  state.tokens.verified = accessToken;
  use("verified");
  holdSession({ next: refreshToken });
  if (trustToken) state.trust[state.sub] = trustToken;
  showTrust();
  $("verified-tokens").replaceChildren(
    el("h3", {}, "Verified token"),
    copyButton("the access token", accessToken),
    ...(refreshToken ? [copyButton("the refresh token", refreshToken)] : []),
    ...(trustToken ? [copyButton("the trust token", trustToken)] : []),
  );
  $("verified-claims").replaceChildren(
    claimsList(accessToken, claimsOf(state.tokens.login)),
    el("p", { class: "small muted" }, "Claims marked with + are new, or differ from the login token."),
  );
  $("verified").hidden = false;
}

// Where logins share a name, the tokens of a set-up are what tells this login from others. A client
// must use the tokens of every answer that has them.
function withTokens({ body }) {
  if (!body.accessToken) return body.message;
  showVerified(body);
  return `${body.message}. Calls now carry the verified token.`;
}

async function verify(by, otp, { trustDevice = false, deviceId = "" } = {}) {
  const reply = await call("POST", "/auth/mfa/verify", {
    method: by,
    otp,
    ...(trustDevice && { trustDevice }),
    ...filled({ deviceId }),
  });
  if (by === "totp") await markUsed(usable(), otp);
  clear("code-notice");
  return outcome(reply, withTokens(reply));
}

action("verify-form", "verify-notice", () => {
  const by = method();
  const deviceId = by === "totp" ? $("verify-device").value : "";
  return verify(by, $("code").value, { trustDevice: $("trust-device").checked, deviceId });
});

// ── Stay signed in ──────────────────────────────────────────────────────────────────────────────────────────────────

function holdSession(session) {
  state.session = session;
  if (!session?.last) clear("session-notice");
  $("refresh-session").disabled = !session;
  $("repeat-refresh").disabled = !session?.last;
  $("session").hidden = !session?.last;
}

/** Sends a refresh token: the next one, or the one that was sent last. */
async function refreshSession(sent) {
  const { next } = state.session;
  const before = claimsOf(state.tokens.verified);
  // Sent without a bearer token, which may have expired.
  const { status, body } = await call("POST", "/auth/refresh-token", { refreshToken: sent }, { token: null });
  state.tokens.verified = body.accessToken;
  use("verified");
  holdSession({ next: body.refreshToken, last: sent });
  $("session-tokens").replaceChildren(
    el("h3", {}, "New tokens"),
    copyButton("the access token", body.accessToken),
    copyButton("the refresh token", body.refreshToken),
  );
  $("session-claims").replaceChildren(
    claimsList(body.accessToken, before),
    el("p", { class: "small muted" }, "Claims marked with + are new, or differ from the previous verified token."),
  );
  const same = body.refreshToken === next;
  return {
    status,
    text: `${same ? "The same refresh token again" : "A new refresh token"}, and a new access token. Calls now carry the new access token.`,
  };
}

action("session-form", "session-notice", (button) =>
  refreshSession(button.value === "again" ? state.session.last : state.session.next),
);

// Not requested with the login token, as the trusted devices below.
const listSessions = () =>
  state.use === "verified" ? call("GET", "/auth/mfa/sessions", undefined, { quiet: true }) : { body: null };

onRefresh("sessions-notice", listSessions, (sessions) =>
  list("sessions", sessions, ({ id, current, label, createdAt, method, lastUsedAt, expiresAt }) =>
    listed(
      { id, current },
      el("b", {}, current ? `${label} (this session)` : label),
      `Opened ${moment(createdAt)} by ${method}, ${lastUsedAt ? `last used ${moment(lastUsedAt)}` : "never refreshed"}, until ${moment(expiresAt)}`,
      ...removal("End", id, label, endSession),
    ),
  ),
);

const endSession = (id) =>
  perform(
    $("sessions"),
    "end-notice",
    () => endSessions(encodeURIComponent(id)),
    refreshAndFocus(`end-${id}`, "sessions"),
  );

async function endSessions(which) {
  return outcome(await call("DELETE", `/auth/mfa/sessions/${which}`));
}

action("end-sessions-form", "end-notice", (button) => endSessions(button.value));

// ── Trusted devices ─────────────────────────────────────────────────────────────────────────────────────────────────

function showTrust() {
  const held = state.trust[state.sub] !== undefined;
  $("use-trust").disabled = !held;
  put(
    $("trust-about"),
    held
      ? `This page holds a trust token of ${state.sub}. It replaces the code at later logins.`
      : "Tick “Trust this device” when you verify. This page then holds a trust token, which replaces the code at later logins.",
  );
}
showTrust();

async function signInByTrust() {
  await signIn(state.login);
  const headers = { nest_auth_device_trust: state.trust[state.sub] };
  const { status, body } = await call("POST", "/auth/mfa/verify-trusted-device", undefined, { headers });
  showVerified(body);
  return { status, text: `${body.message}. Calls now carry the verified token. Its claims are under Verify.` };
}

action("trust-form", "trust-notice", signInByTrust);

// Not requested with the login token: while MFA is on, the bundle refuses that, and the refusal
// would show after every action.
const listTrusted = () =>
  state.use === "verified" ? call("GET", "/auth/mfa/trusted-devices", undefined, { quiet: true }) : { body: null };

onRefresh("trusted-notice", listTrusted, (devices) =>
  list("trusted-devices", devices, ({ id, label, createdAt, lastUsedAt, expiresAt }) =>
    listed(
      { id },
      el("b", {}, label),
      `Trusted ${moment(createdAt)}, ${lastUsedAt ? `last used ${moment(lastUsedAt)}` : "never used"}, until ${moment(expiresAt)}`,
      ...removal("Revoke", id, label, revoke),
    ),
  ),
);

const revoke = (id) =>
  perform(
    $("trusted-devices"),
    "revoke-notice",
    async () => outcome(await call("DELETE", `/auth/mfa/trusted-devices/${encodeURIComponent(id)}`)),
    refreshAndFocus(`revoke-${id}`, "trusted-devices"),
  );

// ── The screens: the phone and the mailbox ──────────────────────────────────────────────────────────────────────────

const nameOf = (sub) => SUGGESTED.find((user) => user.sub === sub)?.name ?? sub;

/** Points at one of the screens, and turns to it where there is room for one alone. */
function look(screen) {
  for (const part of document.querySelectorAll("[data-look]")) delete part.dataset.look;
  $(screen).dataset.look = "";
  const choice = $(`screen-${screen}`);
  if (choice) choice.checked = true;
}

/** The authenticators on the phone: those that count, and the one that is being set up. */
const onPhone = () => [...usable(), ...(state.setup && !state.setup.confirmed ? [state.setup] : [])];

let phoneShown;
async function tickPhone(now) {
  const step = stepAt(now);
  const accounts = onPhone();
  const known = accounts.map(({ deviceId, lastStep, confirmed }) => [
    deviceId,
    lastStep,
    confirmed,
    deviceName(deviceId),
  ]);
  const shown = JSON.stringify([state.sub, step, known]);
  put($("phone-time"), moment(now).slice(11, 16));
  $("accounts").style.setProperty("--p", Math.floor(now % 30) / 30);
  if (shown === phoneShown) return;
  phoneShown = shown;
  const views = await Promise.all(accounts.map((account) => accountView(account, step)));
  if (shown !== phoneShown) return; // something newer is shown already
  put($("h-phone"), state.sub === null ? "Phone" : `Phone of ${nameOf(state.sub)}`);
  const none = state.sub === null ? "Nobody has signed in yet." : "This phone has no authenticator yet.";
  $("accounts").replaceChildren(...(views.length ? views : [el("li", { class: "small muted" }, none)]));
}

const deviceName = (id) => state.devices.find((device) => device.id === id)?.deviceName;

async function accountView({ deviceId, secret, issuer, account, lastStep, confirmed }, step) {
  const code = await totp(secret, step).catch(() => "––––––");
  const used = lastStep >= step;
  const hint = !confirmed ? "Not confirmed yet." : used ? "Used. A new one comes with the next half minute." : "";
  return el(
    "li",
    { "data-device": deviceId, "data-used": String(used) },
    el("span", { class: "wrap" }, el("b", {}, issuer), " ", el("span", { class: "muted small" }, account)),
    el("span", { class: "otp" }, `${code.slice(0, 3)} ${code.slice(3)}`),
    el("div", { class: "step-gauge", "aria-hidden": "true" }),
    hint ? el("span", { class: "muted small" }, hint) : null,
  );
}

const messages = new Map(); // the elements shown, kept so that an open message stays open when others arrive

function useCodeButton(message) {
  return el(
    "button",
    {
      type: "button",
      class: "use-code",
      onclick: () => {
        chooseMethod(message.channel);
        $("code").value = message.code;
        $("code").focus();
      },
    },
    "Use this code",
  );
}

const aboutMessage = ({ id, channel, to, code }) => ({
  class: "message",
  "data-id": id,
  "data-channel": channel,
  "data-to": to,
  "data-code": code,
});

function textView(message) {
  return el(
    "li",
    aboutMessage(message),
    el("p", { class: "wrap" }, message.text),
    el(
      "div",
      { class: "row apart" },
      el("span", { class: "muted small" }, moment(message.at).slice(11, 16)),
      message.code ? useCodeButton(message) : null,
    ),
  );
}

function mailView(message) {
  const head = el(
    "button",
    {
      type: "button",
      class: "mail-head show-mail",
      "aria-expanded": "false",
      onclick: () => openMail(view, body.hidden),
    },
    el("b", {}, message.subject ?? "(no subject)"),
    el("span", { class: "muted small" }, moment(message.at).slice(11, 16)),
    el("span", { class: "muted small wrap" }, `to ${message.to}`),
  );
  const body = el(
    "div",
    { class: "mail-body", hidden: true },
    el("details", {}, el("summary", {}, "As plain text"), el("pre", {}, message.text)),
    message.code ? el("div", { class: "row" }, useCodeButton(message)) : null,
  );
  const view = el("li", aboutMessage(message), head, body);
  return view;
}

/** Opens a mail and closes the others, or closes it. A mail is loaded when it is first opened. */
function openMail(view, open) {
  for (const mail of $("inbox").children) {
    const shown = mail === view && open;
    mail.querySelector(".mail-body").hidden = !shown;
    mail.querySelector(".mail-head").setAttribute("aria-expanded", String(shown));
  }
  const body = view.querySelector(".mail-body");
  if (!open || body.querySelector("iframe")) return;
  const { id, to } = view.dataset;
  body.prepend(el("iframe", { sandbox: "", tabindex: "0", src: `/__local/inbox/${id}`, title: `E-mail to ${to}` }));
}

async function readInbox() {
  const { body } = await call("GET", "/__local/inbox", undefined, { quiet: true, token: null });
  const key = (message) => `${message.id} ${message.at}`; // the time too, because a restarted server counts from 1 again
  const present = new Set(body.map(key));
  for (const [gone, view] of messages)
    if (!present.has(gone)) {
      view.remove();
      messages.delete(gone);
    }
  let newest;
  for (const message of body.filter((message) => !messages.has(key(message)))) {
    const isText = message.channel === "sms";
    const view = isText ? textView(message) : mailView(message);
    messages.set(key(message), view);
    $(isText ? "texts" : "inbox").prepend(view);
    // A notice must not hide the code that somebody waits for.
    if (message.code && !isText) newest = view;
  }
  if (newest) openMail(newest, true);
  const mails = $("inbox").children.length;
  put($("inbox-count"), mails ? `${mails} ${mails === 1 ? "message" : "messages"}` : "");
}

action("inbox-form", "inbox-notice", async () => {
  await call("DELETE", "/__local/inbox", undefined, { token: null });
  await readInbox();
});

// ── What the application is told ────────────────────────────────────────────────────────────────────────────────────

/** What an application says of an event. */
const TOLD = {
  "mfa.on": "MFA was switched on.",
  "mfa.off": "MFA was switched off, so the application ends its own sessions of this user.",
  "mfa.reset": "A recovery code took every factor away, so the application ends its own sessions of this user.",
  "authenticator.added": "An authenticator app or passkey was added.",
  "authenticator.activated": "An authenticator app or passkey is active again.",
  "authenticator.removed": "An authenticator app or passkey was removed.",
  "passkey.suspected": "The answer of a passkey was refused: somebody may have a copy of it.",
  "recovery_codes.made": "Recovery codes were made.",
  "recovery_code.used": "A recovery code was used.",
  "recovery_codes.low": "A recovery code was used, and few are left.",
  "address.proven": "An address was proven.",
  "codes.locked": "Codes are locked after too many wrong ones.",
  "codes.off": "Codes are switched off after too many wrong ones.",
  "refresh_token.reused": "A used refresh token came back, and its session ended.",
  "sessions.ended": "Sessions were ended.",
  "operator.changed": "An operator changed the user.",
};

const shownEvents = new Map();

/** The user's “no”: what an application does then, with the token of a fresh second factor. */
const deny = () =>
  perform($("feed"), "feed-notice", async () => outcome(await call("DELETE", "/auth/mfa/sessions/others")));

function eventView({ "detail-type": type, detail }) {
  const text = el("span", { class: "event-text" }, `${when(detail.time)} ${TOLD[type] ?? type} `);
  const no = el("button", { type: "button", class: "text deny-event", onclick: deny }, "This was not me");
  const raw = el("details", {}, el("summary", {}, type), el("pre", {}, JSON.stringify(detail, null, 2)));
  return el("li", { "data-type": type, "data-user": detail.userId }, text, no, raw);
}

async function readFeed() {
  const { body } = await call("GET", "/__local/events", undefined, { quiet: true, token: null });
  const key = ({ detail }) => detail.id;
  const present = new Set(body.map(key));
  for (const [gone, view] of shownEvents)
    if (!present.has(gone)) {
      view.remove();
      shownEvents.delete(gone);
    }
  for (const event of body.filter((event) => !shownEvents.has(key(event)))) {
    const view = eventView(event);
    shownEvents.set(key(event), view);
    $("feed").prepend(view);
  }
}

// ── The ledger ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Wrong codes in a row before the first lock. */
const BEFORE_LOCK = 5;

const pips = (filled, of) => Array.from({ length: of }, (_, n) => el("i", { "data-on": String(n < filled) }));
const short = (hash) => `${hash.slice(0, 8)}…`;
/** A moment, without the date if that is today's. */
const when = (time) => {
  const [day, hour] = moment(time).split(" ");
  return moment(clock.now()).startsWith(day) ? hour : `${day} ${hour.slice(0, 5)}`;
};
const lastUsed = (at, time) => (at ? `last used ${time(at)}` : "never used");

/** What the ledger says, in lines: each a text, perhaps with a row of pips or a countdown. `time` writes a moment. */
function factsOf(view, time) {
  const { wrongCodes, recoveryCodes, lockedUntil } = view;
  const unforgiven = wrongCodes.unforgiven ? `, ${wrongCodes.unforgiven} not forgiven yet` : "";
  const unix = (text) => Date.parse(text) / 1000;
  return Object.entries({
    MFA: [view.isEnabled ? "on" : "off"],
    "Wrong codes": [{ pips: wrongCodes.inARow, text: `${wrongCodes.inARow} in a row${unforgiven}` }],
    Lock: [lockedUntil ? { text: `until ${time(lockedUntil)}`, until: unix(lockedUntil) } : "none"],
    Authenticators: view.authenticators.map(
      ({ name, state, lastUsedAt }) =>
        `${name}: ${state === "set-up" ? "not confirmed" : state}, ${lastUsed(lastUsedAt, time)}, secret sealed`,
    ),
    "Recovery codes": recoveryCodes ? [`${recoveryCodes.left} of 10 left, as hashes`] : [],
    Addresses: view.addresses.map(
      ({ method, hash, isProven, isRefused }) =>
        `${method === "sms" ? "phone" : "e-mail"} ${short(hash)}: ${isRefused ? "refused" : isProven ? "proven" : "not proven"}`,
    ),
    "Codes sent": [
      ...view.outstandingCodes.map(({ until }) => ({ text: "one waits, as a hash", until: unix(until) })),
      ...(view.sends.length ? [`${view.sends.length} in the last hour`] : []),
      ...(view.refundedSends.length ? [`${view.refundedSends.length} given back, because nothing was sent`] : []),
    ],
    Sessions: view.sessions.map(({ label, method, until }) => `${label}, by ${method}, until ${time(until)}`),
    "Trusted devices": view.trustedDevices.map(
      ({ label, until, lastUsedAt }) => `${label}, until ${time(until)}, ${lastUsed(lastUsedAt, time)}`,
    ),
    "Right codes": view.recentLogins.map(({ login, method, at }) => `by ${method}, login ${short(login)}, ${time(at)}`),
    Networks: view.networks.map(({ hash, usedAt }) => `${short(hash)}, ${lastUsed(usedAt, time)}`),
    Epoch: [String(view.securityEpoch)],
    Version: [String(view.version)],
  });
}

const ledger = { of: null, facts: new Map(), shown: null, items: null };

function lineView(line) {
  if (typeof line === "string") return el("dd", {}, line);
  const left = line.until ? [" ", countdown("· ends in", line.until, "· over")] : [];
  const row =
    line.pips === undefined
      ? []
      : [el("span", { class: "pips", "aria-hidden": "true" }, ...pips(line.pips, BEFORE_LOCK)), " "];
  return el(
    "dd",
    {},
    ...row,
    line.text,
    ...left.map((part) => (typeof part === "string" ? part : el("span", { class: "muted" }, part))),
  );
}

/** Shows what the table holds, and marks what changed since it was last shown. */
function showLedger(sub, view) {
  const facts = view ? factsOf(view, when) : [];
  const shown = JSON.stringify([sub, facts]);
  if (shown !== ledger.shown) {
    // Compared with whole moments: what is left out of today's is no change of the ledger.
    const exact = view ? factsOf(view, moment) : [];
    const now = new Map(exact.map(([name, lines]) => [name, JSON.stringify(lines)]));
    const before = sub === ledger.of ? ledger.facts : new Map();
    Object.assign(ledger, { of: sub, shown, facts: now });
    put($("ledger-of"), `of ${nameOf(sub)}`);
    const isNew = (name) => before.size > 0 && before.get(name) !== now.get(name);
    const nothing = ["Nothing", [`The table knows no ${nameOf(sub)} yet.`]];
    $("ledger-facts").replaceChildren(
      ...(view ? facts : [nothing]).map(([name, lines]) => factView(name, lines, isNew(name))),
    );
    tick();
  }
  const items = JSON.stringify(view?.items ?? []);
  if (items === ledger.items) return;
  ledger.items = items;
  $("ledger-stored").hidden = !view;
  $("ledger-items").replaceChildren(
    ...(view?.items ?? []).map(({ sortKey, attributes }) =>
      el("div", {}, el("h3", { class: "mono wrap" }, sortKey), el("pre", {}, pretty(attributes))),
    ),
  );
}

function factView(name, lines, isNew) {
  const shown = lines.length ? lines.map(lineView) : [el("dd", { class: "muted" }, "none")];
  return el("div", { "data-fact": name, "data-new": String(isNew) }, el("dt", {}, name), ...shown);
}

let ledgerReads = 0;
let ledgerShown = 0; // the number of the read that is shown

async function readLedger() {
  const sub = state.sub;
  if (sub === null) return;
  ledgerReads += 1;
  const mine = ledgerReads;
  const path = `/__local/ledger/${encodeURIComponent(sub)}`;
  const { body } = await call("GET", path, undefined, { quiet: true, token: null });
  if (sub !== state.sub || mine < ledgerShown) return; // of somebody else, or older than what is shown
  ledgerShown = mine;
  showLedger(sub, body);
}

// ── What if: providers in trouble, and time ─────────────────────────────────────────────────────────────────────────

const TROUBLES = {
  ses: {
    field: "sesIsDown",
    method: "email",
    begins: "SES takes no mail now.",
    ends: "SES takes mail again.",
    screen: "mailbox",
  },
  sns: {
    field: "snsThrottles",
    method: "sms",
    begins: "SNS takes no text message now.",
    ends: "SNS takes text messages again.",
    screen: "phone",
  },
};

function showTroubles(troubles) {
  for (const [name, { field }] of Object.entries(TROUBLES)) {
    $(`switch-${name}`).setAttribute("aria-checked", String(troubles[field] === true));
    $(`switch-${name}`).disabled = troubles[field] === null; // another service than the inbox is in use
  }
}

const isOn = (id) => $(id).getAttribute("aria-checked") === "true";

for (const [name, { field, method, begins, ends, screen }] of Object.entries(TROUBLES)) {
  $(`switch-${name}`).addEventListener("click", () =>
    perform($("switches"), "switch-notice", async () => {
      const { body } = await call("POST", "/__local/troubles", { [field]: !isOn(`switch-${name}`) }, { token: null });
      showTroubles(body);
      const send = () =>
        perform(
          $("switches"),
          "switch-notice",
          prepared(mayReceive, () => {
            look(screen);
            return sendNow(method);
          }),
        );
      return {
        text: body[field] ? begins : ends,
        extras: [el("button", { type: "button", id: "try-sending", onclick: send }, "Send a code now")],
      };
    }),
  );
}

$("day-passes").addEventListener("click", () =>
  perform($("switches"), "switch-notice", async () => {
    await clock.advance(86_400);
    look("ledger");
    return {
      text: "It is tomorrow. Tokens and sessions have ended, trusted devices go on, and one wrong code is forgiven.",
    };
  }),
);

const ANEW = "mfa-started-anew";

// What the page knows is of a world that is gone. Loading it again forgets all of it.
$("start-anew").addEventListener("click", () =>
  perform(
    $("switches"),
    "switch-notice",
    async () => {
      await call("POST", "/__local/start-anew", {}, { token: null });
      sessionStorage.clear();
      sessionStorage.setItem(ANEW, "");
      location.reload();
    },
    null,
  ),
);

// ── What if: a thousand guesses at once ─────────────────────────────────────────────────────────────────────────────

const GUESSES = 1000;
const isCalm = matchMedia("(prefers-reduced-motion: reduce)");
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, isCalm.matches ? 0 : ms));

async function* linesOf(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const lines = (rest + part.value).split("\n");
    rest = lines.pop();
    yield* lines.filter((line) => line);
  }
}

/** Has the server guess in the name of whoever knows the password, and shows each answer. */
async function guess() {
  const token = state.attacker ?? state.tokens.login;
  const which = holderOf(token);
  const body = { method: usable().length ? "totp" : "email", count: GUESSES };
  const headers = { authorization: `Bearer ${await renewed(token)}`, "content-type": "application/json" };
  const dots = Array.from({ length: GUESSES }, () => el("i"));
  const seen = { judged: 0, refused: 0, right: 0 };
  const kinds = { judged: "bad", refused: "shut", right: "good" };
  const answers = {};
  clear("guess-notice");
  $("guess-dots").replaceChildren(...dots);
  $("guess-board").hidden = false;
  $("guess-board").scrollIntoView({ block: "nearest" });
  let locked = false;
  const show = () => {
    for (const [name, count] of Object.entries(seen)) put($(`guess-${name}`), String(count));
    $("guess-pips").replaceChildren(...pips(seen.judged, BEFORE_LOCK));
    put($("guess-count"), `${seen.judged} counted${locked ? ": the account is locked" : ""}`);
  };
  show();

  const sent = { method: "POST", path: "/__local/guesses", body, headers, which, at: moment(clock.now()) };
  const started = performance.now();
  const answer = await fetch(sent.path, { method: "POST", headers, body: JSON.stringify(body), cache: "no-store" });
  if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => null), answer.headers);
  let got = 0;
  for await (const line of linesOf(answer.body)) {
    const { status, code, attemptsLeft } = JSON.parse(line);
    const kind = status === 200 ? "right" : typeof attemptsLeft === "number" ? "judged" : "refused";
    const name = code ? `${status} ${code}` : String(status);
    answers[name] = (answers[name] ?? 0) + 1;
    seen[kind] += 1;
    dots[got].dataset.kind = kinds[kind];
    got += 1;
    // Answers arrive in any order: not the last one tells that nothing is left.
    locked ||= attemptsLeft === 0;
    show();
    // The eye must be able to follow what is counted.
    if (kind === "judged") await pause(300);
    else if (got % 25 === 0) await pause(8);
  }
  log(sent, { status: answer.status, headers: answer.headers, body: answers, ms: performance.now() - started });
  const failed = Object.entries(answers).reduce((sum, [name, count]) => sum + (name >= "500" ? count : 0), 0);
  const others = seen.right ? `${seen.right} was right, and the others` : "The others";
  const text = [
    `${seen.judged} of ${got.toLocaleString("en")} guesses were judged.`,
    `${others} were refused without a look.`,
    ...(failed ? [`${failed} got no answer in time.`] : []),
    ...(seen.judged === 0 ? ["The account was locked already."] : []),
    ...(locked && seen.judged < BEFORE_LOCK ? ["For a day after a lock, one wrong code locks again."] : []),
  ].join(" ");
  say("guess-notice", { text });
  return { text };
}

const guessAt = () =>
  prepared(withMfaOn, () => {
    look("ledger");
    return guess();
  });
$("guesses").addEventListener("click", () => perform($("switches"), "switch-notice", guessAt()));
$("close-guesses").addEventListener("click", () => {
  $("guess-board").hidden = true;
  $("guesses").focus();
});

// ── What if: another login with the password ────────────────────────────────────────────────────────────────────────

const NEEDS_A_CODE = "Refused. It takes a code of the last 15 minutes.";

/** What somebody with the password tries. `told` is said of an answer that is no refusal. */
const attempts = () => [
  {
    id: "status",
    what: "See whether MFA is on",
    path: "/auth/mfa/status",
    told: () => "They see that, and the methods.",
  },
  {
    id: "devices",
    what: "List the authenticators",
    path: "/auth/mfa/devices",
    told: () => "They see names, and no secret.",
  },
  { id: "off", what: "Turn MFA off", method: "POST", path: "/auth/mfa/toggle", body: { enabled: false } },
  { id: "add", what: "Add an authenticator of their own", method: "POST", path: "/auth/mfa/setup-totp", body: {} },
  {
    id: "remove",
    what: "Remove the authenticator",
    method: "DELETE",
    path: `/auth/mfa/devices/${state.devices[0]?.id}`,
  },
  { id: "recovery", what: "Make recovery codes", method: "POST", path: "/auth/mfa/generate-recovery-code" },
  { id: "sessions", what: "List the sessions", path: "/auth/mfa/sessions" },
  {
    id: "send",
    what: "Have a code sent",
    method: "POST",
    path: "/auth/mfa/challenge",
    body: { method: "email" },
    told: () => `It went to ${nameOf(state.sub)}, not to them. The mail warns of it.`,
  },
  {
    id: "guess",
    what: "Guess a code",
    method: "POST",
    path: "/auth/mfa/verify",
    body: { method: "totp", otp: String(crypto.getRandomValues(new Uint32Array(1))[0] % 1_000_000).padStart(6, "0") },
    told: ({ attemptsLeft }) =>
      `Wrong, and counted. ${attemptsLeft ? `${attemptsLeft} left until the lock.` : "That locked the account."}`,
  },
];

function forgetAttacker() {
  state.attacker = null;
  $("switch-attacker").setAttribute("aria-checked", "false");
  $("attacker").hidden = true;
  $("attempts").replaceChildren();
}

async function attack() {
  if (!state.attacker) {
    const { body } = await call("POST", "/__local/token", state.login, { token: null });
    state.attacker = body.accessToken;
  }
  $("switch-attacker").setAttribute("aria-checked", "true");
  $("attacker").hidden = false;
  $("attempts").replaceChildren();
  $("attacker").scrollIntoView({ block: "nearest" });
  const outcomes = {};
  for (const attempt of attempts()) {
    const outcome = await outcomeOf(attempt);
    outcomes[attempt.id] = outcome.status;
    $("attempts").append(attemptView(attempt, outcome));
    await pause(120);
  }
  await readInbox().catch(() => {});
  const warned = outcomes.send === 200 ? ` ${nameOf(state.sub)} was warned by e-mail.` : "";
  return { text: `They read a little, and got nowhere.${warned}` };
}

async function outcomeOf({ method = "GET", path, body }) {
  try {
    return await call(method, path, body, { token: state.attacker });
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return problem;
  }
}

function attemptView({ id, what, method = "GET", path, told }, { status, code, message = "It worked.", attemptsLeft }) {
  const refused = code === "MFA_REQUIRED";
  const failed = code && attemptsLeft === undefined;
  const said = refused ? NEEDS_A_CODE : failed || !told ? message : told({ attemptsLeft });
  return el(
    "li",
    { "data-attempt": id, "data-status": status, "data-code": code },
    el("span", { class: "badge", "data-kind": refused ? "good" : "bad" }, String(status)),
    el("b", {}, what),
    el("code", { class: "muted wrap" }, `${method} ${path.replace(/[0-9a-f-]{36}/, "…")}`),
    el("p", { class: "small" }, said),
  );
}

const attackAt = () => prepared(withMfaOn, attack);

$("switch-attacker").addEventListener("click", () => {
  if (isOn("switch-attacker")) {
    forgetAttacker();
    say("switch-notice", { text: "They are gone. What they had counted stays counted." });
  } else perform($("switches"), "switch-notice", attackAt());
});
$("attack").addEventListener("click", () => perform($("attacker"), "attack-notice", attackAt()));

// ── The guided path ─────────────────────────────────────────────────────────────────────────────────────────────────

// Each of these brings about what a step needs, and returns what it did for that. So a step can be
// played at any time, and the path be left and resumed.

async function signedIn() {
  const isValid = (token) => claimsOf(token)?.exp > clock.now();
  if (state.sub === SUGGESTED[0].sub && isValid(state.tokens.login)) {
    // The token of the proof lives for 15 minutes alone.
    if (!isValid(bearer())) use("login");
    return [];
  }
  await signInAsAlice();
  return ["signed in as Alice"];
}

function signInAsAlice() {
  const { sub, email, phone } = SUGGESTED[0];
  return signIn({ sub, email, phone });
}

async function withAuthenticator() {
  const did = await signedIn();
  state.devices = (await call("GET", "/auth/mfa/devices", undefined, { quiet: true })).body;
  if (usable().length) return did;
  if (await isEnabled()) {
    throw new Problem(0, { message: "This page was loaded again, and has forgotten the authenticator. Start anew." });
  }
  if (!state.setup || state.setup.confirmed) await setUp({});
  await confirmByPhone();
  state.devices = (await call("GET", "/auth/mfa/devices", undefined, { quiet: true })).body;
  return [...did, "set up an authenticator"];
}

async function withMfaOn() {
  const did = await withAuthenticator();
  if (await isEnabled()) return did;
  await toggle(true);
  return [...did, "turned MFA on"];
}

async function withProof() {
  const did = await withMfaOn();
  const { exp, auth_time } = claimsOf(state.tokens.verified) ?? {};
  if (exp > clock.now() && auth_time > clock.now() - 900) {
    use("verified");
    return did;
  }
  await enterByPhone();
  return [...did, "entered a code from the phone"];
}

/** A code goes to an address that has proved nothing only under a proof, once MFA is on. */
async function mayReceive() {
  const did = await signedIn();
  return [...did, ...((await isEnabled()) ? await withProof() : [])];
}

async function withSession() {
  if (state.session && !state.session.ended) return [];
  const did = await withMfaOn();
  await signIn(state.login);
  await enterByPhone();
  return [...did, "signed in with a code"];
}

const readStatus = async () => (await call("GET", "/auth/mfa/status", undefined, { quiet: true })).body;
const isEnabled = async () => (await readStatus()).isEnabled;

/** Runs `run` once `prepare` has brought about what it needs, and says what that was. */
const prepared = (prepare, run) => async () => {
  const did = await prepare();
  const told = await run();
  return did.length ? { ...told, text: `${told.text} (Before that, the page ${did.join(", ")}.)` } : told;
};

/** The step whose code the phone shows. A code works once: if it was used, the clock moves on. */
async function unusedStep(authenticator) {
  const step = stepAt(await clock.sync());
  const wait = authenticator.lastStep - step + 1;
  if (wait <= 0) return step;
  if (!clock.adjustable) throw new Problem(0, { message: "This code was used. Wait for the next one." });
  return stepAt(await clock.advance(30 * wait));
}

async function confirmByPhone() {
  return confirmSetUp(await totp(state.setup.secret, await unusedStep(state.setup)));
}

async function enterByPhone(options) {
  const [authenticator] = usable();
  return verify("totp", await totp(authenticator.secret, await unusedStep(authenticator)), options);
}

async function waitForUnlock() {
  const { lockedUntil } = await readStatus();
  if (lockedUntil) await clock.moveTo(Date.parse(lockedUntil) / 1000 + 1);
  await signedIn(); // the token may have expired meanwhile
  const told = await enterByPhone();
  return { ...told, text: "The lock has ended, and the right code passes." };
}

/** Sends a code. If it is too early for another one, the clock moves first. */
async function sendNow(by) {
  try {
    return await sendCode(by);
  } catch (problem) {
    if (problem.code !== "RATE_LIMITED" || !clock.adjustable) throw problem;
    await clock.advance(Number(problem.retryAfter));
    const told = await sendCode(by);
    return {
      ...told,
      text: `${told.text} (The clock moved ${duration(problem.retryAfter)} first, because codes are not sent faster.)`,
    };
  }
}

function newestCode() {
  const code = $("inbox").querySelector(`[data-to="${SUGGESTED[0].email}"][data-code]`)?.dataset.code;
  if (!code) throw new Problem(0, { message: "No code has arrived. Send one first." });
  return code;
}

async function returnTrusted() {
  if (!state.trust[state.sub]) await enterByPhone({ trustDevice: true });
  const told = await signInByTrust();
  return { ...told, text: "Signed in. The browser showed its trust token, and nobody typed a code." };
}

async function useFirstRecoveryCode() {
  if (!state.recovery.some(({ used }) => !used)) await generateRecovery();
  await signIn(state.login);
  const told = await useRecovery(state.recovery.find(({ used }) => !used).code, false);
  return { ...told, text: "Signed in. That code is used up, and every other session and trusted device has ended." };
}

async function sendOldToken() {
  if (!state.session.last) await refreshSession(state.session.next);
  await clock.advance(30);
  const { last } = state.session;
  state.session.ended = true;
  return refreshSession(last);
}

/**
 * The path. An action has the text of its button, what it does, and the screen that shows it. With
 * `refused`, the answer that it wants is a refusal.
 */
const STEPS = [
  {
    id: "sign-in",
    title: "Sign in",
    section: "h-sign-in",
    text: "Alice signs in with her password. Your application checks it and hands out a token, as before. This service only reads that token.",
    actions: [
      {
        id: "sign-in",
        label: "Sign in as Alice",
        screen: "phone",
        run: async () => {
          const { status } = await signInAsAlice();
          return { status, text: "Alice has a login token. It proves her password, and nothing more." };
        },
      },
    ],
  },
  {
    id: "set-up",
    title: "Set up an authenticator",
    section: "h-setup",
    text: "The service makes a secret, and the app on the phone scans it. From then on the phone shows a new code every 30 seconds. The first code proves that the phone has the secret.",
    actions: [
      {
        id: "scan",
        label: "Scan the QR code",
        screen: "phone",
        run: prepared(signedIn, async () => {
          const { status } = await setUp({});
          return { status, text: "The phone has the secret. The table keeps it sealed." };
        }),
      },
      {
        id: "confirm",
        label: "Enter the code from the phone",
        screen: "ledger",
        run: prepared(signedIn, async () => {
          if (!state.setup || state.setup.confirmed) await setUp({});
          const { status } = await confirmByPhone();
          return { status, text: "The authenticator counts." };
        }),
      },
    ],
  },
  {
    id: "turn-on",
    title: "Turn MFA on",
    section: "h-toggle",
    text: "Until now nothing was asked of Alice. Once MFA is on, her password alone opens nothing here.",
    actions: [
      { id: "turn-on", label: "Turn MFA on", screen: "ledger", run: prepared(withAuthenticator, () => toggle(true)) },
    ],
  },
  {
    id: "verify",
    title: "Sign in with a code",
    section: "h-verify",
    text: "After a new login, Alice has a login token again. She enters the code from the phone, and gets a token that proves both. Your API asks for that one.",
    actions: [
      {
        id: "sign-in-again",
        label: "Sign in again",
        screen: "phone",
        run: prepared(withMfaOn, async () => {
          const { status } = await signIn(state.login);
          return { status, text: "A new login token. The second factor is missing." };
        }),
      },
      {
        id: "verify",
        label: "Enter the code from the phone",
        screen: "ledger",
        run: prepared(withMfaOn, () => enterByPhone()),
      },
    ],
  },
  {
    id: "lock",
    title: "Wrong codes, and the lock",
    section: "h-verify",
    text: "Somebody sends a thousand guesses at the same moment. Each is counted before it is judged, so the counter stops at five. Then even the right code must wait.",
    actions: [
      { id: "guess", label: "Send 1,000 guesses", screen: "ledger", run: guessAt() },
      {
        id: "right-code",
        label: "Enter the right code",
        screen: "ledger",
        refused: true,
        run: prepared(withMfaOn, () => enterByPhone()),
      },
      { id: "unlock", label: "Wait until the lock ends", screen: "ledger", run: prepared(withMfaOn, waitForUnlock) },
    ],
  },
  {
    id: "email",
    title: "A code by e-mail",
    section: "h-send",
    text: "A second way, for a day without the phone. The address counts once Alice has entered a code that went there. Each code works once, for five minutes, and for this login alone.",
    actions: [
      { id: "send", label: "Send a code", screen: "mailbox", run: prepared(withProof, () => sendNow("email")) },
      {
        id: "enter",
        label: "Enter the code from the mail",
        screen: "ledger",
        run: prepared(withMfaOn, () => verify("email", newestCode())),
      },
    ],
  },
  {
    id: "recovery",
    title: "Recovery codes",
    section: "h-recovery",
    text: "They are for the day when the phone is lost. Each of the ten works once. The table has only their hashes, so Alice sees them only now.",
    actions: [
      { id: "make-codes", label: "Make ten codes", screen: "ledger", run: prepared(withProof, generateRecovery) },
      {
        id: "use-code",
        label: "Sign in with one of them",
        screen: "ledger",
        run: prepared(withProof, useFirstRecoveryCode),
      },
    ],
  },
  {
    id: "trust",
    title: "A trusted device",
    section: "h-trust",
    text: "Alice ticks “Trust this device” as she enters a code. For 30 days, this browser stands in for the code when she signs in.",
    actions: [
      {
        id: "trust",
        label: "Enter a code, and trust",
        screen: "ledger",
        run: prepared(withMfaOn, () => enterByPhone({ trustDevice: true })),
      },
      { id: "return", label: "Sign in without a code", screen: "ledger", run: prepared(withMfaOn, returnTrusted) },
    ],
  },
  {
    id: "session",
    title: "Stay signed in",
    section: "h-session",
    text: "A session goes on by its refresh token, which works once and brings the next. If an old one comes back, somebody has copied it, and the session ends.",
    actions: [
      {
        id: "refresh",
        label: "Refresh the session",
        screen: "ledger",
        run: prepared(withSession, () => refreshSession(state.session.next)),
      },
      {
        id: "old-token",
        label: "Send the old token, as a thief",
        screen: "ledger",
        refused: true,
        run: prepared(withSession, sendOldToken),
      },
    ],
  },
  {
    id: "attacker",
    title: "What an attacker sees",
    section: "h-status",
    text: "Somebody else knows the password, and signs in from another browser. Watch what they try, and what they get.",
    actions: [{ id: "attack", label: "Let them try", screen: "attacker", run: attackAt() }],
  },
];

const PATH = "mfa-guided-path";
// Where the person is on the path. It holds no token and no secret.
const path = { at: 0, done: [], left: false, ...JSON.parse(sessionStorage.getItem(PATH) ?? "{}") };

const isDone = (step) => step.actions.every(({ id }) => path.done.includes(id));

function showPath() {
  sessionStorage.setItem(PATH, JSON.stringify(path));
  const step = STEPS[path.at];
  STEPS.forEach((each, at) => {
    const button = $(`open-${each.id}`);
    if (at === path.at) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
    button.dataset.done = isDone(each);
    put(button.querySelector(".said"), isDone(each) ? " (done)" : "");
  });
  put($("guide-progress"), `${STEPS.filter(isDone).length} of ${STEPS.length} done`);
  $("guide-body").hidden = path.left;
  $("leave-guide").setAttribute("aria-expanded", String(!path.left));
  put($("leave-guide"), path.left ? `Resume at step ${path.at + 1}` : "Leave the path");
  put($("step-title"), step.title);
  put($("step-text"), step.text);
  const next = step.actions.find(({ id }) => !path.done.includes(id));
  for (const { id } of step.actions) {
    $(`do-${id}`).dataset.done = path.done.includes(id);
    $(`do-${id}`).classList.toggle("primary", id === next?.id);
  }
  const section = $(step.section).textContent;
  put($("step-section"), `By hand: ${section}`);
  $("step-section").href = `#${step.section}`;
  $("step-back").disabled = path.at === 0;
  $("step-next").disabled = path.at === STEPS.length - 1;
  $("step-next").classList.toggle("primary", !next && path.at < STEPS.length - 1);
}

function openStep(at) {
  path.at = at;
  clear("guide-notice");
  $("step-actions").replaceChildren(
    ...STEPS[at].actions.map((action) =>
      el("button", { type: "button", id: `do-${action.id}`, onclick: () => play(action) }, action.label),
    ),
  );
  showPath();
}

/** Opens a step because somebody asked for it: a screen reader reads on from its title. */
function goTo(at) {
  openStep(at);
  $("guess-board").hidden = true;
  $("step-title").focus({ preventScroll: true });
}

const play = ({ id, screen, refused = false, run }) =>
  perform(
    $("guide-step"),
    "guide-notice",
    async () => {
      look(screen);
      const finish = () => {
        if (!path.done.includes(id)) path.done.push(id);
      };
      try {
        const told = await run();
        finish();
        return told;
      } catch (problem) {
        if (refused && problem.status) finish();
        throw problem;
      }
    },
    async () => {
      await refresh();
      showPath();
    },
  );

$("guide-steps").append(
  ...STEPS.map(({ id, title }, at) =>
    el(
      "li",
      {},
      el(
        "button",
        { type: "button", id: `open-${id}`, onclick: () => goTo(at) },
        el("span", { class: "number", "aria-hidden": "true" }, String(at + 1)),
        el("span", {}, title, el("span", { class: "said" })),
      ),
    ),
  ),
);
$("step-back").addEventListener("click", () => goTo(path.at - 1));
$("step-next").addEventListener("click", () => goTo(path.at + 1));
$("leave-guide").addEventListener("click", () => {
  path.left = !path.left;
  showPath();
});
openStep(Math.min(path.at, STEPS.length - 1));

// ── Start: read what changes by itself, and keep doing so while the page is visible ─────────────────────────────────

const INBOX_EVERY = 2000;
const LEDGER_EVERY = 2000;
const CLOCK_EVERY = 10000;
const AFTER_TROUBLE = 10000;

async function poll(work, every) {
  let wait = every;
  if (document.visibilityState === "visible")
    await work().catch(() => {
      wait = Math.max(every, AFTER_TROUBLE);
    });
  setTimeout(poll, wait, work, every);
}
poll(() => clock.sync(), CLOCK_EVERY);
poll(readInbox, INBOX_EVERY);
poll(readFeed, INBOX_EVERY);
poll(readLedger, LEDGER_EVERY);
setInterval(tick, 250);
call("GET", "/__local/troubles", undefined, { quiet: true, token: null }).then(
  ({ body }) => showTroubles(body),
  () => {},
);
if (sessionStorage.getItem(ANEW) !== null) {
  sessionStorage.removeItem(ANEW);
  say("switch-notice", { text: "Everything is as it was at the start." });
  $("start-anew").focus({ preventScroll: true });
}
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") clock.sync().catch(() => {});
});
