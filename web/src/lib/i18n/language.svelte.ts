/** Which language the page speaks: the user's choice, else the browser's. */
import { prefs } from '../state/prefs.svelte.ts';
import { en, type Words } from './en.ts';
import { es } from './es.ts';

export type Language = 'en' | 'es';
const WORDS: Record<Language, Words> = { en, es };

export function language(): Language {
  if (prefs.language !== 'auto') return prefs.language;
  return navigator.languages.some((wanted) => wanted.startsWith('es')) && !navigator.language.startsWith('en') ? 'es' : 'en';
}

/** What the page says, in that language. */
export function say(): Words {
  return WORDS[language()];
}
