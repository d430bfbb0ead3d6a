import { expect, test } from 'vitest';

import { many, message } from './testing.ts';
import { EMPTY, MOST, aroundUnread, withLatest, withMessage, withNewer, withOlder, without, type Part } from './window.ts';

const ids = (part: Part) => part.messages.map(({ id }) => Number(id));
const consecutive = (part: Part) => ids(part).every((id, at, all) => at === 0 || id === (all[at - 1] ?? 0) + 1);

test('scrolling up through 100,000 messages never keeps more than a window of them, and all in order', () => {
  let part = withLatest(EMPTY, many(99_920, 100_000), true);
  for (let first = 99_920; first > 0; first -= 80) {
    part = withOlder(part, many(first - 80, first), first > 80);
    expect(part.messages.length).toBeLessThanOrEqual(MOST);
    expect(ids(part)[0]).toBe(first - 80);
  }
  expect(consecutive(part)).toBe(true);
  expect(part.older).toBe(false);
  expect(part.newer).toBe(true);
});

test('and down again, to the end', () => {
  let part: Part = { messages: many(0, 80), older: false, newer: true };
  for (let last = 80; last < 1000; last += 80) part = withNewer(part, many(last, Math.min(last + 80, 1000)), last + 80 < 1000);
  expect(ids(part).at(-1)).toBe(999);
  expect(part).toMatchObject({ older: true, newer: false });
  expect(consecutive(part)).toBe(true);
});

test('the end as the node has it takes the place of what was there, in its order', () => {
  const part = { messages: many(0, 5), older: false, newer: false };
  const [third, fourth, fifth] = many(2, 5);
  const fresh = [third, fifth, fourth, message('5')].filter((one) => one !== undefined);
  expect(ids(withLatest(part, fresh, true))).toEqual([0, 1, 2, 4, 3, 5]);
});

test('what the node has as it was is the same object', () => {
  const part = { messages: many(0, 5), older: false, newer: false };
  const { messages } = withLatest(part, [message('3'), message('4', { state: 'read' }), message('5')], true);
  expect([messages[3] === part.messages[3], messages[4] === part.messages[4]]).toEqual([true, false]);
});

test('after a long absence the window begins anew', () => {
  expect(withLatest({ messages: many(0, 5), older: false, newer: false }, many(50, 60), true)).toMatchObject({ older: true });
});

test('a message that changed stays in its place', () => {
  const part = withMessage({ messages: many(0, 3), older: false, newer: false }, message('1', { state: 'read' }));
  expect(part.messages.map(({ state }) => state)).toEqual(['delivered', 'read', 'delivered']);
});

test('a new message is not put behind a part that is not the end', () => {
  const part = { messages: many(0, 3), older: false, newer: true };
  expect(withMessage(part, message('9'))).toBe(part);
});

test('repeated pages add nothing', () => {
  const part = { messages: many(5, 10), older: true, newer: true };
  expect(ids(withOlder(part, many(3, 7), true))).toEqual([3, 4, 5, 6, 7, 8, 9]);
  expect(ids(withNewer(part, many(8, 12), false))).toEqual([5, 6, 7, 8, 9, 10, 11]);
});

test('what is deleted is gone: one, or all', () => {
  const part = { messages: many(0, 3), older: true, newer: false };
  expect(ids(without(part, '1'))).toEqual([0, 2]);
  expect(without(part, null)).toEqual({ messages: [], older: false, newer: false });
});

test('a conversation opens where reading was left off', () => {
  const part = aroundUnread(many(0, 800), 700, true);
  expect(ids(part)[0]).toBe(80);
  expect(part.newer).toBe(true);
  expect(aroundUnread(many(0, 30), 0, false)).toMatchObject({ older: false, newer: false });
});
