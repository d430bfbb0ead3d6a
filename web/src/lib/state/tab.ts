/** What only this tab keeps: drafts, and messages that the node has not taken yet. Gone when the tab is closed, because
    nothing that is written here may lie on the disk unencrypted. */
export interface Unsent {
  id: string;
  user: string;
  text: string;
  replyTo: string | null;
  at: string;
}

export function draft(userId: string): string {
  return sessionStorage.getItem(`draft:${userId}`) ?? '';
}

export function keepDraft(userId: string, text: string): void {
  if (text) sessionStorage.setItem(`draft:${userId}`, text);
  else sessionStorage.removeItem(`draft:${userId}`);
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
