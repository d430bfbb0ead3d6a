import { expect, test } from 'vitest';

import { folded, hue, inGroups, initial } from './names.ts';
import { isNews, title } from './news.ts';
import { message } from './testing.ts';
import { hashOf, parse } from '../state/route.svelte.ts';

test('an initial is a whole character', () => {
  expect([initial('bob'), initial('ñandú'), initial('👩‍👧 x'), initial(''), initial('é')]).toEqual(['B', 'Ñ', '👩‍👧', '?', 'É']);
});

test('a person always has the same colour', () => {
  expect(hue('abc')).toBe(hue('abc'));
  expect(new Set(Array.from({ length: 200 }, (_, at) => hue(`user-${at}`))).size).toBe(8);
});

test('names are found without accents and capitals', () => expect(folded('José ÑANDÚ')).toBe('jose nandu'));

test('fingerprints come in groups', () => expect(inGroups('0123456789')).toBe('0123 4567 89'));

test('the title counts', () => expect([title(0), title(3), title(4000)]).toEqual(['Telegraph', '(3) Telegraph', '(999+) Telegraph']));

test('only what others wrote, unseen and not muted, is news', () => {
  const unseen = { open: false, muted: false };
  expect(isNews(message('1'), unseen)).toBe(true);
  expect(isNews(message('1', { mine: true }), unseen)).toBe(false);
  expect(isNews(message('1', { kind: 'key_changed' }), unseen)).toBe(false);
  expect(isNews(message('1', { state: 'read' }), unseen)).toBe(false);
  expect(isNews(message('1'), { open: true, muted: false })).toBe(false);
  expect(isNews(message('1'), { open: false, muted: true })).toBe(false);
});

test('every place has an address, and every address a place', () => {
  for (const chat of [null, 'bob', 'settings', 'a/b', 'josé~a', '%']) {
    for (const panel of [null, 'settings', 'trust'] as const) expect(parse(hashOf({ chat, panel }))).toEqual({ chat, panel });
  }
  expect(parse('#/%E0%A4%A')).toEqual({ chat: null, panel: null });
});
