/** A message that was searched for, on its way to the conversation that will show it. */
import type { Message } from '../api/types.ts';

export const finding: { message: Message | null } = $state({ message: null });
