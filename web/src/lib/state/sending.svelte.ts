/** Messages on their way from this tab to the node: one after the other, and again when the node is back. Each is handed
    in under an id of its own, so that handing it in again after a lost answer sends it once. */
import { ApiError, call, sentence } from '../api/client.ts';
import type { Message } from '../api/types.ts';
import { keepUnsent, unsent, type Unsent } from './tab.ts';

class Sending {
  waiting: Unsent[] = $state(unsent());
  /** Why the node did not take a message, by the person whom it was for. */
  refused: Record<string, string> = $state({});
  onSent: (message: Message) => void = () => undefined;
  onRefused: (message: Unsent) => void = () => undefined;
  #busy = false;

  to(user: string): Unsent[] {
    return this.waiting.filter((message) => message.user === user);
  }

  add(user: string, text: string, replyTo: string | null): void {
    const at = new Date().toISOString();
    this.#keep([...this.waiting, { id: crypto.randomUUID(), user, text, replyTo, at }]);
    this.refused = Object.fromEntries(Object.entries(this.refused).filter(([one]) => one !== user));
    void this.flush();
  }

  /** Hands over what waits, in order; stops when the node is away. */
  async flush(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.waiting[0]; next !== undefined; next = this.waiting[0]) {
        if (!(await this.#hand(next))) return;
      }
    } finally {
      this.#busy = false;
    }
  }

  async #hand(message: Unsent): Promise<boolean> {
    try {
      this.onSent(await this.#post(message));
      this.#drop(message);
      return true;
    } catch (problem) {
      if (problem instanceof ApiError && (problem.away || problem.status === 503 || problem.status === 401)) return false;
      this.refused[message.user] = sentence(problem);
      this.#drop(message);
      this.onRefused(message);
      return true;
    }
  }

  #post({ id, user, text, replyTo }: Unsent): Promise<Message> {
    return call('POST /messages', { body: { to: user, text, reply_to: replyTo, request_id: id } });
  }

  #drop(message: Unsent): void {
    this.#keep(this.waiting.filter(({ id }) => id !== message.id));
  }

  #keep(waiting: Unsent[]): void {
    this.waiting = waiting;
    keepUnsent(waiting);
  }
}

export const sending = new Sending();
