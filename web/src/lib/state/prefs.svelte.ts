/** Choices of this browser: kept here, the same in every tab. */
export interface Prefs {
  language: 'auto' | 'en' | 'es';
  theme: 'auto' | 'light' | 'dark';
  sound: boolean;
  desktop: boolean;
  pinned: string[];
  muted: string[];
  emoji: string[];
}

const KEY = 'telegraph';
const FIRST: Prefs = { language: 'auto', theme: 'auto', sound: true, desktop: false, pinned: [], muted: [], emoji: [] };

export const prefs: Prefs = $state({ ...FIRST, ...read(localStorage.getItem(KEY)) });

addEventListener('storage', ({ key, newValue }) => {
  if (key === KEY) Object.assign(prefs, FIRST, read(newValue));
});

export function choose(change: Partial<Prefs>): void {
  Object.assign(prefs, change);
  localStorage.setItem(KEY, JSON.stringify(prefs));
}

/** Adds something to a list of choices or takes it out. */
export function toggle(list: 'pinned' | 'muted', id: string): void {
  const now = prefs[list];
  choose({ [list]: now.includes(id) ? now.filter((one) => one !== id) : [...now, id] });
}

function read(text: string | null): Partial<Prefs> {
  try {
    return JSON.parse(text ?? '{}') as Partial<Prefs>;
  } catch {
    return {};
  }
}
