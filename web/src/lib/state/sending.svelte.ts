/** Messages on their way from this tab to the node: one after the other, and again when the node is back. */
import { ApiError, call, sentence } from '../api/client.ts';
import type { Message } from '../api/types.ts';
import { keepUnsent, unsent, type Unsent } from './tab.ts';

const CLOCKS_DIFFER_MS = 2000;

class Sending {
  waiting: Unsent[] = $state(unsent());
  /** Why the node did not take a message, by the person whom it was for. */
  refused: Record<string, string> = $state({});
  onSent: (message: Message) => void = () => undefined;
  onRefused: (message: Unsent) => void = () => undefined;
  #busy = false;
  /** Messages of which it is not known whether the node has them: the answer to the call did not come. */
  #doubtful = new Set(this.waiting.map(({ id }) => id));

  to(user: string): Unsent[] {
    return this.waiting.filter((message) => message.user === user);
  }

  add(user: string, text: string, replyTo: string | null): void {
    const at = new Date().toISOString();
    this.#keep([...this.waiting, { id: crypto.randomUUID(), user, text, replyTo, at }]);
    this.refused = Object.fromEntries(Object.entries(this.refused).filter(([one]) => one !== user));
    void this.flush();
  }

  /** A message of this user's came over the stream: one of those that wait here has arrived. */
  arrived(message: Message): void {
    const found = this.waiting.find(({ user, text }) => user === message.to && text === message.text);
    if (found !== undefined) this.#drop(found);
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
      if (!(await this.#isThere(message))) this.onSent(await this.#post(message));
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

  async #post(message: Unsent): Promise<Message> {
    this.#doubtful.add(message.id);
    return call('POST /messages', { body: { to: message.user, text: message.text, reply_to: message.replyTo } });
  }

  /** Whether the node has it although its answer was lost; a second copy would be worse than a moment's wait. */
  async #isThere(message: Unsent): Promise<boolean> {
    if (!this.#doubtful.has(message.id)) return false;
    const since = Date.parse(message.at) - CLOCKS_DIFFER_MS;
    const page = await call('GET /conversations/{user}/messages', { path: { user: message.user }, query: { limit: 50 } });
    return page.messages.some(({ mine, text, timestamp }) => mine && text === message.text && Date.parse(timestamp) >= since);
  }

  #drop(message: Unsent): void {
    this.#doubtful.delete(message.id);
    this.#keep(this.waiting.filter(({ id }) => id !== message.id));
  }

  #keep(waiting: Unsent[]): void {
    this.waiting = waiting;
    keepUnsent(waiting);
  }
}

export const sending = new Sending();
