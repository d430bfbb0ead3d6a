/** What is worth a notice, and how the title counts. Pure. */
import type { Message } from '../api/types.ts';

export function title(unread: number): string {
  return unread > 0 ? `(${unread > 999 ? '999+' : unread}) Telegraph` : 'Telegraph';
}

/** Whether the user wants to be told of a message that has just come. */
export function isNews(message: Message, seen: { open: boolean; muted: boolean }): boolean {
  return !message.mine && message.kind === 'text' && message.state !== 'read' && !seen.open && !seen.muted;
}
