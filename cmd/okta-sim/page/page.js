// The page asks okta-sim what there is, twice a second, and shows it. It keeps the
// elements that stay, so that the focus and what was typed survive.

const $ = id => document.getElementById(id);

// el makes an element; children may be texts.
function el(tag, props = {}, ...children) {
  const e = Object.assign(document.createElement(tag), props);
  e.append(...children);
  return e;
}

// sync makes the children of list those of items: a child for each key, in order.
function sync(list, items, key, make, update = () => {}) {
  const wanted = new Map(items.map(item => [String(key(item)), item]));
  for (const child of [...list.children]) {
    if (wanted.has(child.dataset.key)) continue;
    const hadFocus = child.contains(document.activeElement);
    child.remove();
    if (hadFocus) $('phones-title').focus({ preventScroll: true });
  }
  const have = new Map([...list.children].map(child => [child.dataset.key, child]));
  let at = list.firstElementChild;
  for (const [k, item] of wanted) {
    let child = have.get(k);
    if (!child) {
      child = make(item);
      child.dataset.key = k;
    }
    if (child === at) at = at.nextElementSibling;
    else list.insertBefore(child, at);
    update(child, item);
  }
}

// text sets a text that has changed, and nothing else: a screen reader says it anew.
function text(e, value) {
  if (e.textContent !== value) e.textContent = value;
}

// ask sends a request. What is wrong with it is an error that people can read.
async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error('okta-sim did not answer.');
  }
  if (!answer.ok) throw new Error((await answer.json()).error);
  return answer;
}

// attempt does what somebody has asked for, and shows what is wrong with it.
async function attempt(action) {
  let problem = '';
  try {
    await action();
  } catch (error) {
    problem = error.message;
  }
  text($('problem'), problem);
  $('problem').hidden = problem === '';
}

// tell sends a form, and looks at once what has changed.
async function tell(path, fields) {
  await attempt(() => ask(path, { method: 'POST', body: new URLSearchParams(fields) }));
  await look();
}

// show asks for a code, and shows it in an element.
function show(e, path, fields) {
  return attempt(async () => text(e, (await (await ask(path + '?' + new URLSearchParams(fields))).text()).trim()));
}

// copyButton copies what it is asked for at the time.
function copyButton(label, what) {
  const button = el('button', { type: 'button', className: 'last', textContent: 'Copy' });
  button.setAttribute('aria-label', label);
  button.onclick = () => attempt(async () => {
    try {
      await navigator.clipboard.writeText(what());
    } catch {
      throw new Error('The browser did not copy the text. Select it and copy it yourself.');
    }
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  });
  return button;
}

// choose shows in a select what okta-sim has, unless somebody is about to change it.
function choose(select, value) {
  if (document.activeElement === select) return;
  if (![...select.options].some(o => o.value === String(value))) select.append(el('option', { value, textContent: value }));
  select.value = value;
}

// --- phones

const apps = { okta: 'Okta Verify', duo: 'Duo', pingid: 'PingID' };

// ringing lists the pushes that wait, and where they are answered.
function ringing(users) {
  const list = [];
  for (const u of users) {
    const add = (service, device, name, waits) => {
      if (waits.waiting === 0) return;
      const choices = waits.choices ?? [];
      const key = [service, u.login, device, choices, waits.typed ?? '', waits.calls ?? 0].join();
      list.push({ key, user: u.login, service, device, name, waits, choices });
    };
    for (const f of u.factors) if (f.type === 'push') add('okta', f.id, f.name, f);
    add('duo', '', '', u.duo);
    add('pingid', '', '', u.pingid);
  }
  return list;
}

function makePush(p) {
  const to = { user: p.user, service: p.service };
  if (p.device) to.device = p.device;
  const about = `${p.user}, ${p.name || apps[p.service]}`;
  const answer = (label, className, path, more = {}) => {
    const button = el('button', { type: 'button', className, textContent: label });
    button.setAttribute('aria-label', `${label}: ${about}`);
    button.onclick = () => tell(path, { ...to, ...more });
    return button;
  };
  const call = p.waits.calls > 0;
  const answers = el('div', { className: 'answers' });
  let asks = call ? 'Press a key to log in' : 'Did you just try to log in?';
  if (p.choices.length > 0) {
    asks = 'Which number does your login show?';
    for (const n of p.choices) answers.append(answer(String(n), 'number', '/push/number', { number: n }));
  } else if (p.waits.typed) {
    asks = 'Type the code that your login shows';
    const code = el('input', { name: 'code', inputMode: 'numeric', autocomplete: 'off' });
    code.setAttribute('aria-label', `Code: ${about}`);
    const form = el('form', {}, code, el('button', { className: 'yes', textContent: 'Verify' }));
    form.onsubmit = event => {
      event.preventDefault();
      tell('/duo/type', { user: p.user, code: code.value });
    };
    answers.append(form);
  } else {
    answers.append(answer(call ? 'Answer' : 'Approve', 'yes', '/push/approve'));
  }
  answers.append(answer('Reject', 'no', '/push/reject'));
  return el('li', {},
    el('div', { className: 'device', textContent: (p.name ? p.name + ' · ' : '') + apps[p.service] + (call ? ' call' : '') }),
    el('div', { className: 'who', textContent: p.user }),
    el('div', { textContent: asks }), answers);
}

