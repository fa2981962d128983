// Dark or light: as the system says, until somebody says otherwise; kept on this computer.

import { $ } from './elements.js';

const KEY = 'watchparty theme';

export function theme() {
  const root = document.documentElement;
  const dark = matchMedia('(prefers-color-scheme: dark)');
  try {
    const kept = localStorage.getItem(KEY);
    if (kept === 'dark' || kept === 'light') root.dataset.theme = kept;
  } catch {
    // Storage may be forbidden; then it is the system's each time.
  }
  $('theme').onclick = () => {
    const now = root.dataset.theme ?? (dark.matches ? 'dark' : 'light');
    root.dataset.theme = now === 'dark' ? 'light' : 'dark';
    try {
      localStorage.setItem(KEY, root.dataset.theme);
    } catch {
      // As above.
    }
  };
}
