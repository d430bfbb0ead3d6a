/** What only this tab keeps, until the node has it: messages and drafts. Gone when the tab is closed. */
export interface Unsent {
  id: string;
  user: string;
  text: string;
  replyTo: string | null;
  at: string;
}

interface Draft {
  user: string;
  text: string;
}

const DRAFT = 'draft:';

export function draftHere(userId: string): string | null {
  return read(DRAFT + userId)?.text ?? null;
}

/** By user id. */
export function draftsHere(): [string, Draft][] {
  const keys = Object.keys(sessionStorage).filter((key) => key.startsWith(DRAFT));
  return keys.flatMap((key) => {
    const draft = read(key);
    return draft === null ? [] : [[key.slice(DRAFT.length), draft] satisfies [string, Draft]];
  });
}

export function keepDraftHere(userId: string, user: string, text: string): void {
  sessionStorage.setItem(DRAFT + userId, JSON.stringify({ user, text }));
}

export function forgetDraft(userId: string): void {
  sessionStorage.removeItem(DRAFT + userId);
}

export function unsent(): Unsent[] {
  return JSON.parse(sessionStorage.getItem('unsent') ?? '[]') as Unsent[];
}

export function keepUnsent(messages: readonly Unsent[]): void {
  sessionStorage.setItem('unsent', JSON.stringify(messages));
}

export function forgetTab(): void {
  sessionStorage.clear();
}

function read(key: string): Draft | null {
  const text = sessionStorage.getItem(key);
  return text === null ? null : (JSON.parse(text) as Draft);
}
