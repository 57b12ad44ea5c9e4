'use strict';

// Shows what the stream of events says, and sends control requests. Texts from outside, such as prompts, are only
// ever assigned to textContent.

const MAX_ROWS = 40;
const MAX_ENTRIES = 200;

/** The faults that can be added with one click. */
const FAULTS = {
  'The next create is carried out, its response lost': {
    match: { method: 'POST', path: '/v1/responses' },
    drop: 'after_reading',
  },
  'The next 5 polls fail with 503': {
    match: { method: 'GET', path: '/v1/responses/*' },
    times: 5,
    status: 503,
  },
  'The next request is answered with 429': { match: { origin: 'api' }, status: 429 },
  'The next response takes 10 s': { match: { origin: 'api' }, delay_ms: 10000 },
  'The next download breaks off': { match: { origin: 'video' }, drop: 'mid_body' },
};

const find = (id) => document.getElementById(id);

/** Makes an element with a class and with texts or elements in it. */
function element(tag, name, ...children) {
  const made = document.createElement(tag);
  made.className = name;
  made.append(...children);
  return made;
}

function button(text, onClick) {
  const made = element('button', '', text);
  made.type = 'button';
  made.addEventListener('click', onClick);
  return made;
}

/** Sends a control request, and shows why it failed. */
async function control(method, path, body) {
  const failure = find('failure');
  try {
    const response = await fetch(path, { method, body: body && JSON.stringify(body) });
    failure.hidden = response.ok;
    if (!response.ok) failure.textContent = (await response.json()).message;
  } catch {
    failure.hidden = false;
    failure.textContent = 'The emulator does not respond. It may have been stopped.';
  }
}

/** The generations by their ids, the newest last, each with its row. */
const generations = new Map();
let now = 0;

function newRow(id) {
  const row = {
    bar: element('div', 'bar'),
    forecast: element('div', 'forecast'),
    label: element('span', 'label'),
    prompt: element('span', ''),
    actions: element('div', 'actions'),
  };
  const about = element('div', 'about', row.prompt, element('code', 'soft', id));
  const track = element('div', 'track', row.forecast, row.bar, row.label);
  row.element = element('div', 'generation', about, track, row.actions);
  row.element.dataset.id = id;
  return row;
}

function showGeneration(generation) {
  const { id } = generation;
  const row = generations.get(id)?.row ?? newRow(id);
  const known = generations.get(id)?.generation;
  generations.set(id, { generation, row });
  row.prompt.textContent = generation.prompt ?? '(added without a prompt)';
  row.prompt.title = `${generation.model}, ${generation.engine}`;
  row.bar.className = `bar ${generation.ended === null ? generation.status : generation.outcome}`;
  if (!known) find('generations').prepend(row.element);
  if (known?.ended !== generation.ended || !known) showActions(row, generation);
  for (const [old, { row }] of generations) {
    if (generations.size <= MAX_ROWS) break;
    row.element.remove();
    generations.delete(old);
  }
}

function showActions(row, { id, ended, video, engine }) {
  const settle = (status) => () =>
    control('POST', `generations/${encodeURIComponent(id)}/settle`, { status });
  row.actions.replaceChildren();
  if (ended === null) {
    row.actions.append(button('Complete', settle('completed')), button('Fail', settle('failed')));
  } else if (video && engine === 'lottie') {
    row.actions.append(Object.assign(element('a', '', 'animation'), { href: `.${video}`, target: '_blank' }));
  } else if (video) {
    const playing = { src: `.${video}`, muted: true, loop: true, autoplay: true };
    row.actions.append(Object.assign(element('video', ''), playing));
  }
}

