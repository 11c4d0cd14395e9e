import './card.css'
import type { ReactElement, ReactNode } from 'react'

/** A section with the look of a card. */
export function Surface(props: { id?: string; label?: string; className: string; children: ReactNode }): ReactElement {
  return (
    <section id={props.id} className={`card ${props.className}`} aria-label={props.label}>
      {props.children}
    </section>
  )
}

/** A titled section of a page; `aside` is shown at the end of the title row. */
export function Card(props: { title: string; id: string; aside?: ReactNode; children: ReactNode }): ReactElement {
  return (
    <section className="card" aria-labelledby={props.id}>
      <div className="card__header">
        <h2 id={props.id}>{props.title}</h2>
        {props.aside !== undefined && <div>{props.aside}</div>}
      </div>
      {props.children}
    </section>
  )
}
