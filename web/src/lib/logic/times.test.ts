import { expect, test } from 'vitest';

import { ago, dayName, moment, short } from './times.ts';

const NOW = new Date(2026, 2, 5, 12, 0, 0);
const before = (days: number, hours = 0) => new Date(NOW.getTime() - days * 86_400_000 - hours * 3_600_000).toISOString();

test('days are named as people name them, in both languages', () => {
  expect(dayName(before(0), NOW, 'en')).toBe('Today');
  expect(dayName(before(1), NOW, 'es')).toBe('Ayer');
  expect(dayName(before(3), NOW, 'en')).toBe('Monday');
  expect(dayName(before(30), NOW, 'es')).toBe('3 de febrero');
  expect(dayName(before(400), NOW, 'en')).toBe('January 29, 2025');
});

test('a time ahead of the clock is today or a date, never "in two days"', () => {
  expect(dayName(before(-2), NOW, 'en')).toBe('March 7');
  expect(short(before(-2), NOW, 'en')).toMatch(/\d/);
});

test('a moment has a day and a time of day', () => {
  expect(moment(NOW.toISOString(), 'en')).toMatch(/^Mar 5, 2026, 12:00\sPM$/);
});

test('how long ago something was', () => {
  expect(ago(before(0), NOW, 'en')).toBe('now');
  expect(ago(before(0, 2), NOW, 'en')).toBe('2 hours ago');
  expect(ago(before(1), NOW, 'es')).toBe('ayer');
  expect(ago(new Date(NOW.getTime() + 60_000).toISOString(), NOW, 'en')).toBe('now');
});
