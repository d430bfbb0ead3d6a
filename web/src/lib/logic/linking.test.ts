import { expect, test } from 'vitest';

import { pieces } from './linking.ts';

const links = (text: string) => pieces(text).filter(({ href }) => href !== null).map(({ text: shown }) => shown);

test.each([
  ['see https://example.org/a?b=c#d.', ['https://example.org/a?b=c#d']],
  ['(https://example.org)', ['https://example.org']],
  ['https://en.wikipedia.org/wiki/Tea_(drink), and more', ['https://en.wikipedia.org/wiki/Tea_(drink)']],
  ['http://a.example and https://b.example!', ['http://a.example', 'https://b.example']],
  ['HTTPS://EXAMPLE.ORG/X', ['HTTPS://EXAMPLE.ORG/X']],
])('finds the addresses in %s', (text, expected) => expect(links(text)).toEqual(expected));

test.each([
  'javascript:alert(1)', 'data:text/html,<script>alert(1)</script>', 'file:///etc/passwd', 'https://', 'http:///x',
  'https://alice:secret@example.org', 'vbscript:x', 'ftp://example.org', 'httpss://x', 'no address',
])('makes no link of %s', (text) => expect(links(text)).toEqual([]));

test('an address ends where markup would begin', () => {
  const [link] = pieces('https://example.org/"><img src=x onerror=alert(1)>');
  expect(link).toEqual({ text: 'https://example.org/', href: 'https://example.org/' });
});

test('no character is lost, whatever the text', () => {
  let seed = 7;
  const parts = ['https://', 'a.example', ')', '(', '.', ' ', '\n', '<b>', 'ñ', '🎉', '"', 'http://x@y'];
  for (let round = 0; round < 500; round += 1) {
    let text = '';
    for (let part = 0; part < 12; part += 1) {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      text += parts[seed % parts.length] ?? '';
    }
    expect(pieces(text).map((piece) => piece.text).join('')).toBe(text);
    expect(pieces(text).every(({ href }) => href === null || /^https?:\/\//.test(href))).toBe(true);
  }
});
