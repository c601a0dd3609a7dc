// What an answer says about itself, behind a button: opens on click, closes on Escape or when the focus leaves.

import { useEffect, useId, useRef, useState } from 'preact/hooks';

interface Props {
  notes: string[];
  /** What the notes are about, for those who do not see where the button stands. */
  about: string;
}

export function Note({ notes, about }: Props) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const id = useId();
  useEffect(() => {
    if (!open) return;
    const away = (event: Event) => !root.current?.contains(event.target as Node) && setOpen(false);
    addEventListener('pointerdown', away);
    addEventListener('focusin', away);
    return () => {
      removeEventListener('pointerdown', away);
      removeEventListener('focusin', away);
    };
  }, [open]);
  if (notes.length === 0) return null;
  return (
    <div class="note" ref={root} onKeyDown={(event) => event.key === 'Escape' && setOpen(false)}>
      <button
        type="button"
        class="note-button"
        aria-expanded={open}
        aria-controls={id}
        aria-label={`About these numbers: ${about}`}
        onClick={() => setOpen(!open)}
      >
        i
      </button>
      <div class="note-text" id={id} hidden={!open}>
        {notes.map((text) => (
          <p key={text}>{text}</p>
        ))}
      </div>
    </div>
  );
}
