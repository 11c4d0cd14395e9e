import { type ReactElement, useId, useState } from 'react'
import { useLocation } from 'wouter'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { Bond } from '../../api/wire.ts'
import { now } from '../../browser/effects.ts'
import { FormDialog } from '../../components/dialog.tsx'
import { Field } from '../../components/field.tsx'
import { ReasonField } from '../../components/reason-field.tsx'
import { Select } from '../../components/select.tsx'
import { type AmountKind, AmountOptions } from './amount-options.tsx'
import {
  useBlock,
  useCorrect,
  useErase,
  useEvict,
  useSetCap,
  useSetTimeZone,
  useUnblock,
} from './use-user-mutations.ts'

interface UserDialogProps {
  readonly bond: Bond
  close(): void
}

export function CapDialog({ bond, close }: UserDialogProps): ReactElement {
  const setCap = useSetCap(bond)
  const [kind, setKind] = useState<AmountKind>(
    bond.capOrigin !== 'user' ? 'default' : bond.dailyCap === 0 ? 'unlimited' : 'number',
  )
  const [number, setNumber] = useState(bond.dailyCap === 0 ? '' : String(bond.dailyCap))
  const [reason, setReason] = useState('')
  const cap = { number: Number(number), unlimited: 0, default: null }[kind]
  return (
    <FormDialog
      title="Change daily cap"
      lead={`How many turns a day ${bond.user} may have. Takes effect with the next turn; the turns of today count.`}
      submitLabel="Change the cap"
      isComplete={kind !== 'number' || /^\d{1,12}$/.test(number)}
      mutation={setCap}
      submit={() => setCap.mutate({ cap, reason }, { onSuccess: close })}
      close={close}
    >
      <AmountOptions
        legend="Cap"
        unit="turns a day"
        kind={kind}
        amount={number}
        setKind={setKind}
        setAmount={setNumber}
      />
      <ReasonField value={reason} onChange={setReason} />
    </FormDialog>
  )
}

const HOUR_MS = 3_600_000
const NO_END = ''
const BLOCK_DURATIONS = [
  [NO_END, 'until unblocked'],
  [String(HOUR_MS), '1 hour'],
  [String(24 * HOUR_MS), '1 day'],
  [String(168 * HOUR_MS), '1 week'],
] as const

export function BlockDialog({ bond, close }: UserDialogProps): ReactElement {
  const block = useBlock(bond)
  const [reason, setReason] = useState('')
  const [durationMs, setDurationMs] = useState<string>(NO_END)
  return (
    <FormDialog
      title={`Block ${bond.user}?`}
      lead="New turns are refused. A turn that is already being answered is completed."
      submitLabel="Block"
      isDangerous
      isComplete={reason.trim() !== ''}
      mutation={block}
      submit={() => {
        const until = durationMs === NO_END ? null : new Date(now() + Number(durationMs)).toISOString()
        block.mutate({ reason, until }, { onSuccess: close })
      }}
      close={close}
    >
      <Field label="Duration">
        {(control) => <Select {...control} value={durationMs} options={BLOCK_DURATIONS} onChange={setDurationMs} />}
      </Field>
      <ReasonField value={reason} onChange={setReason} isRequired />
    </FormDialog>
  )
}

export function UnblockDialog({ bond, close }: UserDialogProps): ReactElement {
  const unblock = useUnblock(bond)
  const [reason, setReason] = useState('')
  return (
    <FormDialog
      title={`Unblock ${bond.user}?`}
      lead={bond.blocked === null ? undefined : `Blocked by ${bond.blocked.actor}: “${bond.blocked.reason}”`}
      submitLabel="Unblock"
      mutation={unblock}
      submit={() => unblock.mutate({ reason }, { onSuccess: close })}
      close={close}
    >
      <ReasonField value={reason} onChange={setReason} />
    </FormDialog>
  )
}

export function CorrectDialog({ bond, close, vocabulary }: UserDialogProps & { vocabulary: Vocabulary }): ReactElement {
  const correct = useCorrect(bond)
  const [phase, setPhase] = useState(bond.phase)
  const [riskLevel, setRiskLevel] = useState(bond.riskLevel)
  const [reason, setReason] = useState('')
  const fields = {
    ...(phase.trim() === bond.phase ? {} : { phase: phase.trim() }),
    ...(riskLevel.trim() === bond.riskLevel ? {} : { riskLevel: riskLevel.trim() }),
  }
  const isFilled = [phase, riskLevel, reason].every((value) => value.trim() !== '')
  return (
    <FormDialog
      title="Correct the detected values"
      lead="Your values apply until the application reports newer ones."
      submitLabel="Correct"
      isComplete={isFilled && Object.keys(fields).length > 0}
      mutation={correct}
      submit={() => correct.mutate({ fields, reason }, { onSuccess: close })}
      close={close}
    >
      <ValueField label="Phase" value={phase} {...vocabulary.phaseChoice} onChange={setPhase} />
      <ValueField label="Risk" value={riskLevel} {...vocabulary.riskChoice} onChange={setRiskLevel} />
      <ReasonField value={reason} onChange={setReason} isRequired />
    </FormDialog>
  )
}

