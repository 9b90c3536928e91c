// Keeps the app's files, so that it opens without a network, and the last answers of the API, so that it shows what was known.
const SHELL = 'shell-{{version}}';
const FILES = {{files}};
// Files of the app that are fetched when they are needed: their names change with their content.
const LATER = 'later';
const KNOWN = 'known';
const MOST_LATER = 400;
const MOST_KNOWN = 200;
// Longest that the network may take before what was known is shown.
const PATIENCE_MS = 4000;
// Answers that are no use later, or that are not for keeping.
const NOT_KEPT = ['/export', '/tickets', '/tokens', '/second-factor', '/session/', '/invitations', '/documents/', '/deliveries/'];

self.addEventListener('install', event => {
  const fresh = FILES.map(file => new Request(file, { cache: 'no-cache' }));
  event.waitUntil(caches.open(SHELL).then(cache => cache.addAll(fresh)));
});

self.addEventListener('activate', event => {
  const clean = async () => {
    const old = (await caches.keys()).filter(name => name.startsWith('shell-') && name !== SHELL);
    await Promise.all(old.map(name => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(clean());
});

self.addEventListener('message', event => {
  if (event.data === 'take-over') self.skipWaiting();
  if (event.data === 'forget') event.waitUntil(caches.delete(KNOWN));
});

self.addEventListener('push', event => {
  let note;
  try { note = event.data.json(); } catch { note = { title: 'BugBrother', body: '' }; }
  event.waitUntil(self.registration.showNotification(String(note.title), {
    body: String(note.body ?? ''),
    icon: '{{icon.svg}}',
    tag: String(note.tag ?? 'alert'),
    renotify: true,
    requireInteraction: note.critical === true,
    data: { path: inside(note.path) },
  }));
});

self.addEventListener('notificationclick', event => {
  event.notification.close();
  event.waitUntil(show(event.notification.data?.path ?? '/alerts'));
});

// An address of this server's pages, whatever was sent.
const inside = path => typeof path === 'string' && /^\/(?!\/)/.test(path) ? path : '/alerts';

// In a window that is open, or else in a new one.
async function show(path) {
  const url = new URL(path, self.location.origin).href;
  const [open] = await self.clients.matchAll({ type: 'window' });
  if (!open) return self.clients.openWindow(url);
  // Who may not come to the front is led there all the same.
  await open.focus().catch(() => {});
  return open.navigate(url);
}

self.addEventListener('fetch', event => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (request.mode === 'navigate') {
    if (isPage(url.pathname)) event.respondWith(shell('/', request));
  } else if (url.pathname.startsWith('/assets/')) {
    event.respondWith(asset(request));
  } else if (url.pathname.startsWith('/api/frontend/') && !NOT_KEPT.some(part => url.pathname.includes(part))) {
    event.respondWith(known(request, event));
  }
});

const isPage = path => !['/api/', '/assets/', '/live', '/hls/', '/metrics', '/healthz'].some(start => path.startsWith(start));

async function shell(file, request) {
  return (await (await caches.open(SHELL)).match(file)) ?? fetch(request);
}

async function asset(request) {
  const kept = await caches.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) {
    const cache = await caches.open(LATER);
    await cache.put(request, answer.clone());
    await shorten(cache, MOST_LATER);
  }
  return answer;
}

// What the server says, or else what it said last.
async function known(request, event) {
  const asked = fetch(request).then(answer => {
    if (answer.ok && answer.headers.get('content-type')?.startsWith('application/json')) {
      const copy = answer.clone();
      event.waitUntil(keep(request, copy));
    }
    return answer;
  });
  // Who is not there says nothing; that is not an error as long as something is known.
  asked.catch(() => {});
  try {
    return await Promise.race([asked, late()]);
  } catch {
    const kept = await (await caches.open(KNOWN)).match(request);
    return kept ?? asked;
  }
}

const late = () => new Promise((_, refuse) => setTimeout(() => refuse(new Error('late')), PATIENCE_MS));

async function keep(request, answer) {
  const cache = await caches.open(KNOWN);
  await cache.put(request, answer);
  await shorten(cache, MOST_KNOWN);
}

// The oldest go first.
async function shorten(cache, most) {
  const all = await cache.keys();
  await Promise.all(all.slice(0, Math.max(0, all.length - most)).map(request => cache.delete(request)));
}
