/** Calls of this node's local API, typed by what the node itself says (types.ts). */
import { language } from '../i18n/language.svelte.ts';
import { API_PREFIX, type Calls, type ErrorAnswer } from './types.ts';

/** What the node answered instead; `code` is stable, `message` a sentence for the user in their language. */
export class ApiError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status: number,
  ) {
    super(message);
  }

  /** Whether the node did not answer at all, so that trying again later makes sense. */
  get away(): boolean {
    return this.code === 'node_away';
  }
}

interface Options<K extends keyof Calls> {
  path?: Record<string, string>;
  query?: Calls[K]['query'];
  body?: Calls[K]['body'];
}

export async function call<K extends keyof Calls>(key: K, options: Options<K> = {}): Promise<Calls[K]['answer']> {
  const response = await send(key, options);
  const answer: unknown = await response.json().catch(() => null);
  if (!response.ok) throw refusal(response.status, answer as ErrorAnswer | null);
  return answer as Calls[K]['answer'];
}

async function send<K extends keyof Calls>(key: K, options: Options<K>): Promise<Response> {
  const [method, template = ''] = key.split(' ');
  const path = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(options.path?.[name] ?? ''));
  const asked = Object.entries(options.query ?? {}).filter(([, value]) => value !== undefined && value !== null);
  const query = new URLSearchParams(asked.map(([name, value]): [string, string] => [name, String(value)])).toString();
  const headers: Record<string, string> = { 'Accept-Language': language() };
  if (options.body !== undefined) headers['Content-Type'] = 'application/json';
  try {
    return await fetch(`${API_PREFIX}${path}${query ? `?${query}` : ''}`, {
      method,
      headers,
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      credentials: 'same-origin',
      cache: 'no-store',
    });
  } catch {
    throw new ApiError('node_away', language() === 'es' ? 'El nodo no responde.' : 'The node does not answer.', 0);
  }
}

function refusal(status: number, answer: ErrorAnswer | null): ApiError {
  return new ApiError(answer?.error ?? 'internal', answer?.message ?? `HTTP ${status}`, status);
}

/** The sentence of whatever was thrown. */
export function sentence(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}