function showPhones(state) {
  const list = ringing(state.users), n = state.waiting_pushes;
  sync($('pushes'), list, p => p.key, makePush);
  const who = [...new Set(list.map(p => p.user))].join(', ');
  text($('ringing'), n === 0 ? 'No phone rings.' : `${n === 1 ? '1 push waits' : n + ' pushes wait'}: ${who}`);
  $('quiet').hidden = n > 0;
  document.title = n === 0 ? 'okta-sim' : `(${n}) okta-sim`;
}

// --- messages

const ways = { sms: 'SMS', call: 'Call', email: 'E-mail' };

function showMessages({ messages }) {
  $('no-messages').hidden = messages.length > 0;
  sync($('messages'), messages, m => [m.sent_at, m.service, m.user, m.code, m.valid].join(), m => el('li', { className: 'line' },
    el('span', { className: 'name', textContent: m.user }),
    el('span', { className: 'soft', textContent: [ways[m.by], m.to, new Date(m.sent_at).toLocaleTimeString()].join(', ') }),
    el(m.valid ? 'span' : 's', { className: 'code', textContent: m.code }),
    m.valid ? copyButton(`Copy the code sent to ${m.user}`, () => m.code) : el('span', { className: 'soft', textContent: 'no longer valid' })));
}

// --- people

const kinds = {
  'push': 'Push', 'token:software:totp': 'Authenticator app', 'sms': 'SMS', 'call': 'Call', 'email': 'E-mail',
  'question': 'Security question', 'token': 'Token', 'token:hotp': 'Token with a button', 'token:hardware': 'Security key',
  'webauthn': 'WebAuthn key, which needs a browser',
};
const makers = { OKTA: '', GOOGLE: 'Google', RSA: 'RSA', SYMANTEC: 'Symantec', YUBICO: 'YubiKey', DEL_OATH: 'On-Prem MFA', CUSTOM: 'custom', FIDO: '' };

function makeFactor(user, f) {
  const line = el('div', { className: 'line' },
    el('span', { className: 'soft', textContent: [kinds[f.type] ?? f.type, makers[f.provider] ?? f.provider, f.name || f.to].filter(Boolean).join(' · ') }),
    el('span', { className: 'code' }), el('span', { className: 'soft left' }));
  const item = el('li', {}, line);
  if (f.button) {
    const press = el('button', { type: 'button', className: 'last', textContent: 'Press' });
    press.setAttribute('aria-label', `Press the button of the ${kinds[f.type]} of ${user}`);
    press.onclick = () => show(line.querySelector('.code'), '/code', { user, factor: f.id });
    line.append(press);
  }
  if (f.qr) {
    const qr = el('button', { type: 'button', className: 'last', textContent: 'QR code' });
    qr.setAttribute('aria-label', `QR code for the authenticator app of ${user}`);
    qr.setAttribute('aria-expanded', 'false');
    qr.onclick = () => {
      const shown = item.querySelector('img');
      qr.setAttribute('aria-expanded', String(!shown));
      if (shown) return shown.remove();
      const src = '/qr?' + new URLSearchParams({ user, factor: f.id });
      item.append(el('img', { className: 'qr', src, width: 264, height: 264, alt: `The key of ${user}'s authenticator app` }));
    };
    line.append(qr);
  }
  return item;
}

function updateFactor(item, f) {
  if (f.button) return; // its code stays until the next press
  text(item.querySelector('.code'), f.code ?? '');
  const left = f.until && f.type.startsWith('token') ? Math.max(0, Math.ceil((new Date(f.until) - Date.now()) / 1000)) : 0;
  text(item.querySelector('.left'), left ? `${left} s left` : '');
}

const statuses = ['ACTIVE', 'SUSPENDED', 'LOCKED_OUT', 'PASSWORD_EXPIRED', 'PASSWORD_WARN', 'DEPROVISIONED', 'MFA_ENROLL', 'SUCCESS'];

