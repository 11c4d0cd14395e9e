import './amount-options.css'
import { type ReactElement, type ReactNode, useId } from 'react'

/** `default`: as configured. */
export type AmountKind = 'number' | 'unlimited' | 'default'

/** Radio buttons for a limit: an amount, none, or the configured one. */
export function AmountOptions(props: {
  legend: string
  unit: string
  kind: AmountKind
  amount: string
  setKind(kind: AmountKind): void
  setAmount(amount: string): void
}): ReactElement {
  const { kind, setKind } = props
  const name = useId()
  const optionProps = (option: AmountKind) => ({ name, isChecked: kind === option, onCheck: () => setKind(option) })
  return (
    <fieldset className="amount-options">
      <legend className="sr-only">{props.legend}</legend>
      <Option {...optionProps('number')}>
        At most
        <input
          type="text"
          inputMode="decimal"
          className="amount-options__number"
          aria-label={`Number of ${props.unit}`}
          value={props.amount}
          onFocus={() => setKind('number')}
          onInput={(event) => props.setAmount(event.currentTarget.value.trim())}
        />
        {props.unit}
      </Option>
      <Option {...optionProps('unlimited')}>Unlimited</Option>
      <Option {...optionProps('default')}>As configured</Option>
    </fieldset>
  )
}

function Option(props: { name: string; isChecked: boolean; onCheck(): void; children: ReactNode }): ReactElement {
  return (
    <label className="amount-options__option">
      <input type="radio" name={props.name} checked={props.isChecked} onChange={props.onCheck} />
      {props.children}
    </label>
  )
}
