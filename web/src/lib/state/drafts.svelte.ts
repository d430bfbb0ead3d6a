/** What the user began to write. The node keeps it in its encrypted store, for every browser and after a restart; until
    the node has it, this tab does. */
import { call } from '../api/client.ts';
import { draftHere, draftsHere, forgetDraft, keepDraftHere } from './tab.ts';

const PAUSE_MS = 400;

class Drafts {
  /** By user id, as the node has them. */
  #kept: Record<string, string> = $state({});
  #handed = 0;
  #timers = new Map<string, ReturnType<typeof setTimeout>>();

  of(userId: string): string {
    return draftHere(userId) ?? this.#kept[userId] ?? '';
  }

  async load(): Promise<void> {
    const before = this.#handed;
    const { drafts } = await call('GET /drafts');
    if (before !== this.#handed) return this.load(); // the answer may be older than what was handed over meanwhile
    this.#kept = Object.fromEntries(drafts.map(({ user_id, text }) => [user_id, text]));
    for (const [userId, { user, text }] of draftsHere()) void this.#hand(userId, user, text);
  }

  keep(userId: string, user: string, text: string): void {
    if (text === this.of(userId)) return;
    keepDraftHere(userId, user, text);
    clearTimeout(this.#timers.get(userId));
    this.#timers.set(userId, setTimeout(() => void this.#hand(userId, user, text), PAUSE_MS));
  }

  forget(): void {
    this.#kept = {};
  }

  async #hand(userId: string, user: string, text: string): Promise<void> {
    try {
      await call('PUT /conversations/{user}/draft', { path: { user }, body: { text } });
    } catch {
      return; // this tab keeps it, and hands it over when the node is back
    }
    this.#handed += 1;
    this.#kept[userId] = text;
    if (draftHere(userId) === text) forgetDraft(userId);
  }
}

export const drafts = new Drafts();
