import { type ReactElement, useId, useState } from 'react'
import { useLocation } from 'wouter'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { Bond } from '../../api/wire.ts'
import { now } from '../../browser/effects.ts'
import { Dialog, ReasonField } from '../../components/dialog.tsx'
import { notify } from '../../layout/toasts.tsx'
import { plural } from '../../time/instants.ts'
import type { Acts } from './use-user-mutations.ts'

interface Props {
  readonly bond: Bond
  readonly acts: Acts
  close(): void
}

export function CapDialog({ bond, acts, close }: Props): ReactElement {
  const [kind, setKind] = useState(
    bond.capOrigin === 'default' ? 'default' : bond.dailyCap === 0 ? 'unlimited' : 'number',
  )
  const [number, setNumber] = useState(bond.dailyCap === 0 ? '' : String(bond.dailyCap))
  const [reason, setReason] = useState('')
  const name = useId()
  const valid = kind !== 'number' || /^\d{1,12}$/.test(number)
  return (
    <Dialog
      title="Daily cap"
      lead={`How many messages ${bond.user} may send in a day. It holds from the next message on; what was sent today counts.`}
      confirm="Set the cap"
      ready={valid}
      close={close}
      act={() => acts.setCap(kind === 'default' ? null : kind === 'unlimited' ? 0 : Number(number), reason)}
    >
      <fieldset className="radios">
        <legend className="unseen">Cap</legend>
        <label>
          <input type="radio" name={name} checked={kind === 'number'} onChange={() => setKind('number')} />
          At most
          <input
            type="text"
            inputMode="numeric"
            className="short"
            aria-label="Messages a day"
            value={number}
            onFocus={() => setKind('number')}
            onInput={(event) => setNumber(event.currentTarget.value.trim())}
          />
          a day
        </label>
        <label>
          <input type="radio" name={name} checked={kind === 'unlimited'} onChange={() => setKind('unlimited')} />
          Unlimited
        </label>
        <label>
          <input type="radio" name={name} checked={kind === 'default'} onChange={() => setKind('default')} />
          The default of everybody
        </label>
      </fieldset>
      <ReasonField value={reason} onChange={setReason} />
    </Dialog>
  )
}

const HOUR = 3_600_000
const SPANS = [
  { name: 'until somebody lifts it', ms: null },
  { name: 'for an hour', ms: HOUR },
  { name: 'for a day', ms: 24 * HOUR },
  { name: 'for a week', ms: 168 * HOUR },
] as const

export function BlockDialog({ bond, acts, close }: Props): ReactElement {
  const [reason, setReason] = useState('')
  const [span, setSpan] = useState(0)
  const id = useId()
  return (
    <Dialog
      title={`Block ${bond.user}?`}
      lead="Their next message is refused. A message that is being answered is finished."
      confirm="Block"
      dangerous
      ready={reason.trim() !== ''}
      close={close}
      act={() => {
        const ms = SPANS[span]?.ms ?? null
        return acts.block(reason, ms === null ? null : new Date(now() + ms).toISOString())
      }}
    >
      <div className="field">
        <label htmlFor={id}>How long</label>
        <select id={id} value={String(span)} onChange={(event) => setSpan(Number(event.currentTarget.value))}>
          {SPANS.map(({ name }, index) => (
            <option key={name} value={String(index)}>
              {name}
            </option>
          ))}
        </select>
      </div>
      <ReasonField value={reason} onChange={setReason} required />
    </Dialog>
  )
}

export function UnblockDialog({ bond, acts, close }: Props): ReactElement {
  const [reason, setReason] = useState('')
  return (
    <Dialog
      title={`Let ${bond.user} chat again?`}
      confirm="Unblock"
      close={close}
      act={() => acts.unblock(reason)}
      lead={bond.blocked === null ? undefined : `Blocked by ${bond.blocked.actor}: “${bond.blocked.reason}”`}
    >
      <ReasonField value={reason} onChange={setReason} />
    </Dialog>
  )
}

export function CorrectDialog({ bond, acts, close, vocabulary }: Props & { vocabulary: Vocabulary }): ReactElement {
  const [phase, setPhase] = useState(bond.phase)
  const [riskLevel, setRiskLevel] = useState(bond.riskLevel)
  const [reason, setReason] = useState('')
  const fields = {
    ...(phase.trim() === bond.phase ? {} : { phase: phase.trim() }),
    ...(riskLevel.trim() === bond.riskLevel ? {} : { riskLevel: riskLevel.trim() }),
  }
  return (
    <Dialog
      title="Correct what was detected"
      lead="Your judgement stands until the application reports something newer."
      confirm="Correct"
      ready={reason.trim() !== '' && Object.keys(fields).length > 0 && phase.trim() !== '' && riskLevel.trim() !== ''}
      close={close}
      act={() => acts.correct(fields, reason)}
    >
      <Word label="Phase" value={phase} known={vocabulary.phases} onChange={setPhase} />
      <Word label="Risk" value={riskLevel} known={vocabulary.riskLevels} onChange={setRiskLevel} />
      <ReasonField value={reason} onChange={setReason} required />
    </Dialog>
  )
}

function Word(props: {
  label: string
  value: string
  known: readonly string[]
  onChange(value: string): void
}): ReactElement {
  const id = useId()
  return (
    <div className="field">
      <label htmlFor={id}>{props.label}</label>
      <input
        id={id}
        list={`${id}-known`}
        value={props.value}
        autoComplete="off"
        onInput={(event) => props.onChange(event.currentTarget.value)}
      />
      <datalist id={`${id}-known`}>
        {props.known.map((word) => (
          <option key={word} value={word} />
        ))}
      </datalist>
    </div>
  )
}

export function EvictDialog({ bond, acts, close }: Props): ReactElement {
  const [reason, setReason] = useState('')
  return (
    <Dialog
      title="Close live clients?"
      lead={`Model and MCP connections of ${bond.user} close when their last use ends, and open again with the next message.`}
      confirm="Close them"
      close={close}
      act={() => acts.evict(reason)}
    >
      <ReasonField value={reason} onChange={setReason} />
    </Dialog>
  )
}

/** The one thing that cannot be taken back asks for the id to be typed. */
export function EraseDialog({ bond, acts, close }: Props): ReactElement {
  const [typed, setTyped] = useState('')
  const [reason, setReason] = useState('')
  const [, navigate] = useLocation()
  const id = useId()
  return (
    <Dialog
      title={`Erase ${bond.user} for good?`}
      lead="Settings, secrets, profile, actions, bond, log, notes and kept answers are gone, here and in every copy. It cannot be taken back."
      confirm="Erase for good"
      dangerous
      ready={typed === bond.user && reason.trim() !== ''}
      close={close}
      act={async () => {
        const { erased } = await acts.erase(reason)
        const rows = Object.values(erased).reduce((sum, count) => sum + count, 0)
        notify(`${bond.user} is erased: ${plural(rows, 'record')}.`)
        navigate('/users')
      }}
    >
      <div className="field">
        <label htmlFor={id}>
          Type <strong className="mono">{bond.user}</strong> to go on
        </label>
        <input
          id={id}
          value={typed}
          autoComplete="off"
          spellCheck="false"
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
      </div>
      <ReasonField value={reason} onChange={setReason} required />
    </Dialog>
  )
}
