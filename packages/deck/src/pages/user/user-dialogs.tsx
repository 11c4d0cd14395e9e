import './user-dialogs.css'
import type { Bond } from 'purser'
import { type ReactElement, type ReactNode, useId, useState } from 'react'
import { useLocation } from 'wouter'
import type { Vocabulary } from '../../api/vocabulary.ts'
import { now } from '../../browser/effects.ts'
import { FormDialog } from '../../components/dialog.tsx'
import { Field } from '../../components/field.tsx'
import { Select } from '../../components/select.tsx'
import { useBlock, useCorrect, useErase, useEvict, useSetCap, useUnblock } from './use-user-mutations.ts'

interface UserDialogProps {
  readonly bond: Bond
  close(): void
}

export function CapDialog({ bond, close }: UserDialogProps): ReactElement {
  const setCap = useSetCap(bond)
  const [kind, setKind] = useState<'number' | 'unlimited' | 'default'>(
    bond.capOrigin === 'default' ? 'default' : bond.dailyCap === 0 ? 'unlimited' : 'number',
  )
  const [number, setNumber] = useState(bond.dailyCap === 0 ? '' : String(bond.dailyCap))
  const [reason, setReason] = useState('')
  const cap = { number: Number(number), unlimited: 0, default: null }[kind]
  return (
    <FormDialog
      title="Daily cap"
      lead={`How many messages ${bond.user} may send per day. Takes effect with the next message; messages already sent today count.`}
      submitLabel="Set the cap"
      isComplete={kind !== 'number' || /^\d{1,12}$/.test(number)}
      mutation={setCap}
      submit={() => setCap.mutate({ cap, reason }, { onSuccess: close })}
      close={close}
    >
      <fieldset className="cap-options">
        <legend className="sr-only">Cap</legend>
        <CapOption isChecked={kind === 'number'} onCheck={() => setKind('number')}>
          At most
          <input
            type="text"
            inputMode="numeric"
            className="cap-options__number"
            aria-label="Messages per day"
            value={number}
            onFocus={() => setKind('number')}
            onInput={(event) => setNumber(event.currentTarget.value.trim())}
          />
          per day
        </CapOption>
        <CapOption isChecked={kind === 'unlimited'} onCheck={() => setKind('unlimited')}>
          Unlimited
        </CapOption>
        <CapOption isChecked={kind === 'default'} onCheck={() => setKind('default')}>
          Use the default cap
        </CapOption>
      </fieldset>
      <ReasonField value={reason} onChange={setReason} />
    </FormDialog>
  )
}

function CapOption(props: { isChecked: boolean; onCheck(): void; children: ReactNode }): ReactElement {
  return (
    <label className="cap-options__option">
      <input type="radio" name="cap" checked={props.isChecked} onChange={props.onCheck} />
      {props.children}
    </label>
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
      lead="New messages are refused. A message that is already being answered is completed."
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
      <SuggestField label="Phase" value={phase} suggestions={vocabulary.phases} onChange={setPhase} />
      <SuggestField label="Risk" value={riskLevel} suggestions={vocabulary.riskLevels} onChange={setRiskLevel} />
      <ReasonField value={reason} onChange={setReason} isRequired />
    </FormDialog>
  )
}

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

/** The reason that is recorded in the event log with an action. */
function ReasonField(props: { value: string; onChange(value: string): void; isRequired?: boolean }): ReactElement {
  return (
    <Field
      label={<>Reason {!props.isRequired && <span className="muted">(optional)</span>}</>}
      hint="Recorded in the user’s event log with the name of your key."
    >
      {(control) => (
        <textarea
          {...control}
          rows={2}
          maxLength={500}
          required={props.isRequired ?? false}
          value={props.value}
          onInput={(event) => props.onChange(event.currentTarget.value)}
        />
      )}
    </Field>
  )
}

/** A text field that suggests known values and accepts others. */
function SuggestField(props: {
  label: string
  value: string
  suggestions: readonly string[]
  onChange(value: string): void
}): ReactElement {
  const listId = useId()
  return (
    <Field label={props.label}>
      {(control) => (
        <>
          <input
            {...control}
            list={listId}
            value={props.value}
            autoComplete="off"
            onInput={(event) => props.onChange(event.currentTarget.value)}
          />
          <datalist id={listId}>
            {props.suggestions.map((value) => (
              <option key={value} value={value} />
            ))}
          </datalist>
        </>
      )}
    </Field>
  )
}