/** Places all bars on one axis, from the first creation to now or the last expected end. */
function placeBars() {
  const shown = [...generations.values()];
  const from = Math.min(now, ...shown.map(({ generation }) => generation.created));
  const end = ({ expected }) => expected ?? now;
  const to = Math.max(now, from + 1, ...shown.map(({ generation }) => end(generation)));
  const percent = (seconds) => `${(100 * seconds) / (to - from)}%`;
  for (const { generation, row } of shown) {
    const { created, ended, status, error, cost_usd: cost } = generation;
    const until = Math.min(ended ?? now, now);
    row.bar.style.left = percent(created - from);
    row.bar.style.width = percent(until - created);
    row.forecast.style.left = percent(until - from);
    row.forecast.style.width = percent(ended === null ? Math.max(0, end(generation) - until) : 0);
    const seconds = `${((ended ?? now) - created).toFixed(1)} s`;
    const parts = [status, seconds];
    if (ended === null && generation.expected) parts.push(`expected at ${(generation.expected - created).toFixed(1)} s`);
    if (cost !== null) parts.push(`$${cost}`);
    if (error) parts.push(`${error.code}: ${error.message}`);
    row.label.textContent = parts.join(' · ');
  }
  const count = (outcome) => shown.filter(({ generation }) => generation.outcome === outcome).length;
  find('counts').textContent = `${count('completed')} completed, ${count('failed')} failed, ${count(null)} running`;
}

function showAccount(account) {
  now = account.now;
  const { limit } = account;
  find('budget').hidden = limit === null;
  if (limit) {
    const { requests, window_seconds: seconds } = limit;
    Object.assign(find('budget'), { max: requests, high: 0.8 * requests, optimum: 0, value: account.used });
    find('used').textContent = `${account.used} of ${requests} requests in ${seconds} s`;
  } else {
    find('used').textContent = 'no limit';
  }
  find('spent').textContent = `$${account.spent_usd.toFixed(4)}`;
  find('credit').textContent = `$${(account.balance_cents / 100).toFixed(4)}`;
  find('speed').textContent = `speed ${account.speed}, advanced by ${account.advanced} s`;
  find('pending').textContent = account.faults === 0 ? 'none to come' : `${account.faults} to come`;
  placeBars();
}

/** Adds an entry to a log, the newest first. */
function addEntry(log, at, what, result, good, texts) {
  const outcome = element('span', good ? 'good' : 'bad', result);
  const time = element('span', 'soft', at.toFixed(1));
  const entry = element('details', '', element('summary', '', time, element('span', 'what', what), outcome));
  for (const text of texts) if (text) entry.append(element('pre', '', text));
  log.prepend(entry);
  if (log.children.length > MAX_ENTRIES) log.lastChild.remove();
}

function showExchange({ at, method, path, origin, body, status, answer, ms }) {
  const result = status === null ? 'no response' : `${status} ${ms} ms`;
  const host = origin === 'video' ? '(videos) ' : '';
  addEntry(find('requests'), at, `${method} ${host}${path}`, result, status < 400 && status !== null, [body, answer]);
}

function showDelivery({ at, body, attempt, answered }) {
  const what = `${body.status} ${body.generationId}${attempt > 1 ? ` (attempt ${attempt})` : ''}`;
  const good = answered !== null && answered < 300;
  addEntry(find('deliveries'), at, what, answered === null ? 'no response' : `${answered}`, good, [
    JSON.stringify(body, null, 2),
  ]);
}

/** A new connection, or another emulator on the same port: everything is sent again. */
function start({ base_url: url }) {
  generations.clear();
  for (const id of ['generations', 'requests', 'deliveries']) find(id).replaceChildren();
  find('address').textContent = url;
}

function connect() {
  const events = new EventSource('events');
  const shown = (live) => {
    find('connection').textContent = live ? 'live' : 'not connected';
    find('connection').className = live ? 'live' : '';
  };
  events.addEventListener('open', () => shown(true));
  events.addEventListener('error', () => shown(false));
  const handlers = { start, generation: showGeneration, account: showAccount, request: showExchange, delivery: showDelivery };
  for (const [name, handle] of Object.entries(handlers)) {
    events.addEventListener(name, ({ data }) => handle(JSON.parse(data)));
  }
}

for (const name of Object.keys(FAULTS)) find('fault').append(element('option', '', name));
find('faults').addEventListener('submit', (event) => {
  event.preventDefault();
  control('POST', 'faults', FAULTS[find('fault').value]);
});
find('clear').addEventListener('click', () => control('DELETE', 'faults'));
find('balance').addEventListener('submit', (event) => {
  event.preventDefault();
  control('PUT', 'balance', { cents: Number(find('cents').value) });
});
for (const advance of document.querySelectorAll('[data-seconds]')) {
  advance.addEventListener('click', () => control('POST', 'advance', { seconds: Number(advance.dataset.seconds) }));
}
connect();