export function TimeZoneDialog({ bond, close }: UserDialogProps): ReactElement {
  const setTimeZone = useSetTimeZone(bond)
  const [timeZone, setZone] = useState(bond.timeZone)
  const [reason, setReason] = useState('')
  const isDefault = timeZone.trim() === ''
  return (
    <FormDialog
      title="Time zone"
      lead="Decides when the user’s days, weeks and months begin. The running day ends in the old zone."
      submitLabel="Set the time zone"
      isComplete={timeZone.trim() !== bond.timeZone}
      mutation={setTimeZone}
      submit={() => setTimeZone.mutate({ timeZone: isDefault ? null : timeZone.trim(), reason }, { onSuccess: close })}
      close={close}
    >
      <ValueField
        label="Zone, empty for the default"
        value={timeZone}
        values={ZONES}
        isDeclared={false}
        onChange={setZone}
      />
      <ReasonField value={reason} onChange={setReason} />
    </FormDialog>
  )
}

const ZONES: readonly string[] = Intl.supportedValuesOf('timeZone')

export function EvictDialog({ bond, close }: UserDialogProps): ReactElement {
  const evict = useEvict(bond)
  const [reason, setReason] = useState('')
  return (
    <FormDialog
      title="Close live clients?"
      lead={`Model and MCP connections of ${bond.user} close when they are no longer in use. The next message opens new ones.`}
      submitLabel="Close clients"
      mutation={evict}
      submit={() => evict.mutate({ reason }, { onSuccess: close })}
      close={close}
    >
      <ReasonField value={reason} onChange={setReason} />
    </FormDialog>
  )
}

/** The only action without an undo: the id must be typed. */
export function EraseDialog({ bond, close }: UserDialogProps): ReactElement {
  const [, navigate] = useLocation()
  const erase = useErase(bond, () => navigate('/users'))
  const [typedId, setTypedId] = useState('')
  const [reason, setReason] = useState('')
  return (
    <FormDialog
      title={`Erase ${bond.user} permanently?`}
      lead="Deletes settings, secrets, sessions, profile, actions, bond, event log, notes and cached answers, and revokes the user's API keys, in the store and in every running process. Backups, exports and what model providers have stored stay. The log of the application keeps a pseudonym and your reason. This cannot be undone."
      submitLabel="Erase permanently"
      isDangerous
      isComplete={typedId === bond.user && reason.trim() !== ''}
      mutation={erase}
      submit={() => erase.mutate({ reason })}
      close={close}
    >
      <Field
        label={
          <>
            Type <strong className="mono">{bond.user}</strong> to confirm
          </>
        }
      >
        {(control) => (
          <input
            {...control}
            value={typedId}
            autoComplete="off"
            spellCheck="false"
            onInput={(event) => setTypedId(event.currentTarget.value)}
          />
        )}
      </Field>
      <ReasonField value={reason} onChange={setReason} isRequired />
    </FormDialog>
  )
}

/** A select of the declared values; where none are declared, a text field that suggests known values. */
function ValueField(props: {
  label: string
  value: string
  values: readonly string[]
  isDeclared: boolean
  onChange(value: string): void
}): ReactElement {
  const { value, values } = props
  const listId = useId()
  if (props.isDeclared) {
    const known = values.includes(value) ? values : [...values, value]
    return (
      <Field label={props.label}>
        {(control) => (
          <Select {...control} value={value} options={known.map((name) => [name, name])} onChange={props.onChange} />
        )}
      </Field>
    )
  }
  return (
    <Field label={props.label}>
      {(control) => (
        <>
          <input
            {...control}
            list={listId}
            value={value}
            autoComplete="off"
            onInput={(event) => props.onChange(event.currentTarget.value)}
          />
          <datalist id={listId}>
            {values.map((name) => (
              <option key={name} value={name} />
            ))}
          </datalist>
        </>
      )}
    </Field>
  )
}
