import { type Rule, throwInvalid } from '../../core/validate.ts'
import { type Amount, toAmount } from './amount.ts'

/*
 * Money as decimal text outside and as an integer of nano-units inside, so that no amount passes through a fraction
 * that binary numbers cannot represent.
 */

const DECIMALS = 9
const MAX_DIGITS = 15
const DECIMAL = new RegExp(`^(\\d{1,${MAX_DIGITS}})(?:\\.(\\d{1,${DECIMALS}}))?$`)

/** Reads decimal text, or a number that has such a text, as nano-units. */
export function parseMoney(value: unknown, rule: Rule): Amount {
  const text = typeof value === 'number' ? String(value) : value
  const [, units, decimals = ''] = (typeof text === 'string' ? DECIMAL.exec(text) : null) ?? []
  if (units === undefined)
    return throwInvalid(`'${rule.name}' must be a decimal number of 0 or more with at most ${DECIMALS} decimals.`, {
      ...rule,
      hint: rule.hint ?? "Example: '2.50'.",
    })
  return toAmount(BigInt(units + decimals.padEnd(DECIMALS, '0')))
}

/** Decimal text without trailing zeros. */
export function formatMoney(nanoUnits: Amount): string {
  const digits = String(nanoUnits).padStart(DECIMALS + 1, '0')
  const decimals = digits.slice(-DECIMALS).replace(/0+$/, '')
  return decimals === '' ? digits.slice(0, -DECIMALS) : `${digits.slice(0, -DECIMALS)}.${decimals}`
}