function makePerson(u) {
  const status = el('select', { name: 'status' }, ...statuses.map(s => el('option', { textContent: s })));
  status.onchange = () => tell('/users/status', { user: u.login, status: status.value });
  const verified = el('select', { name: 'verified' }, el('option', { value: 0, textContent: 'a tap' }),
    ...[3, 4, 5, 6].map(n => el('option', { value: n, textContent: `a code of ${n} digits` })));
  verified.onchange = () => tell('/duo/phone', { user: u.login, verified_push: verified.value });
  const passcode = (name, path) => {
    const code = el('output', { className: 'code' });
    const button = el('button', { type: 'button', textContent: `${name} passcode` });
    button.setAttribute('aria-label', `${name} passcode of ${u.login}`);
    button.onclick = () => show(code, path, { user: u.login });
    return el('div', { className: 'line' }, button, code);
  };
  const more = el('details', { className: 'more' }, el('summary', { textContent: 'More' }), el('div', { className: 'fields' },
    el('label', {}, 'Status in Okta', status), el('label', {}, 'A Duo push is approved by', verified),
    passcode('Duo', '/duo/passcode'), passcode('PingID', '/pingid/passcode')));
  more.firstChild.setAttribute('aria-label', `More about ${u.login}`);
  return el('li', {},
    el('div', { className: 'line' }, el('span', { className: 'name', textContent: u.login }), el('code', { textContent: u.password }),
      el('span', { className: 'warn status' }), el('span', { className: 'soft last', textContent: `${u.groups} ${u.groups === 1 ? 'group' : 'groups'}` })),
    el('ul', { className: 'factors' }), more);
}

function updatePerson(item, u) {
  text(item.querySelector('.status'), u.status === 'ACTIVE' ? '' : u.status);
  choose(item.querySelector('[name=status]'), u.status);
  choose(item.querySelector('[name=verified]'), u.duo.verified_push ?? 0);
  sync(item.querySelector('.factors'), u.factors, f => f.id, f => makeFactor(u.login, f), updateFactor);
}

// --- requests

function makeRequest(r) {
  const item = el('li', {}, el('div', { className: 'line' },
    el('span', { className: 'soft', textContent: new Date(r.time).toLocaleTimeString() }),
    el('span', { className: 'answer' }), el('code', { textContent: `${r.method} ${r.path}${r.query ? '?' + r.query : ''}` })));
  if (r.body) item.append(el('code', { className: 'soft', textContent: r.body }));
  if (r.forwarded_for) item.append(el('div', { className: 'soft', textContent: `for ${r.forwarded_for}` }));
  return item;
}

function updateRequest(item, r) {
  const answer = item.querySelector('.answer');
  text(answer, r.status ? String(r.status) : 'no answer');
  answer.className = 'answer ' + (r.status >= 400 ? 'bad' : r.status ? 'good' : 'warn');
}

// --- switches

const faultNames = {
  error: 'answers 500',
  unavailable: 'answers 503, a web page',
  rate_limited: 'answers 429, too many requests',
  forbidden: 'answers 403, no permission',
  hangs: 'never answers',
  drops: 'closes connections',
};
const placeName = where => ({ okta: 'Okta, everything', duo: 'Duo', pingid: 'PingID' })[where] ?? where.replace('okta/', 'Okta, ');

function showSwitches(s) {
  const form = $('fault');
  if (form.elements.where.length === 0) {
    form.elements.where.append(...s.where.map(value => el('option', { value, textContent: placeName(value) })));
    form.elements.fault.append(...s.kinds.map(value => el('option', { value, textContent: faultNames[value] ?? value })));
  }
  sync($('faults'), Object.entries(s.faults), f => f.join(), ([where, kind]) => {
    const off = el('button', { type: 'button', className: 'last', textContent: 'Switch off' });
    off.setAttribute('aria-label', `Switch off: ${placeName(where)}`);
    off.onclick = () => tell('/faults', { where, fault: 'none' });
    return el('li', { className: 'line' }, el('span', { className: 'bad', textContent: `${placeName(where)}: ${faultNames[kind] ?? kind}` }), off);
  });
  choose($('latency'), s.latency);
  $('numbers').checked = s.pingid_numbers;
}

$('fault').onsubmit = event => {
  event.preventDefault();
  tell('/faults', new FormData(event.target));
};
$('latency').onchange = event => tell('/latency', { latency: event.target.value });
$('numbers').onchange = event => tell('/pingid/numbers', { on: event.target.checked });

// --- steps

function showSteps(steps) {
  sync($('steps'), steps, s => s.title + s.commands, s => el('li', {}, el('details', {}, el('summary', { textContent: s.title }),
    el('pre', { textContent: s.commands }), el('div', { className: 'line' }, copyButton(`Copy: ${s.title}`, () => s.commands)))));
}

// --- the loop

let connected;

function connection(ok) {
  if (connected === ok) return;
  connected = ok;
  $('connection').className = ok ? 'live' : 'lost';
  text($('connection'), ok ? 'Live' : 'okta-sim has ended, or cannot be reached');
}

let looks = 0;

// look shows the newest state. Of two that overlap, the one that began later counts.
async function look() {
  const mine = ++looks;
  try {
    const [state, requests, steps] = await Promise.all(['/state', '/requests?last=100', '/guide'].map(async path => (await ask(path)).json()));
    if (mine !== looks) return;
    showPhones(state);
    showMessages(state);
    sync($('people'), state.users, u => u.id, makePerson, updatePerson);
    sync($('requests'), requests.reverse(), r => r.n, makeRequest, updateRequest);
    showSwitches(state.switches);
    showSteps(steps);
    connection(true);
  } catch (error) {
    console.error(error);
    connection(false);
  }
}

async function watch() {
  await look();
  setTimeout(watch, 500);
}

watch();
