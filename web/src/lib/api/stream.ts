/** The node's event stream: kept open, resumed after its cursor, so that nothing is missed. */
import { API_PREFIX, type Event } from './types.ts';

const FIRST_PAUSE = 250;
const LAST_PAUSE = 4000;

export interface Listener {
  opened(): void;
  closed(): void;
  happened(event: Event): void;
}

export class Stream {
  #socket: WebSocket | null = null;
  #cursor: number | null = null;
  #pause = FIRST_PAUSE;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ended = false;

  constructor(private readonly listener: Listener) {
    this.#open();
    addEventListener('online', this.#hurry);
    document.addEventListener('visibilitychange', this.#hurry);
  }

  close(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    removeEventListener('online', this.#hurry);
    document.removeEventListener('visibilitychange', this.#hurry);
    this.#socket?.close();
  }

  #hurry = (): void => {
    if (this.#socket !== null || this.#ended || document.hidden) return;
    clearTimeout(this.#timer);
    this.#pause = FIRST_PAUSE;
    this.#open();
  };

  #open(): void {
    const query = this.#cursor === null ? '' : `?cursor=${this.#cursor}`;
    const socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}${API_PREFIX}/events${query}`);
    this.#socket = socket;
    socket.onopen = () => {
      this.#pause = FIRST_PAUSE;
      this.listener.opened();
    };
    socket.onmessage = ({ data }: MessageEvent<string>) => {
      const event = JSON.parse(data) as Event;
      this.#cursor = event.cursor;
      this.listener.happened(event);
    };
    socket.onclose = () => {
      this.#socket = null;
      if (this.#ended) return;
      this.listener.closed();
      this.#timer = setTimeout(() => this.#open(), this.#pause);
      this.#pause = Math.min(this.#pause * 2, LAST_PAUSE);
    };
  }
}
