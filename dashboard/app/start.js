// Begins the app. The chosen theme is set before anything is seen.
import init from '{{app.js}}';

const theme = localStorage.getItem('theme');
const dark = theme === 'dark' || (theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
document.documentElement.dataset.theme = dark ? 'dark' : 'light';
await init({ module_or_path: '{{app.wasm}}' });
