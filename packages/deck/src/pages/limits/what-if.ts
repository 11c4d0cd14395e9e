import type { Limit, Plan } from '../../api/wire.ts'

/** New maxima of the rules of one plan, as typed; '' is no limit, and a rule that is absent stays. */
export type ProposedMaxima = Readonly<Record<string, string>>

/** Rules with other maxima. */
export function proposeLimits(limits: readonly Limit[], maxima: ProposedMaxima): readonly Limit[] {
  return limits.map((limit) => {
    const typed = maxima[limit.name]
    return typed === undefined ? limit : { ...limit, max: parseMaximum(typed, limit.measure) }
  })
}

/** The plans as a configuration file has them, with other maxima in one of them. */
export function proposePlans(plans: readonly Plan[], plan: string, maxima: ProposedMaxima): Record<string, unknown> {
  return Object.fromEntries(
    plans.map(({ name, extends: base, limits, runtime }) => [
      name,
      {
        ...(base === null ? {} : { extends: base }),
        ...(Object.keys(runtime).length === 0 ? {} : { runtime }),
        limits: name === plan ? proposeLimits(limits, maxima) : limits,
      },
    ]),
  )
}

/** Costs are decimal text, all others whole numbers. */
export function parseMaximum(typed: string, measure: string): number | string | null {
  const text = typed.trim()
  if (text === '') return null
  return measure === 'cost' ? text : Number(text)
}

export function isMaximum(typed: string, measure: string): boolean {
  return (measure === 'cost' ? /^(\d{1,12}(\.\d{1,9})?)?$/ : /^\d{0,15}$/).test(typed.trim())
}
