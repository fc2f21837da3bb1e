// Keeps the page current. Without it the page is complete and reloads itself.
(() => {
  'use strict';
  // Milliseconds: between two answers while the page is seen and while it is not; after a failure and
  // while the service starts; for one answer.
  const SEEN = 5000, UNSEEN = 30000, AGAIN = 2000, PATIENCE = 10000;
  const $ = (id) => document.getElementById(id);
  const main = () => document.querySelector('main');
  // The operator key is in this variable and nowhere else: no storage, no cookie, no URL.
  let key = '';
  let received = Date.now(), lostAt = 0, timer, current;

  // src/answers/page/age.rs has the same function.
  const words = (milliseconds) => {
    const s = Math.floor(milliseconds / 1000), min = Math.floor(s / 60), h = Math.floor(min / 60);
    if (min === 0) return `${s} s`;
    if (h === 0) return `${min} min`;
    return h < 48 ? `${h} h ${min % 60} min` : `${Math.floor(h / 24)} d ${h % 24} h`;
  };
  const pause = (seen) => document.hidden ? UNSEEN : seen;
  const put = (node, text) => { if (node.textContent !== text) node.textContent = text; };

  // Ages are counted from the server's, so that a wrong clock here does not matter.
  const tick = () => {
    const since = Math.max(0, Date.now() - received);
    for (const time of document.querySelectorAll('time[data-age]'))
      put(time, `${words(Number(time.dataset.age) + since)} ago`);
    put($('live'), lostAt ? 'not updated' : `updated ${words(since)} ago`);
    if (lostAt) put($('old-age'), words(since));
  };

  const show = (text) => {
    const next = new DOMParser().parseFromString(text, 'text/html');
    const fresh = next.querySelector('main'), old = main();
    if (!fresh) throw new Error('the answer is not the status page');
    // What was opened stays open, and the keyboard stays where it was.
    for (const { id } of old.querySelectorAll('details[open]'))
      fresh.querySelector(`#${CSS.escape(id)}`)?.setAttribute('open', '');
    const focused = old.contains(document.activeElement) ? document.activeElement.id : '';
    const { state } = old.dataset;
    old.replaceWith(document.adoptNode(fresh));
    if (focused) $(focused)?.focus({ preventScroll: true });
    document.title = next.title;
    $('icon').href = next.getElementById('icon').href;
    if (fresh.dataset.state !== state)
      put($('changed'), [...fresh.querySelectorAll('.verdict h1, .verdict h1 + p')].map((node) => node.textContent).join('. '));
  };

  const found = () => {
    received = Date.now();
    lostAt = 0;
    document.documentElement.classList.remove('old');
    $('lost').hidden = true;
  };

  const lost = (why) => {
    if (!lostAt) {
      lostAt = Date.now();
      document.documentElement.classList.add('old');
      document.title = '? unreachable – infra-health';
      $('icon').href = $('lost').dataset.icon;
      const age = Object.assign(document.createElement('span'), { id: 'old-age' });
      $('why').replaceChildren(`${why} since ${new Date(lostAt).toISOString().slice(11, 19)} UTC; what is below is `, age, ' old.');
      $('lost').hidden = false;
    }
  };

  const unlocked = (is) => {
    if (!$('unlock')) return;
    const focused = $('unlock').contains(document.activeElement);
    $('unlock').hidden = is;
    $('unlocked').hidden = !is;
    if (is && focused) $('forget').focus();
  };
  // At once, for whoever gets up from a screen that others see; the next answer may take its time.
  const conceal = () => {
    for (const told of document.querySelectorAll('main .more, main .jobs, main .version')) told.remove();
    main().dataset.details = 'false';
  };
  const tell = (message) => { if ($('told')) put($('told'), message); };

  const messageOf = async (response) => {
    const body = await response.json().catch(() => null);
    return body?.error?.message ?? `the service answers ${response.status}`;
  };

  // One exchange; returns how long to wait for the next.
  const ask = async (isCurrent, signal) => {
    const sent = key;
    const headers = { Accept: 'text/html' };
    if (sent) headers['X-Api-Key'] = sent;
    const response = await fetch(location.pathname, {
      headers, signal, cache: 'no-store', credentials: 'omit', redirect: 'error', referrerPolicy: 'no-referrer',
    });
    if (response.ok) {
      const text = await response.text();
      if (!isCurrent()) return 0;
      show(text);
      found();
      const detailed = main().dataset.details === 'true';
      if (sent && !detailed) tell('The service shows no details: API_KEYS is not set, or HEALTH_DETAILS is never.');
      if (sent && detailed) tell('');
      unlocked(Boolean(sent));
      return pause(main().dataset.state === 'starting' ? AGAIN : SEEN);
    }
    const message = await messageOf(response);
    if (!isCurrent()) return 0;
    if (response.status === 401 && sent) {
      key = '';
      conceal();
      unlocked(false);
      tell(`The service refuses the key: ${message}.`);
      return 0;
    }
    lost(`No state (${message})`);
    return Math.max(pause(AGAIN), 1000 * Number(response.headers.get('Retry-After')) || 0);
  };

  // The newest request counts; an older one is given up.
  const refresh = async () => {
    clearTimeout(timer);
    current?.abort();
    const mine = current = new AbortController();
    const isCurrent = () => current === mine;
    const limit = setTimeout(() => mine.abort(), PATIENCE);
    let wait;
    try {
      wait = await ask(isCurrent, mine.signal);
    } catch {
      if (isCurrent()) lost('Cannot reach the service');
      wait = pause(AGAIN);
    }
    clearTimeout(limit);
    if (!isCurrent()) return;
    tick();
    timer = setTimeout(refresh, wait);
  };

  $('unlock')?.addEventListener('submit', (event) => {
    event.preventDefault();
    // A header takes no more than Latin-1; what else is typed is no key.
    if (!/^[\x21-\xff]+$/.test($('key').value)) return tell('A key has no spaces, and no letters beyond Latin-1.');
    key = $('key').value;
    $('key').value = '';
    tell('');
    refresh();
  });
  $('forget')?.addEventListener('click', () => {
    key = '';
    conceal();
    unlocked(false);
    tell('');
    $('key').focus();
    refresh();
  });
  document.addEventListener('visibilitychange', () => { if (!document.hidden) refresh(); });

  unlocked(false);
  setInterval(tick, 1000);
  timer = setTimeout(refresh, SEEN);
  tick();
})();
