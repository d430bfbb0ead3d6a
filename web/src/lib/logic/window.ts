/** The part of a conversation that is on the page: a window that slides over up to 100,000 messages. Pure. */
import type { Message } from '../api/types.ts';

/** Messages on the page at most; more would make scrolling slow. */
export const MOST = 400;
export const PAGE = 80;

export interface Part {
  messages: Message[];
  /** Whether there are older and newer ones that are not on the page. */
  older: boolean;
  newer: boolean;
}

export const EMPTY: Part = { messages: [], older: true, newer: false };

/** The latest messages as the node has them; what is on the page above them stays. */
export function withLatest(part: Part, latest: readonly Message[], more: boolean): Part {
  const first = latest[0];
  const at = first === undefined ? -1 : part.messages.findIndex((message) => message.id === first.id);
  if (at < 0) return { messages: [...latest], older: more, newer: false };
  const messages = [...part.messages.slice(0, at), ...unchanged(part.messages.slice(at), latest)];
  return trimmedAbove({ messages, older: part.older, newer: false });
}

export function withOlder(part: Part, page: readonly Message[], more: boolean): Part {
  const known = new Set(part.messages.map((message) => message.id));
  const messages = [...page.filter((message) => !known.has(message.id)), ...part.messages];
  const kept = messages.slice(0, MOST);
  return { messages: kept, older: more, newer: part.newer || kept.length < messages.length };
}

export function withNewer(part: Part, page: readonly Message[], more: boolean): Part {
  const known = new Set(part.messages.map((message) => message.id));
  const messages = [...part.messages, ...page.filter((message) => !known.has(message.id))];
  return trimmedAbove({ messages, older: part.older, newer: more });
}

/** A message that is new or has changed; one that is not on the page comes last, if the page shows the end. */
export function withMessage(part: Part, message: Message): Part {
  const at = part.messages.findIndex(({ id }) => id === message.id);
  if (at >= 0) return { ...part, messages: part.messages.with(at, message) };
  return part.newer ? part : trimmedAbove({ ...part, messages: [...part.messages, message] });
}

export function without(part: Part, id: string | null): Part {
  if (id === null) return { messages: [], older: false, newer: false };
  return { ...part, messages: part.messages.filter((message) => message.id !== id) };
}

/** Up to MOST messages around the first unread one, out of the latest. */
export function aroundUnread(latest: readonly Message[], unread: number, more: boolean): Part {
  const start = Math.max(0, latest.length - Math.max(PAGE, unread + 20));
  const messages = latest.slice(start, start + MOST);
  return { messages, older: more || start > 0, newer: start + messages.length < latest.length };
}

/** What is fresh; where it is as before, the object of before, so that its line need not be drawn again. */
function unchanged(before: readonly Message[], fresh: readonly Message[]): Message[] {
  const known = new Map(before.map((message) => [message.id, message]));
  return fresh.map((message) => {
    const old = known.get(message.id);
    return old !== undefined && JSON.stringify(old) === JSON.stringify(message) ? old : message;
  });
}

function trimmedAbove(part: Part): Part {
  if (part.messages.length <= MOST) return part;
  return { messages: part.messages.slice(-MOST), older: true, newer: part.newer };
}
