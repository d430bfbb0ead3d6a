/** What stands for a person where there is no picture. Pure. */
const HUES = 8;

/** The first letter as it is written, whole even if it takes several code units. */
export function initial(name: string): string {
  const first = [...new Intl.Segmenter().segment(name.trim())][0]?.segment ?? '?';
  return first.toLocaleUpperCase();
}

/** One of a few colours, the same for a person on every page. */
export function hue(userId: string): number {
  let sum = 0;
  for (const character of userId) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 997;
  return sum % HUES;
}

/** A fingerprint in groups that an eye can compare. */
export function inGroups(hex: string, size = 4): string {
  return hex.match(new RegExp(`.{1,${size}}`, 'g'))?.join(' ') ?? hex;
}

/** Lower case without accents, for looking through names. */
export function folded(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}
