// Begins the app. The chosen theme is set before anything is seen.
import init from '{{app.js}}';

const theme = localStorage.getItem('theme');
const dark = theme === 'dark' || (theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
document.documentElement.dataset.theme = dark ? 'dark' : 'light';

// The app says `look-for-update`, `update` and `forget`; it is told `update-ready`.
const worker = navigator.serviceWorker;
if (worker) {
  const ready = registration => registration.waiting && worker.controller && dispatchEvent(new Event('update-ready'));
  worker.register('/worker.js').then(registration => {
    registration.addEventListener('updatefound', () => {
      registration.installing?.addEventListener('statechange', () => ready(registration));
    });
    addEventListener('look-for-update', () => registration.update().catch(() => {}));
    addEventListener('update', () => {
      worker.addEventListener('controllerchange', () => location.reload(), { once: true });
      registration.waiting?.postMessage('take-over');
    });
    addEventListener('app-listens', () => ready(registration));
    ready(registration);
  }, error => console.warn('without a service worker:', error));
  // What web push needs of the browser: whether it is on, to begin it for a server's key, and to end it.
  const manager = async () => (await worker.ready).pushManager;
  const bytes = text => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0));
  if ('PushManager' in globalThis) globalThis.webPush = {
    now: async () => (await (await manager()).getSubscription())?.endpoint ?? null,
    begin: async key => {
      if (await Notification.requestPermission() !== 'granted') return null;
      // One for another key would be refused.
      await webPush.end();
      const made = await (await manager()).subscribe({ userVisibleOnly: true, applicationServerKey: bytes(key) });
      return JSON.stringify(made);
    },
    end: async () => { await (await (await manager()).getSubscription())?.unsubscribe(); return null; },
  };
  addEventListener('forget', () => {
    worker.controller?.postMessage('forget');
    caches.delete('known');
  });
}

await init({ module_or_path: '{{app.wasm}}' });
