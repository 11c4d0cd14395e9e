import type { Plan } from '../../api/wire.ts'

/** New maxima of the rules of one plan, as typed; '' is no limit, and a rule that is absent stays. */
export type ProposedMaxima = Readonly<Record<string, string>>

/** The plans as a configuration file has them, with other maxima in one of them. */
export function proposePlans(plans: readonly Plan[], plan: string, maxima: ProposedMaxima): Record<string, unknown> {
  return Object.fromEntries(
    plans.map(({ name, extends: base, limits, runtime }) => [
      name,
      {
        ...(base === null ? {} : { extends: base }),
        ...(Object.keys(runtime).length === 0 ? {} : { runtime }),
        limits: limits.map((limit) => {
          const typed = name === plan ? maxima[limit.name] : undefined
          return typed === undefined ? limit : { ...limit, max: parseMaximum(typed, limit.measure) }
        }),
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
