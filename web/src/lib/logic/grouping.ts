/** Which bubbles belong together, and where a new day begins. Pure. */
import type { Message } from '../api/types.ts';

const TOGETHER_MS = 5 * 60_000;

export interface Line {
  message: Message;
  /** The day that begins with this message, as a local date, if one does. */
  day: string | null;
  /** First and last of a run of bubbles of one person. */
  first: boolean;
  last: boolean;
}

/** The local day of a time, comparable as text. */
export function dayOf(timestamp: string): string {
  const time = new Date(timestamp);
  const two = (part: number) => String(part).padStart(2, '0');
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
}

/** The lines of a conversation; those of `before` that are still so are the same objects, so that they need no drawing. */
export function grouped(messages: readonly Message[], before: readonly Line[] = []): Line[] {
  const known = new Map(before.map((line) => [line.message, line]));
  const days = messages.map((message) => dayOf(message.timestamp));
  const joined = messages.map((message, at) => at > 0 && days[at] === days[at - 1] && belongs(messages[at - 1], message));
  return messages.map((message, at) => {
    const line = { message, day: days[at] !== days[at - 1] ? (days[at] ?? null) : null, first: !joined[at], last: !joined[at + 1] };
    const old = known.get(message);
    return old?.day === line.day && old.first === line.first && old.last === line.last ? old : line;
  });
}

function belongs(before: Message | undefined, message: Message): boolean {
  if (before === undefined || before.kind !== 'text' || message.kind !== 'text') return false;
  const apart = Math.abs(Date.parse(message.timestamp) - Date.parse(before.timestamp));
  return before.mine === message.mine && apart < TOGETHER_MS;
}
