/** Messages for tests. */
import type { Message } from '../api/types.ts';

export function message(id: string, change: Partial<Message> = {}): Message {
  return {
    id, from: 'bob', to: 'alice', text: `text ${id}`, timestamp: '2026-03-05T10:00:00.000000Z', read: false, status: 'ok',
    state: 'delivered', mine: false, kind: 'text', reply_to: null, late: false, reason: null, conversation: 'b', sender_device: null,
    needs_newer: false, waits: null, ...change,
  };
}

export function many(from: number, to: number): Message[] {
  return Array.from({ length: to - from }, (_, at) => message(String(from + at)));
}
