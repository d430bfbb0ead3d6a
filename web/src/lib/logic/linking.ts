/** A text in pieces: words, and web addresses that can be followed. Pure; what becomes of a piece is never HTML. */
export interface Piece {
  text: string;
  href: string | null;
}

const ADDRESS = /\bhttps?:\/\/(?=[^/?#])[^\s<>"'`{}|\\^]+/gi;
const AFTER = /[.,:;!?…)\]*_~]$/;

export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let done = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const shown = withoutWhatFollows(match[0]);
    const href = safe(shown);
    if (href === null) continue;
    if (match.index > done) found.push({ text: text.slice(done, match.index), href: null });
    found.push({ text: shown, href });
    done = match.index + shown.length;
  }
  if (done < text.length) found.push({ text: text.slice(done), href: null });
  return found;
}

/** Punctuation at the end belongs to the sentence, but a bracket that was opened in the address to the address. */
function withoutWhatFollows(address: string): string {
  let shown = address;
  for (;;) {
    const end = AFTER.exec(shown)?.[0];
    if (end === undefined) return shown;
    if (end === ')' && count(shown, '(') >= count(shown, ')')) return shown;
    shown = shown.slice(0, -1);
  }
}

function count(text: string, character: string): number {
  return text.split(character).length - 1;
}

/** The address if it is http or https to a named host without a password in it, else null. */
function safe(address: string): string | null {
  try {
    const url = new URL(address);
    const web = url.protocol === 'http:' || url.protocol === 'https:';
    return web && url.hostname !== '' && url.username === '' && url.password === '' ? url.href : null;
  } catch {
    return null;
  }
}
