/** Keeping what somebody looks at where it is, while messages are added and removed around it. */
export interface Anchor {
  id: string;
  top: number;
}

/** The first message that is in view, and where. */
export function anchorOf(scroller: HTMLElement): Anchor | null {
  const edge = scroller.getBoundingClientRect().top;
  for (const line of scroller.querySelectorAll<HTMLElement>('[data-id]')) {
    const box = line.getBoundingClientRect();
    if (box.bottom > edge) return { id: line.dataset.id ?? '', top: box.top };
  }
  return null;
}

/** Scrolls so that it is there again. */
export function keepAt(scroller: HTMLElement, anchor: Anchor): void {
  const line = scroller.querySelector(`[data-id="${CSS.escape(anchor.id)}"]`);
  if (line !== null) scroller.scrollTop += line.getBoundingClientRect().top - anchor.top;
}
