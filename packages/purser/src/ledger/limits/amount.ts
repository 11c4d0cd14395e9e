/*
 * Amounts: what is counted under a limit. Turns, tokens and calls are counted by one, money in nano-units (a billionth
 * of the currency's unit).
 *
 * An amount is a safe integer, and beyond 2^53 - 1 its digits as text. Numbers are fast and are all that most users ever
 * have; but 2^53 nano-units are 9 million units, which is little money in some currencies, and sums of money must be
 * exact. Either form is plain JSON. Equal amounts have the same form.
 */
export type Amount = number | string

export function add(one: Amount, other: Amount): Amount {
  if (typeof one === 'number' && typeof other === 'number') {
    const sum = one + other
    if (sum <= Number.MAX_SAFE_INTEGER) return sum
  }
  return toAmount(BigInt(one) + BigInt(other))
}

/** At least 0. */
export function subtract(from: Amount, amount: Amount): Amount {
  if (typeof from === 'number' && typeof amount === 'number') return Math.max(0, from - amount)
  const difference = BigInt(from) - BigInt(amount)
  return difference < 0n ? 0 : toAmount(difference)
}

/** Negative, 0 or positive, as for sorting. */
export function compare(one: Amount, other: Amount): number {
  if (typeof one === 'number' && typeof other === 'number') return one - other
  const difference = BigInt(one) - BigInt(other)
  return difference === 0n ? 0 : difference < 0n ? -1 : 1
}

export function larger(one: Amount, other: Amount): Amount {
  return compare(one, other) < 0 ? other : one
}

export function toAmount(value: bigint): Amount {
  return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value.toString()
}

/** Digits of a part of an amount, such as 0.8, that are significant. */
const PART_DIGITS = 4
/** Products of amounts below it with a part are exact numbers: parts are at most 10. */
const EXACT = Number.MAX_SAFE_INTEGER / 10 ** (PART_DIGITS + 1)

/** Whether `amount` is at least `part` of `whole`. */
export function reaches(amount: Amount, part: number, whole: Amount): boolean {
  const scale = 10 ** PART_DIGITS
  if (typeof amount === 'number' && typeof whole === 'number' && amount < EXACT && whole < EXACT)
    return amount * scale >= Math.round(part * scale) * whole
  return BigInt(amount) * BigInt(scale) >= BigInt(Math.round(part * scale)) * BigInt(whole)
}
