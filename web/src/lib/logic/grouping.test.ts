import { expect, test } from 'vitest';

import { dayOf, grouped } from './grouping.ts';
import { message } from './testing.ts';

const at = (time: string) => new Date(time).toISOString();

test('bubbles of one person within five minutes belong together', () => {
  const lines = grouped([
    message('1', { timestamp: at('2026-03-05T10:00:00') }),
    message('2', { timestamp: at('2026-03-05T10:04:00') }),
    message('3', { timestamp: at('2026-03-05T10:20:00') }),
    message('4', { timestamp: at('2026-03-05T10:20:01'), mine: true }),
  ]);
  expect(lines.map(({ first, last }) => [first, last])).toEqual([[true, false], [false, true], [true, true], [true, true]]);
});

test('a day begins once, also where the clock of a sender goes back', () => {
  const lines = grouped([
    message('1', { timestamp: at('2026-03-04T23:59:59') }),
    message('2', { timestamp: at('2026-03-05T00:00:01') }),
    message('3', { timestamp: at('2026-03-05T00:00:00') }),
  ]);
  expect(lines.map(({ day }) => day)).toEqual(['2026-03-04', '2026-03-05', null]);
  expect(lines[1]?.first).toBe(true);
});

test('what the node itself wrote stands alone', () => {
  const lines = grouped([message('1'), message('2', { kind: 'key_changed' }), message('3')]);
  expect(lines.every(({ first, last }) => first && last)).toBe(true);
});

test('nothing gives nothing', () => expect(grouped([])).toEqual([]));

test('a day is the one of this place', () => expect(dayOf(at('2026-12-31T23:30:00'))).toBe('2026-12-31'));

test('a line that is as before is the same object, whatever came behind it', () => {
  const [one, two, three] = [message('1'), message('2'), message('3', { mine: true })];
  const before = grouped([one, two]);
  const after = grouped([one, two, three, message('4', { mine: true })], before);
  expect(after.slice(0, 2).map((line, at) => line === before[at])).toEqual([true, true]);
  expect(grouped([one, { ...two, state: 'read' }], before)[1]).not.toBe(before[1]);
  expect(grouped([one, two, message('5')], before)[1]).toMatchObject({ last: false });
});
